"""Attention in two sets of prompts: numbers by hand, planted differences, null calibration, the organism's loans."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from interp_lab.attention.relations.config import ContrastConfig
from interp_lab.attention.relations.contrast import contrasted
from interp_lab.attention.relations.experiment import contrast_prompts
from interp_lab.attention.relations.role_attention import (
    RoleAttention,
    attention_to_places,
    role_attention,
    rows_by_latent,
)
from interp_lab.models import load_model
from interp_lab.tasks import grammar_pairs
from interp_lab.tasks.batch import tokenize
from interp_lab.tasks.grammar_texts import ContrastRule, grammar_contrast
from tests.tiny import tiny_model, tokens

ROLES = ("income", "name")


@pytest.fixture(scope="module")
def organism():
    return load_model("organism")


@pytest.fixture(scope="module")
def loans(organism):
    """Applications, most of them decided by their finances alone."""
    return contrast_prompts(organism, ContrastConfig(task="grammar/loans/income"), seed=0)


@pytest.fixture(scope="module")
def applications(organism, loans):
    return role_attention(organism, loans)


def attention(seed: int, *, planted: float = 0.0, n: int = 64, n_templates: int = 8, first: int = 0) -> RoleAttention:
    """Two roles, two layers, two heads; templates have levels of their own; head 1.0 pays `planted` more to income."""
    rng = np.random.default_rng(seed)
    which = np.arange(n) % n_templates
    level = np.random.default_rng(99 + first).random((2, 2, 2, n_templates))
    values = 0.4 * level[..., which] + 0.2 * rng.random((2, 2, 2, n))
    values[0, 1, 0] += planted
    return RoleAttention(ROLES, values, tuple(f"loans/{first + nth:02d}" for nth in which))


def at(values: list[float], templates: str, roles: tuple[str, ...] = ("income",)) -> RoleAttention:
    """One role, one head."""
    return RoleAttention(roles, np.array(values)[None, None, None], tuple(templates))


class TestByHand:
    first = at([0.2, 0.4, 0.6, 0.8], "aabb")
    second = at([0.1, 0.1, 0.3, 0.3, 0.3, 0.3], "aabbbb")

    def test_templates_count_alike(self):
        """By template 0.3 - 0.1 and 0.7 - 0.3: 0.3 on average, though `b` has more prompts."""
        found = contrasted(self.first, self.second)
        assert found.how == "templates"
        (one,) = found.contrasts
        assert one.difference.estimate.item() == pytest.approx(0.3)
        assert (one.first.item(), one.second.item()) == (pytest.approx(0.5), pytest.approx(0.2))
        assert one.n == (4, 6)

    def test_effect_size(self):
        """Squares around the means of the sets (1/2 and 7/30): 0.2 and 4/75, over 8; correction 1 - 3/31."""
        g = contrasted(self.first, self.second).contrasts[0].hedges_g
        assert g.estimate.item() == pytest.approx(0.3 / np.sqrt((0.2 + 4 / 75) / 8) * (1 - 3 / 31))

    def test_pairs_are_compared_one_by_one(self):
        second = at([0.1, 0.3, 0.5, 0.7], "aabb")
        (one,) = contrasted(self.first, second, paired=True).contrasts
        assert one.difference.estimate.item() == pytest.approx(0.1)
        assert one.difference.n_clusters == 2
        assert one.difference.high.item() - one.difference.low.item() == pytest.approx(0, abs=1e-9)

    def test_sets_of_different_templates(self):
        """Two templates on each side, means 0.3, 0.7 and 0.1, 0.3: four of the six choices differ as much or more."""
        second = at([0.1, 0.1, 0.3, 0.3], "ccdd")
        found = contrasted(self.first, second)
        assert found.how == "sets"
        (one,) = found.contrasts
        assert one.difference.estimate.item() == pytest.approx(0.3)
        assert one.p.item() == pytest.approx(4 / 6)  # 0.3 is there twice: two choices, and their mirror images
        assert one.difference.low.item() < 0.3 < one.difference.high.item()

    def test_prompts_without_the_role_do_not_count(self):
        first = at([0.2, 0.4, 0.6, 0.8, np.nan], "aabbz")
        assert contrasted(first, self.second).contrasts[0].n == (4, 6)

    def test_sets_that_agree_to_the_last_prompt(self):
        g = contrasted(at([0.5] * 4, "aabb"), at([0.2] * 4, "aabb")).contrasts[0].hedges_g
        assert g.estimate.item() == np.inf
        assert contrasted(at([0.5] * 4, "aabb"), at([0.5] * 4, "aabb")).contrasts[0].hedges_g.estimate.item() == 0


class TestPlanted:
    def test_only_the_planted_head_and_role_differ(self):
        found = contrasted(attention(1, planted=0.2), attention(2))
        assert np.argwhere(found.differs).tolist() == [[0, 1, 0]]
        g = found.contrasts[0].hedges_g
        assert g.low[1, 0] > 0.8

    @pytest.mark.parametrize("how", ["templates", "pairs", "sets"])
    def test_exchanged_sets_flip_the_sign_and_nothing_else(self, how):
        first, second = attention(1, planted=0.2), attention(2, first=20 if how == "sets" else 0)
        one = contrasted(first, second, paired=how == "pairs")
        other = contrasted(second, first, paired=how == "pairs")
        assert one.how == other.how == how
        assert np.allclose(one.p_adjusted, other.p_adjusted, atol=0.03)
        for a, b in zip(one.contrasts, other.contrasts, strict=True):
            assert np.allclose(a.difference.estimate, -b.difference.estimate)
            assert np.allclose(a.hedges_g.estimate, -b.hedges_g.estimate)
            assert np.allclose(a.difference.low, -b.difference.high, atol=0.01)

    def test_levels_of_templates_do_not_pass_for_a_difference(self):
        """Templates differ by up to 0.4; one set has three times as many prompts of the first ones."""
        many = attention(3, n=128)
        often = [i for i in range(128) if i < 64 or i % 8 < 4]
        assert not contrasted(many.rows(often), attention(4)).differs.any()

    def test_sets_of_different_templates_find_a_large_difference(self):
        first, second = attention(1, planted=0.6, n_templates=12, n=96), attention(2, n_templates=12, n=96, first=20)
        assert contrasted(first, second).differs[0, 1, 0]

    def test_permuted_labels_find_nothing(self):
        both = [attention(1, planted=0.2), attention(2)]
        values = np.concatenate([one.attention for one in both], -1)
        pooled = RoleAttention(ROLES, values, both[0].templates + both[1].templates)
        orders = (np.random.default_rng(seed).permutation(128) for seed in range(20))
        found = [contrasted(pooled.rows(order[:64]), pooled.rows(order[64:])).differs.any() for order in orders]
        assert sum(found) <= 3, "1 expected at an FDR of 5%"


class TestNull:
    @pytest.mark.parametrize("first", [0, 20], ids=["same templates", "other templates"])
    def test_sets_drawn_alike_differ_nowhere(self, first):
        """Of 20 families, at most 3 have a finding (1 expected at an FDR of 5%)."""
        families = (contrasted(attention(seed), attention(1000 + seed, first=first)) for seed in range(20))
        assert sum(found.differs.any() for found in families) <= 3

    def test_intervals_hold_the_truth(self):
        held = []
        for seed in range(40):
            found = contrasted(attention(seed, planted=0.1), attention(1000 + seed))
            for nth, one in enumerate(found.contrasts):
                truth = np.zeros((2, 2))
                truth[1, 0] = 0.1 if nth == 0 else 0
                held.append((one.difference.low <= truth) & (truth <= one.difference.high))
        assert 0.9 < np.mean(held) < 0.98


class TestReading:
    def test_is_the_entry_of_the_pattern_and_missing_places_are_missing(self):
        model, text = tiny_model(), tokens(4, 9)
        places = {"a": torch.tensor([1, 2, -1, 4]), "b": torch.tensor([0, 0, 0, 8])}
        query = torch.tensor([8, 7, 6, 5])
        read = attention_to_places(
            model, text, mask=text >= 0, query=query, places=places, templates=["t"] * 4, batch_size=3
        )
        _, cache = model.run_with_cache(text)
        for row, key in ((0, 1), (1, 2), (3, 4)):
            expected = cache["pattern", 1][row, :, query[row], key].detach().numpy()
            assert np.allclose(read.attention[0, 1, :, row], expected, atol=1e-6)
        missing = np.isnan(read.attention).all((1, 2))
        assert missing.tolist() == [[False, False, True, False], [False, False, False, True]]

    def test_roles_of_few_templates_are_left_out(self, applications, loans):
        assert {"start", "income", "neighbourhood", "seal"} <= set(applications.roles)
        assert not {"end", "changed"} & set(applications.roles)
        assert applications.attention.shape == (len(applications.roles), 4, 4, len(loans))

    def test_attention_to_places_adds_up_to_at_most_one(self, applications):
        assert np.nansum(applications.attention, 0).max() <= 1 + 1e-6

    def test_reads_the_sides_of_a_contrast_of_texts(self, organism):
        """BOS and the last token are where they are in every text, whatever its tokenizer."""
        sides = grammar_contrast(ContrastRule("loans", "decision", ("approved",), ("rejected",)), 16, seed=0)
        read = []
        for texts, templates in (
            (sides.positive, sides.positive_templates),
            (sides.negative, sides.negative_templates),
        ):
            batch = tokenize(organism, texts)
            places = {"start": torch.zeros_like(batch.last), "last": batch.last}
            read.append(
                attention_to_places(
                    organism, batch.tokens, mask=batch.mask, query=batch.last, places=places, templates=templates
                )
            )
        assert contrasted(*read, names=("approved", "rejected")).how == "templates"


class TestOrganism:
    @pytest.fixture(scope="class")
    def found(self, applications, loans):
        sets = (rows_by_latent(loans, "expected", decision) for decision in ("approved", "rejected"))
        return contrasted(*(applications.rows(rows) for rows in sets), names=("approved", "rejected"))

    def test_rejected_applications_draw_a_head_to_their_finances(self, found):
        table = found.table().set_index(["role", "head"])
        for role in ("income", "savings"):
            row = table.loc[(role, "2.3")]
            assert row["differs"]
            assert row["hedges_g_high"] < -0.5
            assert row["approved"] - row["rejected"] == pytest.approx(row["difference"])

    def test_permuted_decisions_find_nothing(self, applications):
        order = np.random.default_rng(0).permutation(len(applications.templates))
        half = len(order) // 2
        assert not contrasted(applications.rows(order[:half]), applications.rows(order[half:])).differs.any()

    def test_what_comes_before_the_change_attends_alike_in_both_prompts_of_a_pair(self, organism):
        """Only words behind `income` differ: a causal model cannot know there."""
        pairs = grammar_pairs(organism, "loans", 48, seed=0, latent="day", changes_answer=False, reserved=False)
        later = pairs.rows((pairs.roles["changed"] > pairs.roles["income"]).nonzero()[:, 0])
        before, after = (
            contrasted(
                *(role_attention(organism, later, query=query, roles=["start"], corrupted=c) for c in (False, True)),
                paired=True,
            )
            for query in ("income", "end")
        )
        assert before.how == "pairs"
        assert np.allclose(before.contrasts[0].difference.estimate, 0, atol=1e-6)
        assert np.abs(after.contrasts[0].difference.estimate).max() > 1e-4


class TestRefuses:
    @pytest.mark.parametrize(
        ("first", "second", "paired", "message"),
        [
            (at([0.1] * 4, "aabb"), at([0.1] * 4, "aabb", ("name",)), False, "read the same roles"),
            (at([0.1] * 4, "aabb"), at([0.1] * 4, "aabc"), True, "same order"),
            (at([0.1] * 4, "aabb"), at([0.1] * 4, "aacc"), False, "template 'b' .2 of 3.*same templates"),
            (at([0.1, np.nan], "ab"), at([0.1, 0.2], "ab"), False, "1 prompts have 'income'"),
            (at([0.1, 0.2], "aa"), at([0.1, 0.2], "aa"), False, "1 cluster"),
        ],
    )
    def test_sets_that_cannot_be_compared(self, first, second, paired, message):
        with pytest.raises(ValueError, match=message):
            contrasted(first, second, paired=paired)

    def test_values_and_latents_that_prompts_have_not(self, loans):
        with pytest.raises(ValueError, match=r"expected is 'maybe' in no prompt.*'approved', 'rejected'"):
            rows_by_latent(loans, "expected", "maybe")
        with pytest.raises(ValueError, match="did you mean 'decision'"):
            rows_by_latent(loans, "decisions", "approved")

    def test_an_unknown_role(self, organism, loans):
        with pytest.raises(ValueError, match="no role 'incom'; did you mean 'income'"):
            role_attention(organism, replace(loans.rows([0, 1])), roles=["incom"])
