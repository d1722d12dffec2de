import numpy as np
import pytest
from scipy.special import expit

from interp_lab.stats.calibration import bins_of, calibration_error, calibration_interval, reliability


class TestReliability:
    def test_by_hand(self):
        table = reliability(np.array([0.9, 0.5, 0.7, 0.9]), np.array([1.0, 0.0, 1.0, 0.0]), n_bins=2)
        assert table["confidence"].tolist() == pytest.approx([0.6, 0.9])
        assert table["right"].tolist() == [0.5, 0.5]
        assert table["n"].tolist() == [2, 2]

    def test_the_error_is_the_mean_gap_by_hand(self):
        error = calibration_error(np.array([0.9, 0.5, 0.7, 0.9]), np.array([1.0, 0.0, 1.0, 0.0]), n_bins=2)
        assert error.ece == pytest.approx((2 * 0.1 + 2 * 0.4) / 4)

    def test_a_calibrated_probe_stays_below_what_chance_makes_of_it_and_a_boasting_one_does_not(self):
        rng = np.random.default_rng(0)
        confidence = rng.uniform(0.5, 1.0, 2000)
        right = (rng.random(2000) < confidence).astype(float)
        honest = calibration_error(confidence, right)
        assert honest.ece < honest.of_calibrated
        boasting = calibration_error(np.minimum(confidence + 0.15, 1.0), right)
        assert boasting.ece > boasting.of_calibrated

    def test_what_is_no_probability_is_refused(self):
        with pytest.raises(ValueError, match=r"confidences from -0.1 to 0.5 are no probabilities"):
            reliability(np.array([-0.1, 0.5]), np.array([1.0, 0.0]))
        with pytest.raises(ValueError, match="2 confidences for 1 outcomes"):
            reliability(np.array([0.1, 0.5]), np.array([1.0]))

    def test_the_same_confidence_is_in_one_bin(self):
        right = np.array([1.0, 1.0, 0.0, 0.0, 1.0, 0.0])
        table = reliability(np.full(6, 0.5), right, n_bins=3)
        assert table[["confidence", "right", "n"]].to_numpy().tolist() == [[0.5, 0.5, 6]]
        assert calibration_error(np.full(6, 0.5), right, n_bins=3).ece == 0
        table = reliability(np.array([0.1, 0.4, 0.4, 0.4, 0.8, 0.9]), right, n_bins=3)
        assert table["n"].tolist() == [1, 3, 2]


class TestInterval:
    def test_holds_the_true_error_of_boasting_and_zero_of_honesty(self):
        rng = np.random.default_rng(0)
        odds = rng.normal(1, 1.5, (50, 300))
        right = (rng.random(odds.shape) < expit(odds)).astype(float)
        many = rng.normal(1, 1.5, 200_000)
        boast = expit(2 * many)
        true = sum(len(at) * abs(expit(many[at]).mean() - boast[at].mean()) for at in bins_of(boast, 10)) / len(many)
        settings = {"n_resamples": 200}
        honest = [calibration_interval(expit(one), own, **settings) for one, own in zip(odds, right, strict=True)]
        assert np.mean([one.low == 0 for one in honest]) > 0.87
        boasting = [calibration_interval(expit(2 * one), own, **settings) for one, own in zip(odds, right, strict=True)]
        assert np.mean([one.low <= true <= one.high for one in boasting]) > 0.8
        assert np.mean([one.low > 0 for one in boasting]) > 0.9

    def test_is_wider_where_a_few_templates_are_off_together(self):
        rng = np.random.default_rng(1)
        confidence, templates = rng.uniform(0.3, 0.9, 400), np.repeat(np.arange(8), 50)
        lower = np.where(templates % 2, 0.25, -0.1)
        right = (rng.random(400) < np.clip(confidence - lower, 0, 1)).astype(float)
        alone, together = (calibration_interval(confidence, right, labels) for labels in (None, templates))
        assert together.high - together.low > 1.5 * (alone.high - alone.low)
        assert together.n_clusters == 8

    def test_one_cluster(self):
        with pytest.raises(ValueError, match="1 cluster says nothing about the spread"):
            calibration_interval(np.array([0.4, 0.6]), np.array([0.0, 1.0]), ["a", "a"])
