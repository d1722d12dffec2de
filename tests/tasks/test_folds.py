"""Everything that draws examples draws from one fold: the same whatever the seed, nothing of it in the other fold."""

import json
from functools import cache

import pytest
from scipy.stats import binomtest

from interp_lab.effects.capabilities import capability_pairs
from interp_lab.folds import fold_of, visible
from interp_lab.models import load_model
from interp_lab.organisms.compiled import compiled_names
from interp_lab.organisms.grammar.corpus import behaviour
from interp_lab.sae.activations import ActivationsConfig, TextConfig
from interp_lab.sae.activations.documents import documents_of, text_fingerprint
from interp_lab.sae.features.combination import draw_documents
from interp_lab.sae.features.config import CombinationConfig
from interp_lab.steering.neutral import neutral_texts
from interp_lab.steering.partners import deciding_prompts, gap_prompts
from interp_lab.steering.prompts import prompts_of
from interp_lab.steering.traits import contrast_of
from interp_lab.tasks import grammar_contrast, grammar_documents, pairs_for, read_documents, read_pairs, task_names
from interp_lab.tasks.grammar import VARIED
from interp_lab.tasks.labels import LabelName, distinct_texts
from interp_lab.tasks.repeats import repeats_for
from tests.tasks.reading import grammar_reader, piece_reader

FOLDS = ("search", "held_out")
FAMILIES = tuple(name for name in task_names() if "/" not in name)


def both(pairs):
    return [*pairs.clean_texts, *pairs.corrupted_texts]


def sides(contrast):
    return [*contrast.positive, *contrast.negative]


def with_partners(prompts):
    return [*prompts.texts, *prompts.partners.texts]


def prompts_in(texts):
    """The texts of the grammar up to before their answers, as far as a cut at any word can tell."""
    return {" ".join(text.split()[:n]) for text in texts for n in range(4, len(text.split()) + 1)}


DRAWS = {
    **{name: lambda n, seed, name=name: both(pairs_for(piece_reader(), name, n, seed=seed)) for name in FAMILIES},
    **{
        f"grammar/{name}": lambda n, seed, name=name: both(pairs_for(grammar_reader(), f"grammar/{name}", n, seed=seed))
        for name in VARIED
    },
    **{
        name: lambda n, seed, name=name: both(pairs_for(load_model(name), name, n, seed=seed, reserved=True))
        for name in compiled_names()
    },
    "repeats": lambda n, seed: [str(row) for row in repeats_for(grammar_reader(), n, 8, seed=seed).tokens.tolist()],
    "paired contrast": lambda n, seed: sides(grammar_contrast("truth", n, seed=seed)),
    "unpaired contrast": lambda n, seed: sides(grammar_contrast("sentiment", n, seed=seed, part="answered")),
    "documents": lambda n, seed: [one.text for one in grammar_documents(n, seed=seed)],
    "labelled texts": lambda n, seed: [
        one.prompt for one in distinct_texts(LabelName("truth", "is_true"), n, reserved=False, seed=seed)
    ],
    "combination": lambda n, seed: list(draw_documents(CombinationConfig(), n, reserved=True, seed=seed)[1].texts),
    "trait prompts": lambda n, seed: list(prompts_of(grammar_reader(), "sentiment", n, seed=seed).texts),
    "gap prompts": lambda n, seed: with_partners(gap_prompts(grammar_reader(), "neighbourhood", n, seed=seed)),
    "deciding prompts": lambda n, seed: with_partners(
        deciding_prompts(grammar_reader(), "neighbourhood", {"income": ENDS}, n, seed=seed)
    ),
    "neutral texts": lambda n, seed: list(
        neutral_texts(grammar_reader(), "truth", n, seed=seed, part="select").texts
    ),
    "capabilities": lambda n, seed: both(capability_pairs(grammar_reader(), "agreement", n, seed=seed, part="report")),
    "sae text": lambda n, seed: [
        one.text for one, _ in zip(documents_of(reading(seed)), range(n), strict=False)
    ],
}  # fmt: skip
ENDS = ("low", "high")


def reading(seed):
    return ActivationsConfig(hooks=("h",), n_tokens=9, text=TextConfig(part="train", seed=seed))


N = 12


def drawn_anew(fold, name, seed):
    with visible(fold):
        return DRAWS[name](N, seed)


drawn_in = cache(drawn_anew)


@pytest.mark.parametrize("name", DRAWS)
class TestEverySource:
    def test_draws_nothing_in_both_folds_whatever_the_seed(self, name):
        search, held_out = ({*drawn_in(fold, name, 0), *drawn_in(fold, name, 1)} for fold in FOLDS)
        assert len(search) >= N
        assert len(held_out) >= N
        assert not search & held_out

    def test_draws_from_both_without_a_fold(self, name):
        """The first that are drawn are not all in one fold."""
        assert set(DRAWS[name](N, 0)) - set(drawn_in("search", name, 0))

    def test_the_same_seed_draws_the_same(self, name):
        assert drawn_anew("held_out", name, 0) == drawn_in("held_out", name, 0)


class TestTextsOfTheGrammar:
    def test_a_document_is_where_its_prompt_is(self):
        """So that no document that is trained on in one fold holds a prompt that is judged in the other."""
        with visible("search"):
            documents = prompts_in(one.text for one in grammar_documents(250, seed=0, behaviours=["facts"]))
        with visible("held_out"):
            prompts = set(both(pairs_for(grammar_reader(), "grammar/facts", 100, seed=0)))
        assert documents
        assert not documents & prompts

    def test_a_contrast_is_where_it_is_with_and_without_answers(self):
        with visible("search"):
            bare = sides(grammar_contrast("sentiment", 40, seed=0))
            answered = sides(grammar_contrast("sentiment", 40, seed=0, part="answered"))
        assert [text.rsplit(" ", 1)[0] for text in answered] == bare


class TestUserFiles:
    @pytest.fixture
    def pairs(self, tmp_path):
        path = tmp_path / "mine.jsonl"
        line = {"answer": " d", "wrong": " e", "template": "t"}
        lines = [{"clean": f"a{nth} b", "corrupted": f"a{nth} c", **line} for nth in range(60)]
        path.write_text("\n".join(map(json.dumps, lines)))
        return path

    @pytest.fixture
    def trait(self, tmp_path):
        path = tmp_path / "trait.jsonl"
        lines = [{"prompt": f"question {nth} :", "positive": " yes", "negative": " no"} for nth in range(60)]
        lines += [{"positive": f"good {nth}", "negative": f"bad {nth}"} for nth in range(60)]
        path.write_text("\n".join(map(json.dumps, lines)))
        return path

    def test_a_line_of_pairs_is_in_one_fold_with_both_its_prompts(self, pairs):
        found = {}
        for fold in FOLDS:
            with visible(fold):
                found[fold] = read_pairs(pairs)
        assert sum(map(len, found.values())) == len(read_pairs(pairs)) == 60
        assert all(fold_of(one.clean, one.corrupted) == fold for fold in FOLDS for one in found[fold])

    def test_an_order_changes_nothing(self, pairs):
        with visible("held_out"):
            before = {one.clean for one in read_pairs(pairs)}
            pairs.write_text("\n".join(reversed(pairs.read_text().splitlines())))
            assert {one.clean for one in read_pairs(pairs)} == before

    def test_too_few_are_told_by_how_many_there_are_in_the_fold(self, pairs):
        with visible("held_out"):
            n = len(read_pairs(pairs))
            with pytest.raises(ValueError, match=f"holds {n} pairs in the fold 'held_out', and n=60 are asked for"):
                pairs_for(piece_reader(), str(pairs), 60)

    def test_a_file_of_the_other_fold_alone(self, pairs):
        with visible("search"):
            others = {one.clean for one in read_pairs(pairs)}
        pairs.write_text("\n".join(one for one in pairs.read_text().splitlines() if json.loads(one)["clean"] in others))
        n = len(others)
        with visible("held_out"), pytest.raises(ValueError, match=f"holds {n} pairs, and none in the fold 'held_out'"):
            read_pairs(pairs)

    def test_lines_of_a_trait(self, trait):
        found = {}
        for fold in FOLDS:
            with visible(fold):
                with pytest.raises(ValueError, match=f"lines in the fold '{fold}', and n=120 are asked for"):
                    contrast_of(str(trait), 120, seed=0)
                found[fold] = {text for seed in (0, 1) for text in sides(contrast_of(str(trait), 20, seed=seed))}
        assert not found["search"] & found["held_out"]

    @pytest.mark.parametrize("unit", ["line", "paragraph"])
    def test_documents_keep_their_numbers_and_the_fold_of_when_they_were_asked_for(self, tmp_path, unit):
        path = tmp_path / "text.txt"
        path.write_text("\n\n".join(f"this is text {nth}" for nth in range(40)))
        every = list(read_documents(path, unit=unit))
        with visible("held_out"):
            asked = read_documents(path, unit=unit)
        assert list(asked) == [one for one in every if fold_of(one.text) == "held_out"]
        with visible("search"):
            assert list(read_documents(path, unit=unit)) == [one for one in every if fold_of(one.text) == "search"]

    def test_documents_of_the_other_fold_alone(self, tmp_path):
        path = tmp_path / "text.txt"
        path.write_text(next(text for text in map("text {}".format, range(99)) if fold_of(text) == "search"))
        with visible("held_out"), pytest.raises(ValueError, match="holds 1 documents, and none is in the fold"):
            list(read_documents(path))


class TestStoresOfActivations:
    def test_those_of_a_fold_are_told_from_others(self):
        with visible("search"):
            search = text_fingerprint(reading(0))
        assert search == f"search {text_fingerprint(reading(0))}"

    def test_the_stream_of_the_grammar_is_that_of_when_it_was_asked_for(self):
        with visible("search"):
            asked, now = documents_of(reading(0)), documents_of(reading(0))
            inside = [next(now).text for _ in range(70)]
        assert [next(asked).text for _ in range(70)] == inside


def test_a_third_of_the_prompts_of_every_behaviour_is_held_out():
    prompts = [{one.prompt for one in behaviour(name).sample(120, seed=0)} for name in VARIED]
    for own in prompts:
        assert binomtest(sum(fold_of(text) == "held_out" for text in own), len(own), 1 / 3).pvalue > 0.001
