import warnings

import numpy as np
import pytest
from scipy import stats

from interp_lab.stats import Intervals, bootstrap_interval, mean_interval
from interp_lab.stats.bootstrap import widened_level
from interp_lab.types import Interval


def clustered(rng, *, n_sites, n_clusters, skewed=False):
    """Data sets of true mean zero: a cluster effect and noise of equal size, 4 to 12 examples per cluster."""
    clusters = np.repeat(np.arange(n_clusters), rng.integers(4, 13, size=n_clusters))
    if skewed:
        effect = rng.exponential(size=(n_sites, n_clusters)) - 1
        return effect[:, clusters] + rng.exponential(size=(n_sites, len(clusters))) - 1, clusters
    effect = rng.normal(size=(n_sites, n_clusters))
    return effect[:, clusters] + rng.normal(size=(n_sites, len(clusters))), clusters


def coverage(*, n_clusters, skewed=False, ignore_clusters=False, method="auto", blocks=6):
    """Share of 1,200 simulated data sets whose 95% interval holds the true mean."""
    held = []
    for block in range(blocks):
        rng = np.random.default_rng([block, n_clusters])
        values, clusters = clustered(rng, n_sites=200, n_clusters=n_clusters, skewed=skewed)
        intervals = bootstrap_interval(
            values, None if ignore_clusters else clusters, method=method, n_resamples=1000, seed=block
        )
        held.append(~intervals.excludes(0.0))
    return np.mean(held)


class TestCoverage:
    @pytest.mark.parametrize("skewed", [False, True], ids=["normal", "exponential"])
    def test_95_percent_intervals_hold_the_truth_about_that_often(self, skewed):
        assert 0.91 <= coverage(n_clusters=30, skewed=skewed) <= 0.98

    @pytest.mark.parametrize("skewed", [False, True], ids=["normal", "exponential"])
    def test_ignoring_the_clusters_does_not(self, skewed):
        assert coverage(n_clusters=30, skewed=skewed, ignore_clusters=True) < 0.75

    @pytest.mark.parametrize("n_clusters", [3, 5, 10])
    def test_few_clusters_are_covered_too_where_textbook_bca_is_not(self, n_clusters, monkeypatch):
        assert 0.91 <= coverage(n_clusters=n_clusters) <= 0.98
        monkeypatch.setattr("interp_lab.stats.bootstrap.widened_level", lambda level, n_clusters: level)
        assert coverage(n_clusters=n_clusters, method="bca") < 0.91


class TestAgainstOtherImplementations:
    @pytest.mark.parametrize("method", ["bca", "percentile"])
    def test_equals_scipy_on_paired_sums_and_counts(self, method):
        values, clusters = clustered(np.random.default_rng(0), n_sites=3, n_clusters=12, skewed=True)
        sums = np.stack([values[:, clusters == c].sum(-1) for c in range(12)], axis=-1)
        counts = np.broadcast_to(np.bincount(clusters).astype(float), sums.shape)
        expected = stats.bootstrap(
            (sums, counts),
            lambda s, n, axis=-1: s.sum(axis) / n.sum(axis),
            paired=True,
            vectorized=True,
            axis=-1,
            n_resamples=500,
            method=method,
            confidence_level=widened_level(0.9, n_clusters=12),
            rng=np.random.default_rng(7),
        ).confidence_interval
        got = bootstrap_interval(values, clusters, level=0.9, n_resamples=500, method=method, seed=7)
        np.testing.assert_allclose(got.low, expected.low, rtol=1e-10)
        np.testing.assert_allclose(got.high, expected.high, rtol=1e-10)
        np.testing.assert_allclose(got.estimate, values.mean(-1), rtol=1e-12)

    def test_t_is_students_interval_when_clusters_have_one_size(self):
        values = np.random.default_rng(1).normal(size=(6, 5))
        expected = stats.ttest_1samp(values.mean(-1), 0).confidence_interval(0.9)
        got = mean_interval(values.ravel(), np.repeat(np.arange(6), 5), level=0.9, method="t")
        assert (got.low, got.high) == pytest.approx((expected.low, expected.high), rel=1e-12)

    def test_the_cluster_robust_error_by_hand(self):
        # mean 2, sums 1 and 5 of sizes 1 and 2: excess -1 and 1, se = sqrt(2/1 * 2) / 3, t(1 degree, 75%) = 1
        got = mean_interval(np.array([1.0, 2.0, 3.0]), ["a", "b", "b"], level=0.5, method="t")
        assert (got.low, got.estimate, got.high) == pytest.approx((2 - 2 / 3, 2, 2 + 2 / 3))


class TestSmallSamples:
    def test_few_clusters_get_the_t_interval_and_more_get_bca(self):
        values = np.random.default_rng(0).normal(size=8)
        assert bootstrap_interval(values[:7]).method == "t"
        assert bootstrap_interval(values).method == "bca"
        assert bootstrap_interval(values[:7], method="bca").method == "bca"

    def test_the_widened_level_by_tables(self):
        # t(4 degrees, 97.5%) = 2.776, times sqrt(5 / 4) = 3.104, and P(|z| < 3.104) = 0.99809
        assert widened_level(0.95, n_clusters=5) == pytest.approx(0.99809, abs=2e-5)
        assert widened_level(0.95, n_clusters=100_000) == pytest.approx(0.95, abs=1e-5)


class TestDegenerateData:
    @pytest.mark.parametrize("method", ["bca", "percentile", "t"])
    @pytest.mark.parametrize("value", [0.0, 0.1, -3e9])
    def test_identical_values_give_their_value_and_no_width(self, method, value):
        got = mean_interval(np.full(11, value), list("abcabcabcab"), method=method)
        assert (got.low, got.high) == (got.estimate, got.estimate)
        assert got.estimate == pytest.approx(value, rel=1e-15)

    def test_a_constant_site_leaves_its_neighbours_alone(self):
        varying = np.random.default_rng(2).normal(size=20)
        both = bootstrap_interval(np.stack([np.full(20, 0.3), varying]))
        assert both.at(1) == mean_interval(varying)
        assert both.low[0] == both.high[0] == both.estimate[0]

    def test_clusters_with_equal_means_have_no_spread_between_them(self):
        got = mean_interval(np.tile([0.1, 0.7], 10), np.repeat(np.arange(10), 2))
        assert got.low == got.high == pytest.approx(0.4)

    def test_nothing_is_warned_about(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            bootstrap_interval(np.array([[1.0] * 9, [0.0] * 8 + [1.0]]))


class TestIdentities:
    def test_shifting_and_scaling_the_data_does_the_same_to_the_interval(self):
        values = np.random.default_rng(3).exponential(size=40)
        plain, moved = mean_interval(values), mean_interval(1e4 - 10 * values)
        for left, right in (("estimate", "estimate"), ("low", "high"), ("high", "low")):
            assert getattr(moved, left) == pytest.approx(1e4 - 10 * getattr(plain, right), abs=0.02)
        tiny = mean_interval(values * 1e-200)
        assert tiny.low == pytest.approx(plain.low * 1e-200, rel=1e-9)

    def test_same_seed_same_bits_and_another_seed_others(self):
        values = np.random.default_rng(4).normal(size=(2, 3, 15))
        first, again = bootstrap_interval(values, seed=5), bootstrap_interval(values, seed=5)
        assert (first.low == again.low).all()
        assert (first.low != bootstrap_interval(values, seed=6).low).all()

    def test_a_site_does_not_depend_on_what_was_measured_beside_it(self, monkeypatch):
        values = np.random.default_rng(5).normal(size=(7, 20))
        for values_at_once in (2**22, 1200):  # all sites at once, and three at a time
            monkeypatch.setattr("interp_lab.stats.bootstrap.RESAMPLED_VALUES", values_at_once)
            together = bootstrap_interval(values, n_resamples=400)
            alone = mean_interval(values[4], n_resamples=400)
            assert (together.low[4], together.high[4]) == pytest.approx((alone.low, alone.high), rel=1e-12)

    def test_the_order_of_examples_within_clusters_does_not_matter(self):
        values, clusters = clustered(np.random.default_rng(6), n_sites=2, n_clusters=9)
        order = np.argsort(clusters + np.random.default_rng(7).random(len(clusters)) * 0.5)
        np.testing.assert_allclose(
            bootstrap_interval(values[:, order], clusters[order]).high,
            bootstrap_interval(values, clusters).high,
            rtol=1e-12,
        )


class TestIntervals:
    intervals = Intervals(np.array([1.0, 2.0]), np.array([0.5, -1.0]), np.array([1.5, 5.0]), 0.9, 12, "bca")

    def test_one_site_is_an_interval(self):
        assert self.intervals.at(1) == Interval(2.0, -1.0, 5.0, 0.9, 12)

    def test_excludes_is_the_question_at_every_site(self):
        assert self.intervals.excludes(0.0).tolist() == [True, False]
        assert self.intervals.excludes(0.5).tolist() == [False, False]

    def test_one_index_per_site_axis(self):
        with pytest.raises(ValueError, match=r"0 indices for sites of shape \(2,\)"):
            self.intervals.at()


class TestRefusals:
    values = np.arange(12.0)

    @pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
    def test_a_level_that_is_no_share(self, level):
        with pytest.raises(ValueError, match=r"level=.*0\.95"):
            mean_interval(self.values, level=level)

    def test_too_few_resamples_for_the_tails(self):
        with pytest.raises(ValueError, match=r"n_resamples=39 has no tails at level 0\.95; use 40"):
            mean_interval(self.values, n_resamples=39)

    def test_bca_over_very_many_clusters_names_the_alternatives(self, monkeypatch):
        monkeypatch.setattr("interp_lab.stats.bootstrap.MOST_CLUSTERS_BCA", 11)
        with pytest.raises(ValueError, match=r"12 clusters are too many for BCa.*'percentile' or 't'"):
            mean_interval(self.values, method="bca")
        assert bootstrap_interval(self.values).method == "t"
