"""Are probabilities what they say? Reliability by bins, the calibration error, and what chance makes of it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

N_BINS = 10
_SIMULATED = 1000


@dataclass(frozen=True)
class CalibrationError:
    """Expected calibration error, beside that of a calibrated probe on as many examples."""

    ece: float
    """Mean distance of share right and confidence over bins, weighted by their size (0 to 1)."""
    of_calibrated: float
    """Exceeded by 5 in 100 probes that are right exactly as often as their confidence says: chance alone."""


def reliability(
    confidence: Float[np.ndarray, " example"], right: Float[np.ndarray, " outcome"], *, n_bins: int = N_BINS
) -> pd.DataFrame:
    """Return share right by bins of confidence with equally many examples; bins without any are left out.

    Columns: `confidence` (mean), `right` (share), `n`.
    Raises: ValueError, for confidences outside [0, 1], or lengths that differ.
    """
    _require(confidence, right)
    bins = np.array_split(np.argsort(confidence, kind="stable"), n_bins)
    rows = [(confidence[at].mean(), right[at].mean(), len(at)) for at in bins if len(at)]
    return pd.DataFrame(rows, columns=["confidence", "right", "n"])


def calibration_error(
    confidence: Float[np.ndarray, " example"],
    right: Float[np.ndarray, " outcome"],
    *,
    n_bins: int = N_BINS,
    seed: int = 0,
) -> CalibrationError:
    """Return the expected calibration error over bins with equally many examples, and chance's.

    Raises: ValueError, as `reliability`.
    Source: Guo et al. 2017, arXiv 1706.04599 (ECE; here with bins of equal size).
    """
    _require(confidence, right)
    order = np.argsort(confidence, kind="stable")
    drawn = np.random.default_rng(seed).random((_SIMULATED, len(order))) < confidence[order]
    by_chance = _ece(confidence[order], drawn.astype(np.float64), n_bins)
    return CalibrationError(
        float(_ece(confidence[order], right[order][None], n_bins)[0]), float(np.quantile(by_chance, 0.95))
    )


def _ece(confidence: np.ndarray, right: Float[np.ndarray, "draw example"], n_bins: int) -> Float[np.ndarray, " draw"]:
    bins = [at for at in np.array_split(np.arange(len(confidence)), n_bins) if len(at)]
    gaps = [len(at) * np.abs(right[:, at].mean(1) - confidence[at].mean()) for at in bins]
    return np.sum(gaps, axis=0) / len(confidence)


def _require(confidence: np.ndarray, right: np.ndarray) -> None:
    if len(confidence) != len(right) or not len(right):
        raise ValueError(f"{len(confidence)} confidences for {len(right)} outcomes; give one each, at least one")
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise ValueError(f"confidences from {confidence.min():.3g} to {confidence.max():.3g} are no probabilities")
