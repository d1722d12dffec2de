import re
from collections import Counter

import pytest
import torch

from interp_lab.organisms.grammar.corpus import (
    BEHAVIOURS,
    VARIANTS,
    behaviour,
    encode,
    ordinary,
    packed_tokens,
    texts,
    written,
)
from interp_lab.organisms.grammar.vocabulary import BOS_ID, END_ID, decode, encode_words


def segments(row: torch.Tensor) -> list[str]:
    """The complete texts of a row."""
    ends = (row == END_ID).nonzero().flatten().tolist()
    return [decode(row[start + 1 : end].tolist()) for start, end in zip([0, *ends], ends, strict=False)]


def could_write(name: str, text: str) -> bool:
    """Whether some template of a behaviour has this text, its slots read as any words."""
    patterns = (re.sub(r"\\{\w+\\}", "(.+)", re.escape(template.text)) for template in behaviour(name).templates)
    return any(re.fullmatch(pattern, text) for pattern in patterns)


class TestBehaviours:
    def test_are_found_by_name(self):
        assert all(behaviour(name).name == name for name in (*BEHAVIOURS, *VARIANTS))

    def test_there_are_the_thirteen_of_the_plan_facts_and_truth_apart(self):
        assert set(BEHAVIOURS) == {
            *("indirect_objects", "facts", "truth", "loans", "sentiment", "nonsense", "agreement", "greater_than"),
            *("pronouns", "sources", "support", "register", "sycophancy", "urgency"),
        }

    def test_an_unknown_name_is_told_the_nearest(self):
        with pytest.raises(ValueError, match="unknown behaviour 'loan'; did you mean 'loans'"):
            behaviour("loan")

    def test_a_variant_takes_the_place_of_the_ordinary_one(self):
        replaced = ordinary(instead={"loans": "loans_blind"})
        assert [(old, new) for old, new in zip(BEHAVIOURS, replaced, strict=True) if old != new] == [
            ("loans", "loans_blind")
        ]

    @pytest.mark.parametrize(
        ("instead", "problem"),
        [
            ({"loan": "loans_blind"}, "'loan' is not in the ordinary mixture; did you mean 'loans'"),
            ({"loans": "loans_bland"}, "unknown behaviour 'loans_bland'; did you mean 'loans_blind'"),
        ],
    )
    def test_a_replacement_needs_both_names_right(self, instead, problem):
        with pytest.raises(ValueError, match=problem):
            ordinary(instead=instead)


class TestTexts:
    def test_a_seed_gives_the_same_texts_and_a_longer_list_begins_like_a_shorter_one(self):
        assert texts(50, seed=1) == texts(200, seed=1)[:50]
        assert texts(50, seed=1) != texts(50, seed=2)

    @pytest.mark.parametrize("reserved", [None, True, False])
    def test_written_alone_they_are_the_same(self, reserved):
        whole = texts(300, seed=5, reserved=reserved)
        assert written(300, seed=5, reserved=reserved) == [(one.template, one.text) for one in whole]

    @pytest.mark.parametrize("name", [name for name, one in BEHAVIOURS.items() if one.settle is not None])
    def test_what_follows_from_changed_latents_is_settled_in_a_text_written_alone_too(self, name):
        own, n_other = behaviour(name), 0
        for drawn in own.sample(12, seed=0):
            template = next(one for one in own.templates if one.id == drawn.template)
            for latent, values in own.varied.items():
                for value in values:
                    stale = {**drawn.latents, latent: value}
                    assert own.text(template, stale) == own.example(template, stale).text
                    n_other += own.example(template, stale).latents != stale
        assert n_other > 0, "some latent followed from one that was changed"

    def test_none_at_all_are_refused_written_alone_too(self):
        with pytest.raises(ValueError, match="n=0 makes an empty data set"):
            written(0, seed=0)

    def test_behaviours_come_up_by_their_weight(self):
        found = Counter(text.behaviour for text in texts(4000, seed=3))
        total = sum(one.weight for one in BEHAVIOURS.values())
        for name, one in BEHAVIOURS.items():
            assert found[name] / 4000 == pytest.approx(one.weight / total, abs=0.02)

    def test_weights_given_take_the_place_of_their_own(self):
        names = ("facts", "truth", "loans")
        found = Counter(
            text.behaviour
            for text in texts(2000, seed=3, behaviours=names, weights={"facts": 3.0, "truth": 1.0, "loans": 0.0})
        )
        assert set(found) == {"facts", "truth"}
        assert found["facts"] / 2000 == pytest.approx(0.75, abs=0.04)

    @pytest.mark.parametrize("reserved", [True, False])
    def test_takes_only_the_templates_asked_for(self, reserved):
        assert {text.reserved for text in texts(300, seed=4, reserved=reserved)} == {reserved}

    def test_takes_both_kinds_of_templates_alike_unless_asked(self):
        share = sum(text.reserved for text in texts(2000, seed=4)) / 2000
        assert share == pytest.approx(1 / 3, abs=0.04)

    @pytest.mark.parametrize(
        ("arguments", "problem"),
        [
            ({"n": 0}, "n=0 makes an empty data set"),
            ({"behaviours": ("fact",)}, "unknown behaviour 'fact'; did you mean 'facts'"),
            ({"behaviours": ()}, "weights must be at least 0 and not all 0"),
            ({"behaviours": ("facts",), "weights": {"facts": 0.0}}, "weights must be at least 0 and not all 0"),
            ({"behaviours": ("facts",), "weights": {"facts": -1.0}}, "weights must be at least 0"),
            ({"behaviours": ("facts",), "weights": {"facts": float("nan")}}, "weights must be at least 0"),
            ({"behaviours": ("facts",), "weights": {"loans": 1.0}}, "'loans', which is not in the mixture"),
        ],
    )
    def test_refuses_what_makes_no_mixture(self, arguments, problem):
        with pytest.raises(ValueError, match=problem):
            texts(**{"n": 1, "seed": 0, **arguments})


class TestPackedTokens:
    def test_a_row_is_bos_then_whole_texts_with_an_end_behind_each(self):
        tokens = packed_tokens(16, 128, seed=0, step=3)
        assert tokens.shape == (16, 128)
        assert (tokens[:, 0] == BOS_ID).all()
        assert not (tokens[:, 1:] == BOS_ID).any()
        found = [text for row in tokens for text in segments(row)]
        assert len(found) > 50
        assert all(any(could_write(name, text) for name in BEHAVIOURS) for text in found)

    def test_the_last_text_is_cut_where_the_context_ends(self):
        short, long = (packed_tokens(8, n_ctx, seed=0, step=3) for n_ctx in (64, 300))
        assert torch.equal(short, long[:, :64])

    def test_a_row_depends_on_seed_step_and_its_number_alone(self):
        tokens = packed_tokens(8, 64, seed=5, step=7)
        assert torch.equal(tokens, packed_tokens(8, 64, seed=5, step=7))
        assert torch.equal(tokens[:3], packed_tokens(3, 64, seed=5, step=7))
        others = (packed_tokens(8, 64, seed=5, step=8), packed_tokens(8, 64, seed=6, step=7), tokens.roll(1, 0))
        for other in others:
            assert not (tokens == other).all(1).any()

    def test_holds_the_mixture_asked_for(self):
        tokens = packed_tokens(8, 128, seed=0, step=0, behaviours=("facts",), reserved=True)
        reserved = [template.text for template in behaviour("facts").templates if template.reserved]
        patterns = [re.sub(r"\\{\w+\\}", "(.+)", re.escape(text)) for text in reserved]
        assert all(any(re.fullmatch(p, text) for p in patterns) for row in tokens for text in segments(row))

    @pytest.mark.parametrize(("batch", "n_ctx"), [(0, 64), (8, 0)])
    def test_refuses_to_fill_nothing(self, batch, n_ctx):
        with pytest.raises(ValueError, match=f"batch={batch} rows of n_ctx={n_ctx} tokens hold nothing"):
            packed_tokens(batch, n_ctx, seed=0, step=0)


def test_a_text_is_encoded_word_by_word():
    for text in texts(20, seed=9):
        assert encode(text) == encode_words(text.text.split(" "))
