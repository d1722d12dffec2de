"""Where an alarm begins: thresholds at a stated false-positive rate, and how sure so many controls make them."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import stats

from interp_lab.stats.bootstrap import RESAMPLED_VALUES
from interp_lab.stats.clusters import Labels, cluster_codes, require_finite
from interp_lab.stats.shares import share_interval
from interp_lab.types import Interval


@dataclass(frozen=True)
class Threshold:
    """A score that so few controls pass: an alarm is what lies above it."""

    value: float
    """The smallest control score that keeps the promise."""
    between: Interval
    """Of the score that exactly this share of all controls lies above; inf where the controls are too few to say."""
    false_positives: Interval
    """Share of new controls above `value`: the estimate is what is promised on average over sets of controls, the
    limits hold what this set may have come to."""
    n: int
    """Controls it was taken from."""


def fewest_controls(rate: float) -> int:
    """Return how many controls a false-positive rate needs: with fewer, the largest of them does not keep it.

    Raises: ValueError, for a rate outside (0, 1).
    """
    if not 0 < rate < 1:
        raise ValueError(f"a false-positive rate of {rate} must lie between 0 and 1")
    return math.ceil(1 / rate - 1 - 1e-9)


def threshold_at(controls: Float[np.ndarray, " control"], rate: float, *, level: float = 0.95) -> Threshold:
    """Return the threshold that a new control passes with at most a stated probability.

    It is an order statistic of n controls: if a new one is drawn like them, it lies above the k-th smallest with
    probability (n + 1 - k) / (n + 1) at most, whatever their distribution; over sets of controls the share above it
    follows Beta(n + 1 - k, k). Nothing of this holds for controls drawn otherwise (other texts, other users).

    Raises: ValueError, for fewer controls than the rate needs (`fewest_controls`), NaN or inf.
    Source: split conformal prediction, Vovk et al. 2005; Wilks 1941 (the Beta distribution).
    """
    n, needed = len(controls), fewest_controls(rate)
    if n < needed:
        raise ValueError(
            f"{n} control texts say nothing of a false-positive rate of {rate:g}; give {needed} or more, or ask for a "
            f"rate of {1 / (n + 1):.2g} or more"
        )
    require_finite(controls, what="controls")
    ordered, tail = np.sort(controls), (1 - level) / 2
    k = min(math.ceil((n + 1) * (1 - rate) - 1e-9), n)
    low, high = stats.beta.ppf([tail, 1 - tail], n + 1 - k, k)
    # The score above which a share `rate` lies: binomial counts below it bound its place among the controls.
    below, above = int(stats.binom.ppf(tail, n, 1 - rate)), int(stats.binom.ppf(1 - tail, n, 1 - rate)) + 1
    least = ordered[below - 1] if below >= 1 else -np.inf
    most = ordered[above - 1] if above <= n else np.inf
    value = float(ordered[k - 1])
    promised = Interval((n + 1 - k) / (n + 1), float(low), float(high), level, n)
    return Threshold(value, Interval(value, float(least), float(most), level, n), promised, n)


def recall_at(
    positives: Float[np.ndarray, " positive"],
    controls: Float[np.ndarray, " control"],
    rate: float,
    *,
    clusters: tuple[Labels, Labels] | None = None,
    level: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """Return the share of positives above the threshold that these controls set, at a stated false-positive rate.

    The interval counts both samples as drawn anew, by clusters: percentiles of the bootstrap. Where every positive of
    every resample is found, its lower limit is the exact one of as many independent examples.

    Args:
        clusters: one label per positive and per control; `None` if the examples are independent.

    Raises: ValueError, as `threshold_at`.
    """
    found = (positives > threshold_at(controls, rate, level=level).value).mean()
    labels = (None, None) if clusters is None else clusters
    rng = np.random.default_rng(seed)
    bars = _resampled_bars(controls, rate, labels[1], n_resamples, rng)
    ordered = np.argsort(positives)
    times = _drawn(labels[0], len(positives), n_resamples, rng)[:, ordered]
    above = times[:, ::-1].cumsum(1)[:, ::-1]
    first = np.searchsorted(positives[ordered], bars, side="right")
    hits = np.where(first < len(positives), np.take_along_axis(above, np.minimum(first, len(positives) - 1)[:, None],
                                                               1)[:, 0], 0)  # fmt: skip
    shares = hits / times.sum(1)
    low, high = np.quantile(shares, [(1 - level) / 2, (1 + level) / 2])
    if shares.min() == 1.0:
        low = share_interval(np.ones(len(positives), dtype=bool), level=level).low
    return Interval(float(found), float(min(low, found)), float(max(high, found)), level, len(positives))


def _drawn(labels: Labels | None, n: int, n_resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Return how often each example comes up in each resample of clusters."""
    codes = cluster_codes(labels, n_examples=n)
    n_clusters = int(codes.max()) + 1
    return rng.multinomial(n_clusters, np.full(n_clusters, 1 / n_clusters), size=n_resamples)[:, codes]


def _resampled_bars(
    controls: np.ndarray, rate: float, labels: Labels | None, n_resamples: int, rng: np.random.Generator
) -> Float[np.ndarray, " resample"]:
    """Return the threshold of every resample: the score that the promised share of it does not pass."""
    order = np.argsort(controls)
    bars, block = [], max(1, RESAMPLED_VALUES // len(controls))
    for start in range(0, n_resamples, block):
        times = _drawn(labels, len(controls), min(block, n_resamples - start), rng)[:, order]
        total = times.sum(1)
        place = np.minimum(np.ceil((total + 1) * (1 - rate) - 1e-9), total)
        bars.append(controls[order][(times.cumsum(1) >= place[:, None]).argmax(1)])
    return np.concatenate(bars)
