import numpy as np
import pytest
from scipy import stats

from interp_lab.stats import bootstrap_interval, paired_difference, t_test

RNG = np.random.default_rng(0)
FOUR = ["a", "b", "c", "d"]


class TestTTest:
    @pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
    def test_of_one_example_per_cluster_is_students(self, alternative):
        values = RNG.normal(0.5, 1, (3, 4))
        theirs = stats.ttest_1samp(values, 0, axis=-1, alternative=alternative)
        assert t_test(values, FOUR, alternative=alternative).p == pytest.approx(theirs.pvalue)

    def test_of_equal_clusters_is_students_on_their_means(self):
        means, within = RNG.normal(0.5, 1, 5), RNG.normal(0, 3, (5, 6))
        values = (means[:, None] + within - within.mean(1, keepdims=True)).ravel()
        found = t_test(values, np.repeat(np.arange(5), 6))
        assert found.p == pytest.approx(stats.ttest_1samp(means, 0).pvalue)

    def test_rejects_where_the_interval_leaves_zero_out(self):
        values = RNG.normal(0.6, 1, (400, 12))
        clusters = [0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 3]
        rejected = t_test(values, clusters).p < 0.05
        assert (rejected == bootstrap_interval(values, clusters, method="t").excludes(0.0)).all()
        assert 20 < rejected.sum() < 380

    def test_holds_its_level_with_four_normal_clusters(self):
        """4,000 nulls, half of the variance between clusters: 5% within three standard errors."""
        clusters = np.repeat(np.arange(4), 6)
        values = RNG.normal(size=(4000, 4))[:, clusters] + RNG.normal(size=(4000, 24))
        assert (t_test(values, clusters).p < 0.05).mean() == pytest.approx(0.05, abs=0.0105)

    def test_clusters_that_agree(self):
        found = t_test(np.array([[2.0, 2.0, 2.0, 2.0], [0.0, 0.0, 0.0, 0.0]]), FOUR)
        assert found.p.tolist() == [0.0, 1.0]


class TestPaired:
    @pytest.mark.parametrize(
        ("n_clusters", "n_sites", "test"),
        [(3, 1, "sign-flip"), (4, 1, "t"), (5, 1, "t"), (6, 1, "sign-flip"), (8, 6, "sign-flip"), (8, 7, "t"),
         (12, 102, "sign-flip"), (12, 103, "t")],
    )  # fmt: skip
    def test_sign_flips_are_used_where_they_could_reject(self, n_clusters, n_sites, test):
        values = RNG.normal(size=(n_sites, 24))
        assert paired_difference(values, np.zeros((1, 24)), np.arange(24) % n_clusters).test == test

    def test_few_clusters_are_tested_by_t_and_others_by_sign_flips(self):
        values = RNG.normal(5, 0.1, 32)
        four, eight = (paired_difference(values, np.zeros(32), np.arange(32) % n) for n in (4, 8))
        assert (four.test, eight.test) == ("t", "sign-flip")
        assert float(four.p) < 1e-4
        assert float(eight.p) == eight.smallest_p == 2 / 2**8

    def test_the_test_can_be_chosen(self):
        values = RNG.normal(5, 0.1, 32)
        found = paired_difference(values, np.zeros(32), np.arange(32) % 4, test="sign-flip")
        assert float(found.p) == found.smallest_p == 2 / 2**4
