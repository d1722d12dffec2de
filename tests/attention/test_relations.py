"""Relations planted by hand, positions worked by hand, null calibration, and what the organism's heads do."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch

from interp_lab.attention.relation_heads import STEREOTYPE, RelationHeads, relation_heads, stereotype_check
from interp_lab.attention.relations import (
    RELATIONS,
    ByLatent,
    Relation,
    RelationAttention,
    attention_between,
    attention_rows,
    compared_places,
    relation_attention,
    role_places,
    with_relation,
)
from interp_lab.claims import Split
from interp_lab.hooks import edited
from interp_lab.models import load_model
from interp_lab.tasks import Pairs, grammar_pairs
from tests.tiny import tiny_model, tokens

DUPLICATE = next(relation for relation in RELATIONS if relation.name == "duplicate name")


@pytest.fixture(scope="module")
def organism():
    return load_model("organism")


@pytest.fixture(scope="module")
def names(organism) -> Pairs:
    return with_relation(grammar_pairs(organism, "indirect_objects", 96, seed=0), DUPLICATE)


@pytest.fixture(scope="module")
def found(organism) -> RelationHeads:
    asked = [r for r in RELATIONS if r.name in ("country-capital", "pronoun-profession", "duplicate name")]
    return relation_heads(organism, asked, n=96, seed=1)


@pytest.fixture(scope="module")
def stereotypes(organism):
    return stereotype_check(organism, n=96)


@contextmanager
def planted(model, query: torch.Tensor, weights: dict[int, torch.Tensor]):
    """While the block runs, heads of layer 0 attend from the query as they are told to (rows of weights over keys)."""

    def plant(pattern: torch.Tensor) -> torch.Tensor:
        assert len(pattern) == len(query), "one batch"
        for head, rows in weights.items():
            pattern[torch.arange(len(query)), head, query] = rows.to(pattern)
        return pattern

    with edited(model, {"blocks.0.attn.hook_pattern": plant}):
        yield


def on(places: torch.Tensor) -> torch.Tensor:
    """Attention spread evenly over places."""
    return places.double() / places.sum(1, keepdim=True)


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
        assert not relation_heads(model, RELATIONS[:2], n=48).found.any()


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
        first, second = (relation_heads(organism, [STEREOTYPE], n=36, seed=1) for _ in range(2))
        assert np.array_equal(first.p_adjusted, second.p_adjusted)

    def test_refuses_no_relations(self, organism):
        with pytest.raises(ValueError, match="no relations"):
            relation_heads(organism, [])

    def test_refuses_a_split_that_was_not_measured(self):
        half = {Split.SELECT: (random_attention(0),)}
        with pytest.raises(ValueError, match="nothing was measured on report"):
            RelationHeads(half, at_least=0.1, fdr=0.05, level=0.95, seed=0).holds(Split.REPORT)


class TestStereotype:
    def test_the_model_has_the_stereotype(self, stereotypes):
        """Planted: 0.85 against 0.15, a difference of 0.7."""
        assert stereotypes.baseline.estimate == pytest.approx(0.7, abs=0.08)

    @pytest.mark.parametrize("kind", ["zero", "mean by template"])
    def test_the_head_that_looks_is_the_one_that_acts(self, stereotypes, kind):
        table = stereotypes.table().query("ablation == @kind").set_index("head")
        assert table.index[table["looks"]].tolist() == ["0.2"]
        assert table.loc["0.2", "change_high"] < -0.4
        assert table.loc["0.2", "versus_control_high"] < -0.4
        assert table.drop(index="0.2")["change"].abs().max() < 0.1
        assert table.index[table["acts"] != "descriptive"].tolist() == ["0.2"]

    def test_looking_and_acting_are_told_apart(self, stereotypes):
        """Effects below the smallest one of interest take no head's looks away."""
        faint = replace(stereotypes, report=tuple(replace(effect, margin=0.9) for effect in stereotypes.report))
        table = faint.table().set_index("head")
        assert set(table["acts"]) == {"descriptive"}
        assert table.loc["0.2", "looks"].all()

    def test_the_control_of_a_head_is_the_mean_of_the_others_that_do_not_look(self, stereotypes):
        """Means over the same prompts: worked from the table's own column."""
        table = stereotypes.table().query("ablation == 'zero'").set_index("head")
        others = table.drop(index="0.2")["change"]
        assert table.loc["0.2", "change"] - table.loc["0.2", "versus_control"] == pytest.approx(others.mean())
        without = others.drop(index="1.1").mean()
        assert table.loc["1.1", "change"] - table.loc["1.1", "versus_control"] == pytest.approx(without)

    def test_needs_heads_that_do_not_look(self, organism):
        with pytest.raises(ValueError, match="controls need 2"):
            stereotype_check(organism, n=48, at_least=-1.0, fdr=1.01)
