"""The Brier score and its parts: by hand, as an identity, and beside scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from interp_lab.stats.brier import brier_parts

CONFIDENCE, RIGHT = np.array([0.2, 0.2, 0.8, 0.8]), np.array([0.0, 1.0, 1.0, 1.0])


def test_by_hand():
    found = brier_parts(CONFIDENCE, RIGHT, n_bins=2)
    assert found.score == pytest.approx((0.04 + 0.64 + 0.04 + 0.04) / 4)
    assert found.reliability == pytest.approx((2 * 0.3**2 + 2 * 0.2**2) / 4)
    assert found.resolution == pytest.approx((2 * 0.25**2 + 2 * 0.25**2) / 4)
    assert found.uncertainty == pytest.approx(0.75 * 0.25)
    assert found.within == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("n_bins", [1, 3, 10, 500])
def test_the_parts_add_up_whatever_the_bins(n_bins):
    rng = np.random.default_rng(0)
    confidence = rng.random(300)
    right = (rng.random(300) < confidence**2).astype(float)
    found = brier_parts(confidence, right, n_bins=n_bins)
    whole = found.reliability - found.resolution + found.uncertainty + found.within
    assert found.score == pytest.approx(whole, rel=1e-9)
    assert found.score == pytest.approx(brier_score_loss(right, confidence))


def test_a_constant_at_the_base_rate_is_reliable_and_resolves_nothing():
    right = np.array([1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0])
    found = brier_parts(np.full(8, 5 / 8), right, n_bins=4)
    assert found.reliability == found.resolution == 0
    assert found.score == pytest.approx(found.uncertainty)


def test_what_is_no_probability():
    with pytest.raises(ValueError, match=r"confidences from 0.5 to 1.2 are no probabilities"):
        brier_parts(np.array([0.5, 1.2]), np.array([1.0, 0.0]))
