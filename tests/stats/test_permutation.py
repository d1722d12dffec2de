import numpy as np
import pytest
from scipy import stats

from interp_lab.stats import sign_flip_test, two_sample_test


def clustered_null(*, n_sites, n_clusters, seed):
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(n_clusters), rng.integers(2, 7, size=n_clusters))
    effect = rng.normal(size=(n_sites, n_clusters))
    return effect[:, clusters] + rng.normal(size=(n_sites, len(clusters))), clusters


def assert_uniform(p):
    assert stats.kstest(p, "uniform").pvalue > 0.01


def assert_not_uniform(p):
    assert stats.kstest(p, "uniform").pvalue < 1e-6


class TestSignFlip:
    def test_by_hand(self):
        # 1, 2, 3 and their 8 sign patterns: |sum| = 6 twice, so p = 2/8; one-sided 1/8 and, the other way, 1
        values = np.array([1.0, 2.0, 3.0])
        assert sign_flip_test(values).p == 2 / 8
        assert sign_flip_test(values, alternative="greater").p == 1 / 8
        assert sign_flip_test(values, alternative="less").p == 1.0
        assert sign_flip_test(values).statistic == 2.0

    def test_ties_count_even_when_rounding_hides_them(self):
        # 0.1 + 0.2 - 0.3 is not 0 in floating point; all 8 patterns of sum >= 0 must tie with it
        values = np.array([0.1, 0.2, -0.3])
        assert sign_flip_test(values).p == 1.0

    def test_clusters_flip_as_one(self):
        # two clusters of sum 3: 4 patterns, of which the observed and its negative are the most extreme
        assert sign_flip_test(np.array([1.0, 2.0, 1.5, 1.5]), ["a", "a", "b", "b"]).p == 2 / 4

    @pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
    def test_equals_scipy_when_exact(self, alternative):
        values = np.random.default_rng(0).normal(0.4, 1, size=(4, 9))
        expected = stats.permutation_test(
            (values,),
            lambda x, axis: x.mean(axis),
            permutation_type="samples",
            n_resamples=np.inf,
            alternative=alternative,
            axis=-1,
        )
        # scipy doubles the smaller tail, which is the same where the null is symmetric
        assert sign_flip_test(values, alternative=alternative).p == pytest.approx(expected.pvalue)

    def test_random_patterns_approximate_all_of_them(self):
        values = np.random.default_rng(1).normal(0.5, 1, size=(5, 12))
        exact = sign_flip_test(values, alternative="greater")
        drawn = sign_flip_test(values, alternative="greater", n_resamples=4000)
        assert exact.exact
        assert not drawn.exact
        assert (np.abs(drawn.p - exact.p) < 1 / 4001 + 4 * np.sqrt(exact.p * (1 - exact.p) / 4000)).all()

    def test_the_smallest_p_is_attained_and_never_zero(self):
        few = sign_flip_test(np.ones(5))
        assert few.p == few.smallest_p == 2 / 32
        many = sign_flip_test(np.ones(60) + np.arange(60), n_resamples=999)
        assert many.p == many.smallest_p == 1 / 1000

    def test_no_difference_at_all_is_p_one(self):
        assert sign_flip_test(np.zeros((2, 30))).p.tolist() == [1.0, 1.0]

    @pytest.mark.parametrize("n_clusters", [12, 40], ids=["exact", "drawn"])
    def test_p_is_uniform_under_the_null_and_only_with_the_clusters(self, n_clusters):
        values, clusters = clustered_null(n_sites=500, n_clusters=n_clusters, seed=n_clusters)
        assert_uniform(sign_flip_test(values, clusters, n_resamples=4999).p)
        assert_not_uniform(sign_flip_test(values, n_resamples=999).p)

    def test_a_site_does_not_depend_on_its_neighbours(self, monkeypatch):
        values = np.random.default_rng(3).normal(size=(50, 30))
        together = sign_flip_test(values, n_resamples=500, seed=2)
        monkeypatch.setattr("interp_lab.stats.permutation._BLOCK_VALUES", 1000)
        assert (sign_flip_test(values, n_resamples=500, seed=2).p == together.p).all()
        assert sign_flip_test(values[7], n_resamples=500, seed=2).p == together.p[7]
        assert (sign_flip_test(values, n_resamples=500, seed=3).p != together.p).any()


class TestTwoSamples:
    first = np.array([True, True, False, False, False])

    def test_by_hand(self):
        # 10 ways to choose the first group; none other reaches (5 + 6) / 2 - (1 + 2 + 3) / 3 in absolute value
        result = two_sample_test(np.array([5.0, 6.0, 1.0, 2.0, 3.0]), self.first)
        assert (float(result.statistic), float(result.p), result.exact) == (3.5, 1 / 10, True)

    @pytest.mark.parametrize(
        "sizes", [(1, 1, 1, 1), (1, 2, 3, 5), (2, 1, 1)], ids=["alike", "unequal", "uneven groups"]
    )
    @pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
    def test_the_smallest_p_is_the_least_that_any_values_give(self, sizes, alternative):
        """Brute force: 2,000 draws of values. Halves that change places give the same difference with another sign."""
        clusters = np.repeat(np.arange(len(sizes)), sizes)
        values = np.random.default_rng(0).normal(size=(2000, len(clusters)))
        found = two_sample_test(values, clusters < len(sizes) // 2, clusters, alternative=alternative)
        assert found.smallest_p == pytest.approx(found.p.min())

    def test_the_direction_of_the_alternative(self):
        values = np.array([5.0, 6.0, 1.0, 2.0, 3.0])
        assert two_sample_test(values, self.first, alternative="greater").p == 1 / 10
        assert two_sample_test(values, self.first, alternative="less").p == 1.0

    @pytest.mark.parametrize("alternative", ["greater", "less"])
    def test_equals_scipy_when_exact(self, alternative):
        values = np.random.default_rng(4).normal(size=9) + 1e3
        first = np.arange(9) < 4
        expected = stats.permutation_test(
            (values[first], values[~first]),
            lambda x, y, axis: x.mean(axis) - y.mean(axis),
            n_resamples=np.inf,
            alternative=alternative,
        )
        assert two_sample_test(values, first, alternative=alternative).p == pytest.approx(expected.pvalue)

    @pytest.mark.parametrize("n_clusters", [12, 40], ids=["exact", "drawn"])
    def test_p_is_uniform_under_the_null_and_only_with_the_clusters(self, n_clusters):
        values, clusters = clustered_null(n_sites=500, n_clusters=n_clusters, seed=n_clusters)
        first = clusters < n_clusters // 3
        assert_uniform(two_sample_test(values, first, clusters, n_resamples=4999).p)
        assert_not_uniform(two_sample_test(values, first, n_resamples=999).p)

    def test_random_choices_do_not_depend_on_blocks_and_repeat(self, monkeypatch):
        values, first = np.random.default_rng(5).normal(size=(3, 40)), np.arange(40) < 15
        once = two_sample_test(values, first, n_resamples=300, seed=1)
        monkeypatch.setattr("interp_lab.stats.permutation._BLOCK_VALUES", 400)
        assert (two_sample_test(values, first, n_resamples=300, seed=1).p == once.p).all()

    def test_a_cluster_in_both_groups_is_refused_by_name(self):
        with pytest.raises(ValueError, match=r"cluster 'b' has examples in both groups \(1 of 3.*paired_difference"):
            two_sample_test(np.arange(5.0), self.first, ["a", "b", "b", "c", "c"])

    def test_a_membership_of_another_length_is_refused(self):
        with pytest.raises(ValueError, match="in_first has 5 entries for 6 examples"):
            two_sample_test(np.arange(6.0), self.first)

    def test_an_empty_group_is_refused(self):
        with pytest.raises(ValueError, match="all 5 clusters into one group"):
            two_sample_test(np.arange(5.0), np.ones(5, dtype=bool))
