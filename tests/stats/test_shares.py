"""Shares of examples, which end at 0 and 1; shares of a total that is a mean: the delta method beside brute force."""

import numpy as np
import pytest
from scipy import stats

from interp_lab.stats import bootstrap_interval, bounded_interval, bounded_intervals, ratio_of_means, share_interval


class TestBoundedInterval:
    @pytest.mark.parametrize("right", [True, False])
    def test_where_all_agree_it_is_the_exact_one(self, right):
        hits = np.full(12, right)
        found, exact = bounded_interval(hits.astype(float)), share_interval(hits)
        assert (found.low, found.high) == pytest.approx((exact.low, exact.high))
        assert found.high > found.low

    def test_few_clusters_that_agree_say_less(self):
        """64 texts of 4 templates count as 64 (t63 / t3)^2 = 25.2: one in 1 / 0.136 may have been missed."""
        found = bounded_interval(np.ones(64), np.repeat(range(4), 16))
        n = 64 * (stats.t.ppf(0.975, 63) / stats.t.ppf(0.975, 3)) ** 2
        assert n == pytest.approx(25.2, abs=0.05)
        assert (found.low, found.high) == (pytest.approx(0.025 ** (1 / n)), 1.0)
        assert found.low == pytest.approx(1 - 0.136, abs=1e-3)
        assert found.n_clusters == 4

    def test_texts_that_repeat_their_cluster_count_once(self):
        """Of 10 templates 3 always flip: as much as 9 texts by the variance of 10, and less for t99 over t9."""
        values = np.repeat([1.0] * 3 + [0.0] * 7, 10)
        found = bounded_interval(values, np.repeat(range(10), 10))
        n = 9 * (stats.t.ppf(0.975, 99) / stats.t.ppf(0.975, 9)) ** 2
        assert found.low == pytest.approx(stats.beta.ppf(0.025, 0.3 * n, 0.7 * n + 1))
        assert found.high == pytest.approx(stats.beta.ppf(0.975, 0.3 * n + 1, 0.7 * n))
        alone = bounded_interval(values)
        assert found.high - found.low > 2 * (alone.high - alone.low)

    def test_clusters_that_are_more_alike_than_chance_do_not_say_more(self):
        values = np.tile([1.0, 0.0], 20)
        found = bounded_interval(values, np.repeat(range(20), 2))
        n = 40 * (stats.t.ppf(0.975, 39) / stats.t.ppf(0.975, 19)) ** 2
        assert found.high == pytest.approx(stats.beta.ppf(0.975, 0.5 * n + 1, 0.5 * n))

    def test_other_bounds_are_another_scale(self):
        rng = np.random.default_rng(0)
        values, clusters = rng.choice([0.0, 0.25, 1.0], size=30), np.repeat(range(6), 5)
        own, moved = bounded_interval(values, clusters), bounded_interval(2 * values - 1, clusters, within=(-1.0, 1.0))
        assert (moved.estimate, moved.low, moved.high) == pytest.approx(
            tuple(2 * one - 1 for one in (own.estimate, own.low, own.high))
        )

    def test_a_difference_of_shares_that_never_differ_may_have_missed_either_side(self):
        found = bounded_interval(np.zeros(20), within=(-1.0, 1.0))
        assert (found.low, found.high) == pytest.approx((-(1 - 0.025 ** (1 / 20)), 1 - 0.025 ** (1 / 20)))

    def test_values_that_hardly_vary_have_a_narrow_interval(self):
        """A share per text of many tries: as precise as its spread, not as coarse as one try per text."""
        values = 0.5 + 0.01 * np.tile([1.0, -1.0], 50)
        found, coarse = bounded_interval(values), bounded_interval(np.tile([1.0, 0.0], 50))
        assert found.high - found.low < 0.05 * (coarse.high - coarse.low)
        assert found.low < 0.5 < found.high

    @pytest.mark.parametrize("truth", [0.7, 0.95])
    def test_holds_the_truth_as_often_as_it_says(self, truth):
        rng = np.random.default_rng(0)
        shares = rng.beta(truth * 9, (1 - truth) * 9, size=(200, 6))  # templates that differ: correlation 0.1
        drawn = (rng.random((200, 6, 10)) < shares[..., None]).astype(float).reshape(200, 60)
        found = [bounded_interval(one, np.repeat(range(6), 10)) for one in drawn]
        assert np.mean([one.low <= truth <= one.high for one in found]) >= 0.93
        assert all(0 <= one.low <= one.estimate <= one.high <= 1 for one in found)
        assert all(one.low < one.high for one in found)

    def test_many_sites_at_once_are_each_by_itself(self):
        rng = np.random.default_rng(0)
        values, clusters = (rng.random((3, 4, 30)) < 0.8).astype(float), np.repeat(range(6), 5)
        values[0, 0], values[2, 1] = 1.0, 0.0  # where all agree
        found = bounded_intervals(values, clusters)
        assert found.estimate.shape == (3, 4)
        for at in np.ndindex(3, 4):
            assert found.at(*at).low == pytest.approx(bounded_interval(values[at], clusters).low, rel=1e-12)
            assert found.at(*at).high == pytest.approx(bounded_interval(values[at], clusters).high, rel=1e-12)

    @pytest.mark.parametrize("k", [1, 7, 19])
    def test_of_independent_examples_it_is_that_of_clopper_and_pearson(self, k):
        exact = stats.binomtest(k, 20).proportion_ci(0.95, method="exact")
        for clusters in (None, range(20)):
            found = bounded_interval((np.arange(20) < k).astype(float), clusters)
            assert (found.low, found.high) == pytest.approx((exact.low, exact.high))

    def test_rounding_beyond_the_bounds_is_none(self):
        assert bounded_interval(np.array([1.0, 1.0 + 1e-7])).high == 1.0

    def test_values_beyond_the_bounds_are_refused(self):
        with pytest.raises(ValueError, match="values from -1 to 1 leave the bounds 0 and 1"):
            bounded_interval(np.array([-1.0, 1.0]))


class TestShare:
    def test_is_the_exact_interval(self):
        hits = np.arange(20) < 3
        expected = stats.binomtest(3, 20).proportion_ci(0.95, method="exact")
        found = share_interval(hits)
        assert (found.estimate, found.low, found.high) == pytest.approx((0.15, expected.low, expected.high))

    def test_none_and_all(self):
        assert share_interval(np.zeros(30, bool)).high == pytest.approx(1 - 0.025 ** (1 / 30))
        assert share_interval(np.ones(30, bool)).low == pytest.approx(0.025 ** (1 / 30))

    def test_of_nothing(self):
        with pytest.raises(ValueError, match="share of no examples"):
            share_interval(np.zeros(0, bool))


class TestRatioOfMeans:
    def test_by_hand(self):
        """Effects 1 and 3 of totals 2 and 6: a share of one half, pair by pair, so that nothing varies."""
        assert ratio_of_means(np.array([1.0, 3.0]), np.array([2.0, 6.0])).tolist() == [0.5, 0.5]

    def test_mean_is_exactly_the_ratio_of_the_means(self):
        rng = np.random.default_rng(0)
        effects, total = rng.standard_normal((3, 5, 40)), 4 + rng.standard_normal(40)
        assert np.allclose(ratio_of_means(effects, total).mean(-1), effects.mean(-1) / total.mean(), atol=1e-12)

    def test_spread_is_that_of_numerator_and_denominator_resampled_together(self):
        """Brute force: draw pairs with replacement, take the ratio of the two means each time."""
        rng = np.random.default_rng(1)
        n = 200
        total = 5 + rng.standard_normal(n)
        effects = np.stack([0.6 * total + 0.5 * rng.standard_normal(n), 2 + rng.standard_normal(n)])
        drawn = rng.integers(n, size=(20_000, n))
        ratios = np.stack([own[drawn].mean(1) / total[drawn].mean(1) for own in effects])
        linear = ratio_of_means(effects, total).std(-1) / np.sqrt(n)
        assert np.allclose(linear, ratios.std(1), rtol=0.03)
        found = bootstrap_interval(ratio_of_means(effects, total), level=0.95)
        low, high = np.quantile(ratios, [0.025, 0.975], axis=1)
        assert np.allclose(found.low, low, atol=0.005)
        assert np.allclose(found.high, high, atol=0.005)

    def test_to_divide_by_the_mean_alone_would_say_too_much_or_too_little(self):
        """The twin that must fail: an effect that is always the same share varies with the total, and its share not."""
        total = 5 + np.random.default_rng(2).standard_normal(50)
        assert ratio_of_means(0.6 * total, total).std() < 1e-12
        assert (0.6 * total / total.mean()).std() > 0.05
