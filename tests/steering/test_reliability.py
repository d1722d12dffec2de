import numpy as np
import pytest
from scipy import stats

from interp_lab.claims import Claim, Evidence, Grade, Split
from interp_lab.steering.claimed import beyond_random
from interp_lab.steering.reliability import (
    monotone,
    moved_wrong,
    rank_correlations,
    rank_p,
    shrinkage,
)
from interp_lab.types import Interval


def test_wrong_way_is_against_the_sign_and_no_change_is_none():
    effects = np.array([0.3, -0.1, 0.0, 1e-9, -1e-9])
    assert moved_wrong(effects, 1).tolist() == [False, True, False, False, False]
    assert moved_wrong(effects, -1).tolist() == [True, False, False, False, False]


def test_wrong_way_may_have_to_be_far():
    effects = np.array([0.3, -0.1, -0.05, 0.0])
    assert moved_wrong(effects, 1, beyond=0.07).tolist() == [False, True, False, False]


class TestDoseResponse:
    VALUES = np.array([[0.0, 0.0, 1.0, 0.5], [1.0, 2.0, 0.5, 0.5], [2.0, 1.0, 0.0, 0.5]])
    """Columns: rising, up and down, falling, flat."""

    def test_monotone_never_falls(self):
        assert monotone(self.VALUES).tolist() == [True, False, False, True]

    def test_rank_correlation_is_spearmans(self):
        expected = [stats.spearmanr(range(3), column).statistic for column in self.VALUES.T[:3]]
        assert rank_correlations(self.VALUES)[:3] == pytest.approx(expected)
        assert rank_correlations(self.VALUES)[3] == 0.0

    def test_rank_correlation_with_ties(self):
        values = np.array([[0.0], [0.0], [1.0], [1.0], [2.0]])
        assert rank_correlations(values)[0] == pytest.approx(stats.spearmanr(range(5), values[:, 0]).statistic)

    def test_one_dose_has_no_order(self):
        with pytest.raises(ValueError, match="1 doses have no order; measure at least two"):
            rank_correlations(self.VALUES[:1])


class TestRank:
    def test_p_is_the_share_of_draws_as_large_counting_itself(self):
        assert rank_p(2.0, np.array([0.1, -2.5, 1.0])) == 2 / 4
        assert rank_p(-3.0, np.array([0.1, -2.5, 1.0])) == 1 / 4

    def test_is_uniform_if_the_direction_is_a_draw_like_the_others(self):
        rng = np.random.default_rng(0)
        p = [
            rank_p(float(own), drawn)
            for own, drawn in zip(rng.normal(size=400), rng.normal(size=(400, 19)), strict=True)
        ]
        assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.05, abs=0.03)


class TestShrinkage:
    def test_is_the_fall_of_the_mean_template_by_template(self):
        lost = shrinkage(
            np.array([1.0, 1.0, 0.5]), np.array([0.5, 0.5, 0.1]),
            select_templates=["a", "a", "b"], report_templates=["a", "a", "b"],
        )  # fmt: skip
        assert lost.estimate == pytest.approx((0.5 + 0.4) / 2)

    def test_the_best_of_many_shrinks_and_one_does_not(self):
        """Fifty settings that do nothing: the one that looks best does so by luck."""
        rng, names = np.random.default_rng(0), [f"t{nth % 8}" for nth in range(64)]
        lost = {True: [], False: []}
        for _ in range(40):
            select, report = rng.normal(size=(2, 50, 64))
            for is_best, nth in ((True, int(select.mean(1).argmax())), (False, 0)):
                own = shrinkage(select[nth], report[nth], select_templates=names, report_templates=names)
                lost[is_best].append(own.estimate)
        assert np.mean(lost[True]) == pytest.approx(np.sqrt(1 / 64) * 2.25, abs=0.06)  # expected largest of 50 normals
        assert np.mean(lost[False]) == pytest.approx(0.0, abs=0.06)

    def test_templates_of_one_split_are_left_out(self):
        lost = shrinkage(
            np.array([1.0, 9.0]), np.array([0.5, 7.0]), select_templates=["a", "b"], report_templates=["a", "c"]
        )
        assert lost.estimate == 0.5
        assert np.isnan([lost.low, lost.high]).all()


class TestBeyondRandom:
    """A causal grade asks more than to differ from the mean of directions that move the target either way."""

    @staticmethod
    def graded(rank):
        moved = Interval(0.4, 0.3, 0.5)
        evidence = Evidence("adding", "share", moved, moved, 0.001, "random directions", Split.REPORT, 40, margin=0.05)
        ((evidence, _),) = beyond_random([(evidence, None)], [rank], [rank])
        return Claim("", "", evidence, None, alpha=0.05).grade

    def test_what_ranks_above_all_of_199_or_of_20_stays_causal(self):
        assert self.graded(rank_p(0.4, np.linspace(-0.39, 0.39, 199))) is Grade.CAUSAL
        assert self.graded(rank_p(0.4, np.linspace(-0.39, 0.39, 20))) is Grade.CAUSAL

    def test_what_one_of_twenty_does_too_is_not(self):
        assert self.graded(rank_p(0.4, np.array([-0.41, *np.zeros(19)]))) is Grade.DESCRIPTIVE
