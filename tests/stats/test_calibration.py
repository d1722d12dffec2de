import numpy as np
import pytest

from interp_lab.stats.calibration import calibration_error, reliability


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
