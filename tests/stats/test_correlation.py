import numpy as np
import pytest
from scipy import stats

from interp_lab.stats import of_largest, site_correlation

RNG = np.random.default_rng(3)
EXACT = RNG.normal(size=(12, 1)) + 0.3 * RNG.normal(size=(12, 40))
ESTIMATES = 0.5 * EXACT + 0.5 * RNG.normal(size=(12, 1))

EVERY = pytest.mark.parametrize("of", ["values", "ranks", "size ranks"])


def ends(interval):
    return interval.low, interval.estimate, interval.high


class TestEstimate:
    def test_is_that_of_another_library(self):
        first, second = ESTIMATES.copy(), EXACT.copy()
        first[3], second[5] = first[4], second[6]  # ties
        means = first.mean(1), second.mean(1)
        expected = {
            "values": stats.pearsonr(*means).statistic,
            "ranks": stats.spearmanr(*means).statistic,
            "size ranks": stats.spearmanr(*np.abs(means)).statistic,
        }
        for of, value in expected.items():
            assert site_correlation(first, second, of=of).estimate == pytest.approx(value)

    @pytest.mark.parametrize(("of", "turned"), [("values", -1), ("ranks", -1), ("size ranks", 1)])
    def test_of_values_turned_round(self, of, turned):
        assert ends(site_correlation(EXACT, EXACT, of=of)) == pytest.approx((1, 1, 1))
        assert ends(site_correlation(-EXACT, EXACT, of=of)) == pytest.approx((turned,) * 3)

    @EVERY
    def test_is_zero_where_nothing_is_ranked(self, of):
        assert site_correlation(np.zeros((3, 4)), EXACT[:3, :4], of=of).estimate == 0.0

    def test_ranks_do_not_see_rounding(self):
        """1 and 1 + 1e-8 tie: in the order they come in they would say that everything is turned round."""
        nearly = np.array([[1.0], [1 + 1e-8], [1 + 2e-8], [3.0]]).repeat(4, 1)
        other = np.array([[3.0], [2.0], [1.0], [4.0]]).repeat(4, 1)
        expected = stats.spearmanr([1, 1, 1, 3], [3, 2, 1, 4]).statistic
        assert site_correlation(nearly, other, of="ranks").estimate == pytest.approx(expected)


class TestInterval:
    def test_is_that_of_a_literal_bootstrap(self):
        rng = np.random.default_rng(5)
        sites = 0.3 * rng.normal(size=(7, 1))
        first, second = sites + rng.normal(size=(7, 40)), sites + rng.normal(size=(7, 40))
        found = site_correlation(first, second, of="values", n_resamples=4000)
        drawn = rng.integers(40, size=(2000, 40))
        literal = [stats.pearsonr(first[:, rows].mean(1), second[:, rows].mean(1)).statistic for rows in drawn]
        assert (found.low, found.high) == pytest.approx(tuple(np.quantile(literal, [0.025, 0.975])), abs=0.05)

    @EVERY
    def test_does_not_change_with_the_unit(self, of):
        small, large = (site_correlation(ESTIMATES * k, EXACT * k, of=of) for k in (1e-3, 1e3))
        assert ends(small) == pytest.approx(ends(large))

    @EVERY
    def test_counts_a_cluster_as_one_unit(self, of):
        """Forty copies of four examples are four examples."""
        first, second = ESTIMATES[:, :4], EXACT[:, :4]
        copied = site_correlation(np.tile(first, 10), np.tile(second, 10), list("abcd") * 10, of=of)
        assert copied.n_clusters == 4
        assert ends(copied) == pytest.approx(ends(site_correlation(first, second, of=of)))
        alone = site_correlation(np.tile(first, 10), np.tile(second, 10), of=of)
        assert alone.high - alone.low < copied.high - copied.low

    def test_of_one_cluster_says_nothing(self):
        one = site_correlation(ESTIMATES, EXACT, ["a"] * 40, of="size ranks")
        assert (one.low, one.high, one.n_clusters) == (-1.0, 1.0, 1)
        assert one.estimate == site_correlation(ESTIMATES, EXACT, of="size ranks").estimate

    def test_is_the_same_for_the_same_seed(self):
        first, again = (site_correlation(ESTIMATES, EXACT, of="ranks", n_resamples=50) for _ in range(2))
        others = [site_correlation(ESTIMATES, EXACT, of="ranks", n_resamples=50, seed=seed) for seed in range(1, 5)]
        assert first == again
        assert any(other != first for other in others)

    def test_does_not_depend_on_how_many_resamples_fit_into_memory(self, monkeypatch):
        whole = site_correlation(ESTIMATES, EXACT, of="size ranks")
        monkeypatch.setattr("interp_lab.stats.correlation.RESAMPLED_VALUES", 100)
        assert site_correlation(ESTIMATES, EXACT, of="size ranks") == whole


def test_shares_of_the_largest_keep_their_sign():
    assert of_largest(np.array([1.0, -4.0, 0.0, 2.00000001])).tolist() == [0.25, -1.0, 0.0, 0.5]
    assert of_largest(np.zeros(2)).tolist() == [0.0, 0.0]


def test_labels_that_do_not_match_the_examples_are_refused():
    with pytest.raises(ValueError, match="3 cluster labels for 40 examples"):
        site_correlation(ESTIMATES, EXACT, list("abc"), of="values")
