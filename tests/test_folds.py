"""Two folds: which text is in which, and who opens them."""

import json
from collections import Counter
from contextlib import nullcontext
from itertools import pairwise

import pytest
from scipy.stats import binomtest, fisher_exact

from interp_lab import folds
from interp_lab.experiment import Provenance, provenance
from interp_lab.folds import (
    FoldError,
    beyond_now,
    first_shown,
    fold_of,
    lines_shown,
    note_beyond,
    require_made_in,
    seen_now,
    shows,
    visible,
)
from interp_lab.identity import ModelIdentity, WeightProcessing
from interp_lab.sae.activations.documents import side_of

MODEL = ModelIdentity("made up", WeightProcessing(), 1, 2, 3)
TEXTS = [f"text number {nth}" for nth in range(3000)]
HELD_OUT_OF_THE_FIRST_12 = [1, 4, 8, 11]


class TestWhereATextBelongs:
    def test_is_no_matter_of_space_or_of_how_characters_are_composed(self):
        for text in TEXTS[:50]:
            assert fold_of(f"  {text.replace(' ', chr(10))} ") == fold_of(text)
            assert fold_of(f"caf\u00e9 {text}") == fold_of(f"cafe\u0301 {text}")

    def test_stays_as_it_is(self):
        """Run folders and reports of earlier versions name the fold: a text must never change sides."""
        assert [nth for nth in range(12) if fold_of(TEXTS[nth]) == "held_out"] == HELD_OUT_OF_THE_FIRST_12

    def test_a_third_is_held_out(self):
        n = Counter(map(fold_of, TEXTS))["held_out"]
        assert binomtest(n, len(TEXTS), 1 / 3).pvalue > 0.001

    @pytest.mark.parametrize("share", [0.1, 0.5])
    def test_is_independent_of_the_division_of_sae_text(self, share):
        both = Counter((fold_of(text), side_of(text, share)) for text in TEXTS)
        table = [[both[fold, side] for side in ("train", "held_out")] for fold in ("search", "held_out")]
        assert fisher_exact(table).pvalue > 0.001

    def test_several_decide_together_in_any_order_and_a_third_of_them_is_held_out(self):
        pairs = list(pairwise(TEXTS))
        assert all(fold_of(one, other) == fold_of(other, one) for one, other in pairs)
        assert binomtest(sum(fold_of(*pair) == "held_out" for pair in pairs), len(pairs), 1 / 3).pvalue > 0.001


class TestWhatIsSeen:
    def test_everything_unless_a_fold_is_opened_and_again_afterwards(self):
        with pytest.raises(KeyError), visible("search"):
            raise KeyError
        assert seen_now() == "all"
        assert shows(*TEXTS)

    @pytest.mark.parametrize("fold", ["search", "held_out"])
    def test_one_fold_inside(self, fold):
        with visible(fold):
            assert [shows(text) for text in TEXTS] == [fold_of(text) == fold for text in TEXTS]

    def test_every_text_is_in_exactly_one(self):
        seen = []
        for fold in ("search", "held_out"):
            with visible(fold):
                seen.append({text for text in TEXTS if shows(text)})
        assert seen[0] | seen[1] == set(TEXTS)
        assert not seen[0] & seen[1]

    def test_several_texts_only_where_all_are(self):
        with visible("search"):
            assert all(shows(one, other) == (shows(one) and shows(other)) for one, other in zip(TEXTS, TEXTS[5:100]))  # noqa: B905 - the shorter

    def test_all_opens_nothing_within_a_fold(self):
        with visible("search"), visible("all"):
            assert seen_now() == "search"

    def test_one_fold_is_not_opened_within_the_other(self):
        refused = pytest.raises(ValueError, match="'held_out' cannot be opened where only 'search'")
        with visible("search"), refused, visible("held_out"):
            pass

    def test_an_answer_that_was_kept(self):
        with visible("search"):
            fold = seen_now()
        assert [shows(text, fold=fold) for text in TEXTS] == [fold_of(text) == "search" for text in TEXTS]


class TestWhatOtherRunsMade:
    """While one fold is in force, nothing comes in but what was made in `search`."""

    @pytest.mark.parametrize("made", ["all", "search", "held_out"])
    @pytest.mark.parametrize("seen", ["all", "search", "held_out"])
    def test_the_rule_itself(self, made, seen):
        with visible(seen), nullcontext() if made == "search" or seen == "all" else pytest.raises(FoldError):
            require_made_in(made, what="a direction")

    def test_says_what_is_where_and_the_way_out(self):
        said = (
            r"the run in out/a was made in fold 'all', and fold 'held_out' is in force: .* no longer held out from it"
        )
        with (
            visible("held_out"),
            pytest.raises(FoldError, match=said + r".* make it again with --fold=search, or set "),
        ):
            require_made_in("all", what="the run in out/a")
        with pytest.raises(FoldError, match="'search' is in force: held-out examples would come into the search by it"):
            require_made_in("held_out", what="it", fold="search")

    def test_what_says_nothing_of_a_fold_is_noted_where_there_is_one_until_it_is_left(self):
        note_beyond("seen by nobody")
        with visible("search"):
            note_beyond("a hub's")
            with visible("search"), visible("all"):
                note_beyond("given in memory")
                note_beyond("a hub's")
            assert beyond_now() == ("a hub's", "given in memory")
            origin = provenance("made up", MODEL, seed=0, device="cpu", dtype="float32")
        assert beyond_now() == ()
        assert (origin.fold, origin.beyond_fold) == ("search", ("a hub's", "given in memory"))
        assert Provenance.from_dict(json.loads(json.dumps(origin.as_dict()))) == origin

    def test_provenance_that_is_older_than_folds_is_of_both(self):
        old = provenance("made up", MODEL, seed=0, device="cpu", dtype="float32").as_dict()
        for name in ("fold", "beyond_fold"):
            del old[name]
        assert Provenance.from_dict(old).fold == "all"
        assert Provenance.from_dict(old).beyond_fold == ()


class TestLines:
    LINES = tuple((f"clean {nth}", f"corrupted {nth}") for nth in range(900))

    def seen(self, lines):
        found = {}
        for fold in ("search", "held_out"):
            with visible(fold):
                found[fold] = lines_shown(lines)
        assert all(one != other for one, other in zip(*found.values(), strict=True)), "each is in exactly one"
        return found["held_out"]

    def test_all_are_seen_without_a_fold(self):
        assert all(lines_shown(self.LINES))

    def test_a_third_is_held_out_whole(self):
        held_out = self.seen(self.LINES)
        assert held_out == [fold_of(*line) == "held_out" for line in self.LINES]
        assert binomtest(sum(held_out), len(held_out), 1 / 3).pvalue > 0.001

    def test_those_that_belong_together_stay_where_they_are_too(self):
        """As one text does: a file must be divided by every version as by the first."""
        groups = [[(f"a{nth}", f"b{nth}"), (f"b{nth}", f"c{nth}")] for nth in range(12)]
        assert [nth for nth in range(12) if self.seen(groups[nth])[0]] == [3, 5, 7, 9, 11]

    def test_neither_order_nor_other_lines_matter(self):
        assert self.seen(self.LINES[::-1])[::-1] == self.seen(self.LINES)
        assert self.seen(self.LINES[100:200]) == self.seen(self.LINES)[100:200]

    def test_those_that_share_a_text_are_together_however_long_the_chain(self):
        chain = [(f"text {nth}", f"text {nth + 1}") for nth in range(40)]
        for lines in (chain, chain[::-1], chain[::2] + chain[1::2]):
            assert len(set(self.seen(lines))) == 1
        alone = [("other", "texts")]
        assert self.seen([*chain, *alone])[-1] == self.seen(alone)[0]


class TestDrawing:
    def test_goes_on_until_it_is_seen_and_is_done_once_without_a_fold(self):
        drawn = iter(TEXTS)
        assert first_shown(lambda: next(drawn), lambda text: [text], what="texts") == TEXTS[0]
        with visible("held_out"):
            found = first_shown(lambda: next(drawn), lambda text: [text], what="texts")
        assert found == next(text for text in TEXTS[1:] if fold_of(text) == "held_out")

    def test_gives_up_with_what_it_drew_from(self, monkeypatch):
        monkeypatch.setattr(folds, "_MOST", 5)
        other = next(text for text in TEXTS if fold_of(text) == "search")
        with (
            visible("held_out"),
            pytest.raises(ValueError, match="none of 5 draws of t/01 is in the fold 'held_out'; draw from more"),
        ):
            first_shown(lambda: other, lambda text: [text], what="t/01")

    @pytest.mark.parametrize(("fold", "one", "pair"), [("all", 1, 1), ("search", 2, 3), ("held_out", 4, 11)])
    def test_takes_so_many_times_as_many(self, fold, one, pair):
        """1, 3/2 and 3 times as many texts, the squares of that for pairs, a fifth more, rounded up."""
        with visible(fold):
            assert (folds.more_draws(), folds.more_draws(texts=2)) == (one, pair)
