"""Positions worked by hand: where a relation begins and ends, and what it is compared with."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from interp_lab.attention.relations.carriers import relation_attention
from interp_lab.attention.relations.places import (
    RELATIONS,
    ByLatent,
    Relation,
    attention_between,
    attention_rows,
    compared_places,
    relations_named,
    role_places,
)
from interp_lab.attention.relations.prompts import with_relation
from interp_lab.models import load_model
from interp_lab.tasks import Pairs, grammar_pairs
from tests.attention.relations.planting import planted
from tests.tiny import tiny_model, tokens

DUPLICATE, STEREOTYPE = relations_named(["duplicate name", "pronoun-profession"])


@pytest.fixture(scope="module")
def organism():
    return load_model("organism")


@pytest.fixture(scope="module")
def names(organism) -> Pairs:
    return with_relation(grammar_pairs(organism, "indirect_objects", 96, seed=0), DUPLICATE)


class TestPlaces:
    def test_worked_by_hand(self, organism):
        """`BOS today the cup near the rings`: the verb is predicted from the rings, which are thus no rival."""
        pairs = grammar_pairs(organism, "agreement", 24, seed=0)
        one = pairs.rows([pairs.templates.index("agreement/00")])
        assert one.clean_texts[0].split()[1::2] == ["the", "near", one.clean_texts[0].split()[-1]]
        rivals, neighbours = compared_places(one, RELATIONS[0])
        assert rivals[0].nonzero()[:, 0].tolist() == [1], "the word for the tense"
        assert neighbours[0].nonzero()[:, 0].tolist() == [2, 4]

    def test_the_duplicate_is_the_same_name_and_the_rival_another(self, names):
        query, key = role_places(names, DUPLICATE.query), role_places(names, DUPLICATE.key)
        rivals, _ = compared_places(names, DUPLICATE)
        every = torch.arange(len(names))
        assert torch.equal(names.clean[every, query], names.clean[every, key])
        assert rivals.sum(1).tolist() == [1] * len(names)
        rival = names.clean[rivals]
        assert bool((rival != names.clean[every, key]).all())
        assert [(int(token),) for token in rival] == [answers[0] for answers in names.answers]

    @pytest.mark.parametrize("relation", RELATIONS, ids=lambda relation: relation.name)
    def test_no_place_to_compare_with_is_the_key_the_query_the_first_token_or_padding(self, organism, relation):
        pairs = with_relation(grammar_pairs(organism, relation.task.split("/")[1], 36, seed=3), relation)
        query, key = role_places(pairs, relation.query), role_places(pairs, relation.key)
        position = torch.arange(pairs.clean.shape[1])
        for places in compared_places(pairs, relation):
            assert bool(places.any(1).all())
            assert not bool((places & ~pairs.mask).any())
            assert not bool((places & (position >= query[:, None])).any())
            assert not bool((places & ((position == key[:, None]) | (position == 0))).any())

    def test_a_prompt_stands_in_one_half_only(self, organism):
        pairs = grammar_pairs(organism, "facts", 120, seed=0)
        kept = with_relation(pairs, Relation("r", "grammar/facts", key="country"))
        assert len(set(pairs.clean_texts)) == len(kept) < len(pairs)
        assert len(set(kept.clean_texts)) == len(kept)

    @pytest.mark.parametrize(
        ("relation", "message"),
        [
            (Relation("r", "t", key="giverr"), "no role 'giverr'; did you mean 'giver'"),
            (Relation("r", "t", key=ByLatent("order", {"ABBA": "first"})), "order is BABA.*only as"),
            (Relation("r", "t", key="end", query="giver"), "no prompt .* has both places"),
        ],
    )
    def test_refuses_places_that_prompts_have_not(self, names, relation, message):
        with pytest.raises(ValueError, match=message):
            with_relation(names, relation)

    def test_refuses_a_prompt_with_nothing_to_compare_with(self, names):
        short = replace(names.rows([0]), roles={"end": torch.tensor([2]), "changed": torch.tensor([1])})
        with pytest.raises(ValueError, match="no token that the key could be compared with"):
            compared_places(short, Relation("r", "t", key="changed"))


class TestAttentionBetween:
    def test_is_the_entry_of_the_pattern(self):
        model, text = tiny_model(), tokens(7, 9)
        query, key = torch.tensor([8, 7, 6, 5, 4, 3, 2]), torch.tensor([0, 7, 1, 2, 3, 3, 0])
        paid = attention_between(
            model, text, mask=text >= 0, query_role_positions=query, key_role_positions=key, batch_size=3
        )
        _, cache = model.run_with_cache(text)
        every = torch.arange(7)
        for layer in range(3):
            pattern = cache["pattern", layer]
            assert np.allclose(paid[layer], pattern[every, :, query, key].detach().T.numpy(), atol=1e-6)

    def test_padding_side_changes_nothing(self, organism):
        sides = [grammar_pairs(organism, "pronouns", 24, seed=0, padding=side) for side in ("left", "right")]
        left, right = (relation_attention(organism, with_relation(pairs, STEREOTYPE), STEREOTYPE) for pairs in sides)
        for name in ("to_key", "to_rivals", "to_neighbours"):
            assert np.allclose(getattr(left, name), getattr(right, name), atol=1e-5)

    @pytest.mark.parametrize(
        ("query", "key", "message"),
        [([4, 4], [1, 5], "prompt 1 has no key.*exchange"), ([4, 9], [1, 1], "prompt 1 has no query"),
         ([4, 4], [-1, 1], "prompt 0 has no key"), ([8, 4], [1, 1], "prompt 0 has no query")],
        ids=["key behind query", "outside", "no such place", "padding"],
    )  # fmt: skip
    def test_refuses_places_that_cannot_be_attended(self, query, key, message):
        mask = torch.ones(2, 9, dtype=torch.bool)
        mask[0, 8] = False
        with pytest.raises(ValueError, match=message):
            attention_between(
                tiny_model(), tokens(2, 9), mask=mask,
                query_role_positions=torch.tensor(query), key_role_positions=torch.tensor(key),
            )  # fmt: skip

    def test_refuses_attention_that_is_no_distribution(self):
        model, text, query = tiny_model(), tokens(4, 9), torch.full((4,), 8)
        with planted(model, query, {1: torch.zeros(4, 9)}), pytest.raises(ValueError, match="does not add up to 1"):
            attention_rows(model, text, mask=text >= 0, query=query)


class TestNames:
    def test_relations_come_in_the_order_of_their_names(self):
        assert [one.name for one in relations_named(["country-capital", "subject-verb"])] == [
            "country-capital",
            "subject-verb",
        ]

    @pytest.mark.parametrize(
        ("names", "message"),
        [(["country-capitol"], "no relation 'country-capitol'; did you mean 'country-capital'"),
         (["subject-verb", "subject-verb"], "'subject-verb' is named twice")],
    )  # fmt: skip
    def test_refuses_names(self, names, message):
        with pytest.raises(ValueError, match=message):
            relations_named(names)
