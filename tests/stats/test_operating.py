"""Thresholds keep the false-positive rate they promise, and say what is known of it from so many controls."""

import numpy as np
import pytest
from scipy import stats

from interp_lab.stats import fewest_controls, recall_at, threshold_at


class TestThreshold:
    def test_by_hand(self):
        found = threshold_at(np.arange(1.0, 100.0), 0.1)  # 99 controls: the 90th smallest, 10 of 100 places above it
        assert (found.value, found.n) == (90.0, 99)
        assert found.false_positives.estimate == pytest.approx(0.1)
        fewer = threshold_at(np.arange(1.0, 99.0), 0.1)  # 98: the 90th, as the 89th leaves 10 of 99 places above it
        assert fewer.value == 90.0
        assert fewer.false_positives.estimate == pytest.approx(9 / 99)

    @pytest.mark.parametrize(("rate", "n"), [(0.5, 1), (0.1, 9), (0.05, 19), (0.01, 99)])
    def test_so_many_controls_it_takes_and_no_fewer(self, rate, n):
        assert fewest_controls(rate) == n
        assert threshold_at(np.arange(float(n)), rate).value == n - 1
        with pytest.raises(ValueError, match=f"{n - 1} control texts say nothing of a false-positive rate.*give {n}"):
            threshold_at(np.arange(float(n - 1)), rate)

    def test_new_controls_pass_as_often_as_promised_and_the_limits_cover(self):
        rng = np.random.default_rng(0)
        rates, covered, held = [], 0, 0
        for _ in range(1000):
            found = threshold_at(rng.normal(size=59), 0.05)
            true = stats.norm.sf(found.value)
            rates.append(true)
            covered += found.false_positives.low <= true <= found.false_positives.high
            held += found.between.low <= stats.norm.isf(0.05) <= found.between.high
        assert np.mean(rates) == pytest.approx(0.05, abs=0.004)
        assert covered / 1000 == pytest.approx(0.95, abs=0.02)
        assert held / 1000 >= 0.94

    def test_an_upper_limit_that_so_few_controls_do_not_have(self):
        assert threshold_at(np.arange(20.0), 0.05).between.high == np.inf

    @pytest.mark.parametrize("rate", [0.0, 1.0, -0.1])
    def test_rates_that_are_none(self, rate):
        with pytest.raises(ValueError, match="must lie between 0 and 1"):
            fewest_controls(rate)


class TestRecall:
    def test_by_hand(self):
        controls, positives = np.arange(99.0), np.array([95.0, 98.0, 98.5, 99.0])
        assert recall_at(positives, controls, 0.01).estimate == 0.5  # above the largest control, 98

    def test_covers_the_recall_that_many_controls_would_give(self):
        rng, true, hits = np.random.default_rng(0), stats.norm.sf(stats.norm.isf(0.05) - 2.0), 0
        for nth in range(100):
            positives, controls = rng.normal(2.0, size=150), rng.normal(size=300)
            found = recall_at(positives, controls, 0.05, n_resamples=200, seed=nth)
            hits += found.low <= true <= found.high
        assert hits / 100 >= 0.9

    def test_found_every_time_still_has_a_lower_limit(self):
        found = recall_at(np.full(40, 9.0), np.arange(5.0).repeat(20) / 5, 0.01)
        assert (found.estimate, found.high) == (1.0, 1.0)
        assert found.low == pytest.approx(0.025 ** (1 / 40))

    def test_refuses_to_speak_of_one_in_a_hundred_with_fifty_controls(self):
        with pytest.raises(ValueError, match=r"50 control texts say nothing of a false-positive rate of 0\.01"):
            recall_at(np.ones(5), np.zeros(50), 0.01)

    def test_whole_clusters_are_drawn(self):
        positives = np.repeat([0.0, 9.0], 20)
        labels = np.repeat(np.arange(2), 20)
        wide = recall_at(positives, np.linspace(0, 1, 99), 0.05, clusters=(labels, np.arange(99)))
        narrow = recall_at(positives, np.linspace(0, 1, 99), 0.05)
        assert (wide.low, wide.high) == (0.0, 1.0)
        assert narrow.high - narrow.low < 0.4
