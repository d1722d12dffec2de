"""What is claimed, and what is not: the evidence is that beside the control that an effect is least clear of."""

from dataclasses import replace

import numpy as np
import pytest

from interp_lab.claims import Evidence, Grade, Split
from interp_lab.sae.causal.claimed import TOGETHER, exceeded_p, weakest
from interp_lab.types import Interval
from tests.sae.causal.drawn import result


def evidence(difference, p=0.001):
    clear = Interval(difference, difference - 0.1, difference + 0.1)
    return Evidence("x", "logits", clear, clear, p, "control", Split.REPORT, 40)


class TestWeakest:
    def test_is_what_is_not_clear(self):
        found = weakest([evidence(0.5), evidence(2.0, p=0.3), evidence(1.0)], alpha=0.05)
        assert found.versus_control.estimate == 2.0

    def test_is_else_the_smallest_difference_of_either_sign(self):
        found = weakest([evidence(-0.5), evidence(-2.0), evidence(-0.7)], alpha=0.05)
        assert found.versus_control.estimate == -0.5


class TestExceeded:
    def test_counts_the_effect_among_the_draws(self):
        draws = np.array([[1.0, 1.0], [-3.0, -3.0], [0.5, 0.5]])
        assert exceeded_p(np.array([2.0, 2.0]), draws) == 2 / 4
        assert exceeded_p(np.array([4.0, 4.0]), draws) == 1 / 4


class TestClaims:
    def test_of_a_feature_that_matters_by_construction(self):
        found = result(own=2.0, held_out=2.0)
        assert [found.grade(name) for name in (*found.names, TOGETHER)] == [
            Grade.REPLICATED, Grade.DESCRIPTIVE, Grade.REPLICATED,
        ]  # fmt: skip
        assert found.claims()[0].statement.startswith("The answer of grammar/sentiment in organism needs feature 30")

    def test_of_one_that_holds_the_answer_back(self):
        found = result(own=-2.0, held_out=-2.0)
        assert found.grade("30") is Grade.REPLICATED
        assert "is held back by feature 30" in found.claims()[0].statement

    def test_on_other_templates_the_effect_may_be_gone(self):
        assert result(own=2.0, held_out=0.0).grade("30") is Grade.CAUSAL

    @pytest.mark.parametrize("control", ["random", "borrowed", "others"])
    def test_an_effect_must_stand_beside_every_control(self, control):
        """Whichever control does as much by chance, the feature is no more than one of its kind."""
        found = result(own=2.0, held_out=2.0, **{control: 4.0})
        assert found.grade("30") is Grade.DESCRIPTIVE

    def test_beside_random_directions_the_rank_counts(self):
        """Clear of their mean, but one of 24 does more: 2 of 25."""
        found = result(own=2.0)
        random = found.report.random.copy()
        random[0, 5] = 3.0
        found = replace(found, report=replace(found.report, random=random))
        effect, _ = found.evidence["30"]
        assert effect.p_adjusted == pytest.approx(2 / 25)
        assert found.grade("30") is Grade.DESCRIPTIVE

    def test_nothing_is_claimed_where_the_corruption_costs_nothing(self):
        found = result()
        found = replace(found, report=replace(found.report, corrupted=found.report.clean + 1))
        assert found.claims() == []
        assert "comes out better" in found.summary() or "come out better" in found.summary()

    def test_without_held_out_templates_nothing_is_replicated(self):
        found = result(held_out=None)
        assert found.grade("30") is Grade.CAUSAL
        assert "not testable on held-out templates: there are none" in found.summary()
