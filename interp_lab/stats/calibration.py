"""Are probabilities what they say? Reliability by bins, the calibration error, and what chance makes of it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from interp_lab.stats.bootstrap import widened_level
from interp_lab.stats.clusters import Labels, cluster_codes
from interp_lab.types import Interval

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
    """Return share right by bins of confidence with about equally many examples; bins without any are left out.

    Examples with the same confidence are in one bin.

    Columns: `confidence` (mean), `right` (share), `n`.
    Raises: ValueError, for confidences outside [0, 1], or lengths that differ.
    """
    require_probabilities(confidence, right)
    rows = [(confidence[at].mean(), right[at].mean(), len(at)) for at in bins_of(confidence, n_bins)]
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
    require_probabilities(confidence, right)
    drawn = np.random.default_rng(seed).random((_SIMULATED, len(confidence))) < confidence
    by_chance = _ece(confidence, drawn.astype(np.float64), n_bins)
    return CalibrationError(float(_ece(confidence, right[None], n_bins)[0]), float(np.quantile(by_chance, 0.95)))


def calibration_interval(
    confidence: Float[np.ndarray, " example"],
    right: Float[np.ndarray, " outcome"],
    clusters: Labels | None = None,
    *,
    n_bins: int = N_BINS,
    level: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """Return the expected calibration error, freed of what chance adds, with its interval over clusters.

    Gaps are absolute values, so that chance makes every estimate too large, and that of a resample too large twice:
    once by the examples there are, once by drawing from them. So resamples are reflected about the estimate (the basic
    bootstrap), and the estimate is lowered by their mean excess; neither falls below 0. Where chance alone explains the
    error (`of_calibrated`), the lower limit is 0. On 600 simulated sets of 300 examples each, intervals of 95% held the
    true error in 0.94 of the sets where it was 0, and in 0.90 where it was 0.09 (a temperature of 1/2).

    Args:
        clusters: one label per example, usually its template; `None` if examples are independent.

    Raises: ValueError, as `reliability`, or for fewer than two clusters.
    Source: Davison and Hinkley 1997 (the basic bootstrap).
    """
    require_probabilities(confidence, right)
    codes = cluster_codes(clusters, n_examples=len(right))
    n_clusters = int(codes.max()) + 1
    if n_clusters < 2:
        raise ValueError(f"{n_clusters} cluster says nothing about the spread between clusters; give at least 2")
    bins = bins_of(confidence, n_bins)
    gaps = np.zeros((n_clusters, len(bins)))  # sums of right minus confidence, by cluster and bin
    for nth, at in enumerate(bins):
        np.add.at(gaps[:, nth], codes[at], right[at] - confidence[at])
    sizes = np.bincount(codes).astype(np.float64)
    drawn = np.random.default_rng(seed).multinomial(n_clusters, np.full(n_clusters, 1 / n_clusters), n_resamples)
    resampled = np.abs(drawn @ gaps).sum(1) / (drawn @ sizes)
    own = float(np.abs(gaps.sum(0)).sum() / len(right))
    wide = widened_level(level, n_clusters=n_clusters)
    above, below = np.quantile(resampled, [(1 + wide) / 2, (1 - wide) / 2])
    estimate, low, high = (max(0.0, float(2 * own - one)) for one in (resampled.mean(), above, below))
    if own <= calibration_error(confidence, right, n_bins=n_bins, seed=seed).of_calibrated:
        low = 0.0
    return Interval(estimate, low, max(high, estimate), level, n_clusters)


def bins_of(confidence: Float[np.ndarray, " example"], n_bins: int) -> list[Int[np.ndarray, " _"]]:
    """Return the examples of each bin, of equally many as far as ties allow: the same confidence is in one bin.

    Else a constant would have bins that differ by chance alone, and look as if it told right answers from wrong ones.
    """
    order = np.argsort(confidence, kind="stable")
    place = np.concatenate([np.full(len(at), nth) for nth, at in enumerate(np.array_split(order, n_bins))])
    _, first, counts = np.unique(confidence[order], return_index=True, return_counts=True)
    middle = np.repeat(place[first + (counts - 1) // 2], counts)
    found = [order[middle == nth] for nth in range(n_bins)]
    return [at for at in found if len(at)]


def _ece(confidence: np.ndarray, right: Float[np.ndarray, "draw example"], n_bins: int) -> Float[np.ndarray, " draw"]:
    gaps = [len(at) * np.abs(right[:, at].mean(1) - confidence[at].mean()) for at in bins_of(confidence, n_bins)]
    return np.sum(gaps, axis=0) / len(confidence)


def require_probabilities(confidence: np.ndarray, right: np.ndarray) -> None:
    """Refuse what is no probability, and lengths that differ (ValueError)."""
    if len(confidence) != len(right) or not len(right):
        raise ValueError(f"{len(confidence)} confidences for {len(right)} outcomes; give one each, at least one")
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise ValueError(f"confidences from {confidence.min():.3g} to {confidence.max():.3g} are no probabilities")
