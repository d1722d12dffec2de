"""Relations planted by hand, null calibration, and where the organism's heads look."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from interp_lab.attention.relations.carriers import (
    RelationAttention,
    RelationHeads,
    relation_attention,
    relation_heads,
)
from interp_lab.attention.relations.places import RELATIONS, compared_places, relations_named, role_places
from interp_lab.attention.relations.prompts import with_relation
from interp_lab.claims import Split
from interp_lab.models import load_model
from interp_lab.tasks import Pairs, grammar_pairs
from tests.attention.relations.planting import on, planted

DUPLICATE, STEREOTYPE, CAPITAL = relations_named(["duplicate name", "pronoun-profession", "country-capital"])


@pytest.fixture(scope="module")
def organism():
    return load_model("organism")


@pytest.fixture(scope="module")
def names(organism) -> Pairs:
    return with_relation(grammar_pairs(organism, "indirect_objects", 96, seed=0), DUPLICATE)


@pytest.fixture(scope="module")
def found(organism) -> RelationHeads:
    return relation_heads(organism, [CAPITAL, STEREOTYPE, DUPLICATE], n=64, n_held_out=32, seed=1)


def typed(measured: RelationAttention, pairs: Pairs, **settings) -> RelationHeads:
    splits = pairs.splits()
    parts = {split: (measured.rows(splits.of(split)),) for split in Split if len(splits.of(split))}
    return RelationHeads(parts, **{"at_least": 0.1, "fdr": 0.05, "level": 0.95, "seed": 0, **settings})


def random_attention(seed: int, *, n_templates: int = 12, n: int = 96) -> RelationAttention:
    """Every place drawn alike, with a share that the head of a template has in all of its prompts."""
    rng = np.random.default_rng(seed)
    which = np.arange(n) % n_templates
    key, rivals, neighbours = (
        rng.beta(0.5, 2, (4, 4, n_templates))[..., which] * rng.random((4, 4, n)) for _ in range(3)
    )
    return RelationAttention("nothing", key, rivals, neighbours, tuple(f"t/{nth}" for nth in which))


class TestPlanted:
    """Heads that attend from the giver: to its own earlier mention, to either name, to the region, a fixed way back."""

    @pytest.fixture(scope="class")
    def measured(self, organism, names) -> RelationAttention:
        query, key = role_places(names, DUPLICATE.query), role_places(names, DUPLICATE.key)
        rivals, neighbours = compared_places(names, DUPLICATE)
        position = torch.arange(names.clean.shape[1])
        itself = position == key[:, None]
        back = position == (query - 4).clamp(min=1)[:, None]
        rows = {0: on(itself), 1: on(itself | rivals), 2: on(itself | neighbours), 3: on(back)}
        with planted(organism, query, rows):
            return relation_attention(organism, names, DUPLICATE, batch_size=len(names))

    def test_numbers_worked_by_hand(self, measured, names):
        """A key right behind the first token has one neighbour, any other two."""
        n_neighbours = np.where(role_places(names, DUPLICATE.key).numpy() == 1, 1, 2)
        assert set(n_neighbours) == {1, 2}
        assert np.allclose(measured.to_key[0, :2], [[1], [1 / 2]])
        assert np.allclose(measured.to_key[0, 2], 1 / (1 + n_neighbours))
        assert np.allclose(measured.to_rivals[0, :2], [[0], [1 / 2]])
        assert np.allclose(measured.to_neighbours[0, 0], 0)
        assert np.allclose(measured.to_neighbours[0, 2], 1 / (1 + n_neighbours))

    def test_only_the_head_that_attends_from_name_to_name_is_found(self, measured, names):
        result = typed(measured, names)
        assert result.found[0, 0].tolist() == [True, False, False, False]
        assert result.holds(Split.REPORT)[0, 0].tolist() == [True, False, False, False]
        assert result.holds(Split.HELD_OUT)[0, 0, 0]
        assert result.heads()[0, 0] == ("duplicate name",)

    def test_beating_one_of_the_two_nulls_is_not_enough(self, measured):
        rivals, neighbours, p = measured.above()
        assert neighbours.low[0, 1] > 0.4
        assert rivals.estimate[0, 1] == pytest.approx(0, abs=1e-6)
        assert rivals.low[0, 2] > 0.2
        assert (p[0, 1:3] > 0.2).all()

    def test_a_uniform_head_pays_the_same_everywhere(self, organism, names):
        query = role_places(names, DUPLICATE.query)
        seen = torch.arange(names.clean.shape[1]) <= query[:, None]
        with planted(organism, query, {2: on(seen)}):
            measured = relation_attention(organism, names, DUPLICATE, batch_size=len(names))
        expected = 1 / (query.numpy() + 1)
        for paid in (measured.to_key, measured.to_rivals, measured.to_neighbours):
            assert np.allclose(paid[0, 2], expected, atol=1e-6)
        assert not typed(measured, names, at_least=0.0).found[0, 0, 2]

    def test_permuted_labels_find_nothing(self, measured, names):
        """Key and rival exchanged in a random half of the prompts."""
        rng = np.random.default_rng(0)
        swapped = rng.random(len(names)) < 0.5
        key = np.where(swapped, measured.to_rivals, measured.to_key)
        rivals = np.where(swapped, measured.to_key, measured.to_rivals)
        assert not typed(replace(measured, to_key=key, to_rivals=rivals), names, at_least=0.0).found.any()

    def test_the_table_has_every_head_once_with_ordered_intervals(self, measured, names):
        table = typed(measured, names).table()
        assert table["head"].tolist() == [f"{layer}.{head}" for layer in range(4) for head in range(4)]
        for name in ("attention", "versus_rivals", "versus_neighbours"):
            assert (table[f"{name}_low"] <= table[name]).all()
            assert (table[name] <= table[f"{name}_high"]).all()


class TestNull:
    def test_random_attention_carries_nothing(self):
        """Of 30 families of 16 heads each, at most 2 have a finding (an FDR of 5%, and two nulls to be beaten)."""
        families = ({Split.SELECT: (random_attention(seed),)} for seed in range(30))
        found = [RelationHeads(family, at_least=0.0, fdr=0.05, level=0.95, seed=0).found.any() for family in families]
        assert sum(found) <= 2

    def test_one_null_alone_would_be_calibrated_too(self):
        """What is tested is not trivially unable to reject: against one null, p is below 0.2 in about a fifth."""
        p = np.concatenate([replace(m, to_neighbours=m.to_rivals).above()[2] for m in map(random_attention, range(20))])
        assert 0.14 < (p < 0.2).mean() < 0.26

    def test_an_untrained_organism_carries_nothing(self):
        model = load_model("organism")
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for weight in model.parameters():
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.05)
        assert not relation_heads(model, RELATIONS[:2], n=32, n_held_out=None).found.any()


class TestOrganism:
    def test_the_capital_is_predicted_by_a_head_that_looks_at_the_country(self, found):
        """On all three parts: the other half of the prompts, and templates that choosing never saw."""
        at = (found.relations.index("country-capital"), 0, 1)
        assert found.found[at]
        assert found.holds(Split.REPORT)[at]
        assert found.holds(Split.HELD_OUT)[at]
        row = found.table().query("relation == 'country-capital' and head == '0.1'").iloc[0]
        assert row["versus_rivals_low"] > 0.6
        assert row["versus_neighbours_low"] > 0.6

    def test_one_head_looks_at_the_profession(self, found):
        """In one of the four reserved templates the profession is itself the query, and three are too few to tell."""
        nth = found.relations.index("pronoun-profession")
        assert np.argwhere(found.found[nth] & found.holds(Split.REPORT)[nth]).tolist() == [[0, 2]]
        assert len(set(found.parts[Split.HELD_OUT][nth].templates)) == 3
        row = found.table().query("relation == 'pronoun-profession' and head == '0.2'").iloc[0]
        assert row["holds on report"]
        assert row["holds on held-out templates"] is None

    def test_the_model_does_without_a_head_for_the_duplicate_name(self, found):
        """It gives the object to the right one all the same (see its card): behaviour without the textbook head."""
        assert not found.found[found.relations.index("duplicate name")].any()

    def test_same_seed_same_result(self, organism):
        first, second = (relation_heads(organism, [STEREOTYPE], n=32, n_held_out=None, seed=1) for _ in range(2))
        assert np.array_equal(first.p_adjusted, second.p_adjusted)

    def test_refuses_no_relations(self, organism):
        with pytest.raises(ValueError, match="no relations"):
            relation_heads(organism, [])

    def test_refuses_a_split_that_was_not_measured(self):
        half = {Split.SELECT: (random_attention(0),)}
        with pytest.raises(ValueError, match="nothing was measured on report"):
            RelationHeads(half, at_least=0.1, fdr=0.05, level=0.95, seed=0).holds(Split.REPORT)
