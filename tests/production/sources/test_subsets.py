"""Subsets of sources, and what a linear model makes of them: by hand, and beside scikit-learn used directly."""

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import Lasso

from interp_lab.production.sources.subsets import (
    drawn_subsets,
    shared_out,
    subset_weights,
    weight_intervals,
    without_each,
)


class TestDrawn:
    def test_every_subset_comes_once_where_all_are_asked_for(self):
        found = drawn_subsets(3, 100, keep=0.5, rng=np.random.default_rng(0))
        assert len(found) == len(set(found)) == 8

    @pytest.mark.parametrize("n_sources", [8, 20])
    def test_each_source_is_kept_as_often_as_asked(self, n_sources):
        rng = np.random.default_rng(0)
        drawn = [one for _ in range(40) for one in drawn_subsets(n_sources, 10, keep=0.7, rng=rng)]
        assert np.mean(drawn) == pytest.approx(0.7, abs=0.05)

    def test_subsets_that_hardly_ever_come_are_not_waited_for(self):
        with pytest.raises(ValueError, match=r"400 draws at keep=0.999 gave [1-7] different subsets of 13 sources"):
            drawn_subsets(13, 8, keep=0.999, rng=np.random.default_rng(0))

    def test_the_same_seed_draws_the_same(self):
        one, other = (drawn_subsets(15, 9, keep=0.5, rng=np.random.default_rng(4)) for _ in range(2))
        assert one == other

    def test_held_out_ones_are_apart_and_no_score_is_made_of_them(self):
        """Leaving one out is told by the whole prompt and by those without one source: these five are fitted on."""
        drawn = drawn_subsets(4, 16, keep=0.5, rng=np.random.default_rng(0))
        for held in (0.25, 0.9):
            fit, away = shared_out(drawn, held=held)
            assert len({*fit, *away}) == len(fit) + len(away) == 16
            assert {(True,) * 4, *without_each(4)} <= set(fit)
        assert (len(fit), len(away)) == (5, 11)
        fit, away = shared_out(drawn, held=0.25)
        assert (len(fit), len(away)) == (12, 4)

    @pytest.mark.parametrize(("n_sources", "held", "n_held"), [(1, 0.9, 0), (2, 0.9, 0), (3, 0.3, 0), (3, 0.4, 3)])
    def test_none_are_held_out_where_they_would_tell_nothing(self, n_sources, held, n_held):
        """Of two sources, one subset leaves out more than one; of three, four do."""
        drawn = drawn_subsets(n_sources, 100, keep=0.5, rng=np.random.default_rng(0))
        fit, away = shared_out(drawn, held=held)
        assert (len(fit), len(away)) == (len(drawn) - n_held, n_held)

    def test_something_is_left_to_fit_on(self):
        drawn = [tuple(at == nth for at in range(6)) for nth in range(5)]
        fit, away = shared_out(drawn, held=0.99)
        assert (fit, away) == (drawn[:2], drawn[2:])

    @pytest.mark.parametrize(("n_sources", "n", "keep"), [(0, 4, 0.5), (3, 0, 0.5), (3, 4, 0.0), (3, 4, 1.0)])
    def test_what_cannot_be_drawn(self, n_sources, n, keep):
        with pytest.raises(ValueError, match=r"ask for at least one|must lie between 0 and 1"):
            drawn_subsets(n_sources, n, keep=keep, rng=np.random.default_rng(0))


class TestWeights:
    def test_all_that_leave_one_out_give_what_leaving_one_out_gives(self):
        """With all of three sources -1 + 2 - 3 + 0.5 = -1.5; without each in turn -3.5, 1.5 and -2."""
        kept = np.array([(True, True, True), *without_each(3)])
        found, rest = subset_weights(kept, np.array([-1.5, -3.5, 1.5, -2.0]), alpha=0.0)
        assert found == pytest.approx(np.array([2.0, -3.0, 0.5]))
        assert rest == pytest.approx(-1.0)

    def test_the_penalty_is_that_of_a_lasso_on_standardised_columns(self):
        rng = np.random.default_rng(0)
        kept = rng.random((24, 5)) < 0.5
        values = kept @ rng.normal(size=5) + rng.normal(size=24)
        found, _ = subset_weights(kept, values, alpha=0.1, n_tokens=2)
        columns = (kept - kept.mean(0)) / kept.std(0)
        oracle = 2 * Lasso(alpha=0.1).fit(columns, values / 2).coef_ / kept.std(0)
        assert found == pytest.approx(oracle, rel=1e-6)

    def test_a_large_penalty_leaves_nothing(self):
        kept = np.array(without_each(4))
        assert not subset_weights(kept, np.arange(4.0), alpha=10.0)[0].any()

    def test_a_source_that_is_always_kept_gets_nothing(self):
        kept = np.array([[True, True], [True, False]])
        assert subset_weights(kept, np.array([3.0, 1.0]), alpha=0.0)[0] == pytest.approx(np.array([0.0, 2.0]))

    @pytest.mark.parametrize(("n", "alpha"), [(1, 0.1), (4, -0.1)])
    def test_what_cannot_be_fitted(self, n, alpha):
        with pytest.raises(ValueError, match="fit on two or more, and take 0 or more"):
            subset_weights(np.ones((n, 2), dtype=bool), np.zeros(n), alpha=alpha)


class TestIntervals:
    def test_are_percentiles_of_draws_of_subsets_wider_where_subsets_are_few(self):
        """Five subsets widen 95% to 99.8%."""
        kept = np.array([(True, True, True), *without_each(3), (True, False, False)])
        values = np.array([1.0, -2.0, 4.0, 0.5, 2.0])
        rng = np.random.default_rng(3)
        rows = [rng.integers(5, size=5) for _ in range(50)]
        drawn = np.array([subset_weights(kept[at], values[at], alpha=0.01)[0] for at in rows])
        estimate, _ = subset_weights(kept, values, alpha=0.01)
        tail = stats.norm.sf(np.sqrt(5 / 4) * stats.t.ppf(0.975, 4))
        assert 1 - 2 * tail == pytest.approx(0.998, abs=1e-3)
        for nth, one in enumerate(weight_intervals(kept, values, alpha=0.01, n_resamples=50, seed=3)):
            low, high = np.quantile(drawn[:, nth], [tail, 1 - tail])
            assert (one.low, one.high) == pytest.approx((min(low, estimate[nth]), max(high, estimate[nth])))

    def test_hold_the_estimate_and_are_narrow_where_nothing_varies_but_the_sources(self):
        rng = np.random.default_rng(1)
        kept = rng.random((40, 3)) < 0.5
        clean = kept @ np.array([2.0, -3.0, 0.5])
        noisy = clean + rng.normal(size=40)
        narrow, wide = (weight_intervals(kept, one, alpha=0.0, n_resamples=60) for one in (clean, noisy))
        for one, other, true in zip(narrow, wide, (2.0, -3.0, 0.5), strict=True):
            assert one.low <= one.estimate <= one.high
            assert one.estimate == pytest.approx(true)
            assert one.high - one.low < 1e-6 < 0.5 < other.high - other.low
            assert other.low < true < other.high
