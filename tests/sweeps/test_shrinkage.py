"""What is left of a winner: intervals by hand, and what selection alone takes away from the best of pure noise."""

import math

import numpy as np
import pytest

from interp_lab.sweeps.held_out import remeasured
from interp_lab.sweeps.shrinkage import beyond_one_run, expected_maximum, mean_of
from tests.sweeps.made import again

LEVEL = 0.95


class TestExpectedMaximum:
    @pytest.mark.parametrize(
        ("n", "expected"),
        [(1, 0.0), (2, 1 / math.sqrt(math.pi)), (3, 1.5 / math.sqrt(math.pi)), (16, 1.76599), (100, 2.50759)],
        ids=str,
    )
    def test_of_independent_normals(self, n, expected):
        assert expected_maximum(n) == pytest.approx(expected, abs=1e-5)

    def test_of_none(self):
        with pytest.raises(ValueError, match="the largest of no numbers is none"):
            expected_maximum(0)


class TestIntervals:
    def test_one_run_beside_three_by_hand(self):
        """Mean 2, standard deviation 1, two degrees of freedom: 4.3027 * sqrt(4 / 3) = 4.9683."""
        found = beyond_one_run(5.0, np.array([1.0, 2.0, 3.0]), level=LEVEL)
        assert (found.estimate, found.n_clusters) == (3.0, 3)
        assert (found.low, found.high) == pytest.approx((3 - 4.96828, 3 + 4.96828), abs=1e-4)

    def test_the_mean_of_three_by_hand(self):
        """4.3027 / sqrt(3) = 2.4842."""
        found = mean_of(np.array([1.0, 2.0, 3.0]), level=LEVEL)
        assert (found.low, found.high) == pytest.approx((2 - 2.48414, 2 + 2.48414), abs=1e-4)

    def test_one_seed_has_no_interval(self):
        for found in (beyond_one_run(5.0, np.array([1.0]), level=LEVEL), mean_of(np.array([4.0]), level=LEVEL)):
            assert found.estimate == 4.0
            assert math.isnan(found.low)
            assert math.isnan(found.high)

    @pytest.mark.parametrize("alike", [[0.5, 0.5, 0.5], [0.3, 0.1 + 0.2, 0.3]], ids=["the same", "to rounding"])
    def test_seeds_that_all_agree_have_none(self, alike):
        """Three runs of which each is the same run would otherwise prove anything: an interval of no width."""
        for found in (beyond_one_run(0.7, np.array(alike), level=LEVEL), mean_of(np.array(alike), level=LEVEL)):
            assert math.isfinite(found.estimate)
            assert math.isnan(found.low)
            assert math.isnan(found.high)

    def test_small_differences_have_one(self):
        assert math.isfinite(mean_of(np.array([1e-9, 2e-9, 4e-9]), level=LEVEL).low)

    def test_a_run_that_was_chosen_by_nothing_is_inside_as_often_as_said(self):
        rng = np.random.default_rng(0)
        drawn = rng.standard_normal((2000, 4))
        inside = [not beyond_one_run(row[0], row[1:], level=0.9).excludes(0.0) for row in drawn]
        assert np.mean(inside) == pytest.approx(0.9, abs=0.03)  # standard error 0.007


def noise_sweeps(n_sweeps, n_trials=16, n_seeds=3, *, harder=0.0, seed=0):
    """Sweeps in which every setting is as good as any other and the base: only chance tells them apart."""
    rng = np.random.default_rng(seed)
    for _ in range(n_sweeps):
        best = rng.standard_normal(n_trials).max()
        winner, base = rng.standard_normal((2, n_seeds)) - harder
        found = remeasured(again(winner, base, rng.standard_normal()), float(best), sign=1.0, level=LEVEL)
        assert found is not None
        yield found


@pytest.fixture(scope="module")
def noise():
    return list(noise_sweeps(800))


class TestPureNoise:
    def test_the_winner_shrinks_by_the_expected_maximum(self, noise):
        """The best of 16 normals is 1.766 on average; one held-out mean of three has a standard deviation of 0.58."""
        shrunk = [one.shrinkage.estimate for one in noise]
        error = np.std(shrunk) / math.sqrt(800)
        assert error < 0.035
        assert np.mean(shrunk) == pytest.approx(1.766, abs=4 * error)

    def test_on_held_out_examples_it_is_no_better_than_the_base(self, noise):
        found = [one.difference for one in noise]
        covers = [not one.excludes(0.0) for one in found]
        assert np.mean(covers) == pytest.approx(0.95, abs=0.03)  # standard error 0.008
        assert np.mean([one.estimate for one in found]) == pytest.approx(0.0, abs=4 * 0.82 / math.sqrt(800))

    def test_the_base_does_not_shrink(self, noise):
        shrunk = [one.shrinkage_of_base.estimate for one in noise]
        assert np.mean(shrunk) == pytest.approx(0.0, abs=4 * 1.16 / math.sqrt(800))

    def test_a_harder_fold_shrinks_both_and_is_not_read_as_selection(self):
        """All held-out examples are harder by 5: only what both share is added."""
        for easy, hard in zip(noise_sweeps(20), noise_sweeps(20, harder=5.0), strict=True):
            assert hard.shrinkage.estimate == pytest.approx(easy.shrinkage.estimate + 5)
            assert hard.shrinkage_of_base.estimate == pytest.approx(easy.shrinkage_of_base.estimate + 5)
            assert hard.excess.estimate == pytest.approx(easy.excess.estimate)
            assert hard.difference.estimate == pytest.approx(easy.difference.estimate)

    def test_the_spread_between_seeds_is_that_of_a_run(self, noise):
        assert np.sqrt(np.mean([one.spread**2 for one in noise])) == pytest.approx(1.0, abs=0.05)
