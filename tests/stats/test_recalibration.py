"""Scores turned into probabilities: known curves are found, and errors refused."""

import numpy as np
import pytest

from interp_lab.stats import probability_of
from interp_lab.stats.calibration import calibration_error


def sample(n, seed):
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 3, size=n)
    return scores, rng.random(n) < 1 / (1 + np.exp(-(1.5 * scores - 1)))


@pytest.mark.parametrize("how", ["platt", "isotonic"])
def test_finds_a_logistic_curve_and_is_calibrated_on_other_examples(how):
    to_probability = probability_of(*sample(4000, 0), how=how)
    points = np.array([-2.0, 0.0, 2.0 / 3, 2.0])
    np.testing.assert_allclose(to_probability(points), 1 / (1 + np.exp(-(1.5 * points - 1))), atol=0.1)
    scores, positive = sample(4000, 1)
    confidence = np.clip(to_probability(scores), 0, 1)
    assert calibration_error(confidence, positive.astype(float)).ece < 0.03


def test_isotonic_never_falls_and_ends_at_its_ends():
    to_probability = probability_of(
        np.array([1.0, 2.0, 3.0, 4.0]), np.array([False, True, False, True]), how="isotonic"
    )
    np.testing.assert_allclose(to_probability(np.array([0.0, 1.0, 2.5, 4.0, 9.0])), [0, 0, 0.5, 1, 1])


def test_one_kind_alone():
    with pytest.raises(ValueError, match="3 of 3 examples are positive; fitting needs both kinds"):
        probability_of(np.zeros(3), np.ones(3, bool))
