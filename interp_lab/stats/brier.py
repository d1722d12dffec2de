"""The Brier score of probabilities, and what it is made of."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from interp_lab.stats.calibration import N_BINS, bins_of, require_probabilities


@dataclass(frozen=True)
class BrierParts:
    """Mean squared distance of probability and outcome, and its parts.

    `score = reliability - resolution + uncertainty + within`, exactly.
    """

    score: float
    """0 to 1; less is better."""
    reliability: float
    """Mean squared distance of confidence and share right, over bins; 0 for calibrated probabilities."""
    resolution: float
    """By how much shares right differ between bins; 0 for a constant."""
    uncertainty: float
    """Of the outcomes themselves: the score of always saying the share right."""
    within: float
    """What bins hide: the variance of confidences within them, less twice their covariance with outcomes."""


def brier_parts(
    confidence: Float[np.ndarray, " example"], right: Float[np.ndarray, " outcome"], *, n_bins: int = N_BINS
) -> BrierParts:
    """Return the Brier score with its parts, over bins as in `calibration.reliability`.

    Raises: ValueError, as `calibration.reliability`.
    Source: Murphy 1973 (the three parts); Stephenson et al. 2008 (what is left within bins).
    """
    require_probabilities(confidence, right)
    base, n = float(right.mean()), len(right)
    reliability = resolution = within = 0.0
    for at in bins_of(confidence, n_bins):
        own, share = float(confidence[at].mean()), float(right[at].mean())
        reliability += len(at) / n * (own - share) ** 2
        resolution += len(at) / n * (share - base) ** 2
        apart = confidence[at] - own
        within += float((apart**2 - 2 * apart * (right[at] - share)).sum()) / n
    score = float(np.square(confidence - right).mean())
    return BrierParts(score, reliability, resolution, base * (1 - base), within)
