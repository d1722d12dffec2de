"""Shares: of examples, with an interval that ends where shares do; of a total that is itself uncertain."""

import numpy as np
from jaxtyping import Bool, Float
from scipy import stats

from interp_lab.stats.bootstrap import Intervals
from interp_lab.stats.clusters import ROUNDING, Labels, cluster_totals
from interp_lab.types import Interval

FLOAT32 = 1e-6
"""Share of the span by which a probability may leave its bounds by rounding."""

HOW_SHARES = (
    "Intervals of shares are over templates and end at 0 and 1 (Korn and Graubard); where all texts agree, those of a "
    "template count as independent of each other."
)
"""What a page says of `bounded_interval`, whose clusters are templates."""


def bounded_intervals(
    values: Float[np.ndarray, "*site example"],
    clusters: Labels | None = None,
    *,
    within: tuple[float, float] = (0.0, 1.0),
    level: float = 0.95,
) -> Intervals:
    """Intervals of means of values that have bounds (of shares 0 and 1); they are never empty, and end at the bounds.

    That of Clopper and Pearson for as many independent examples as would tell as much as these: their number over the
    design effect of the clusters, which never counts as below 1, and less than that where clusters are few.

    Where all examples agree, nothing says how those of a cluster hang together, and they count as independent. Of
    95% intervals 94% or more held the truth in 500 simulations each (4 templates of 16 texts, 8 of 8; shares 0.5 to
    0.99; correlation within a template up to 0.3). Where all texts of a template always go the same way, 61% (share
    0.8, 4 templates) and 82% (8) did: the four or eight then often agree by chance.

    Args:
        clusters: one label per example, usually its template; `None` if the examples are independent.
        within: bounds of the values.

    Raises: ValueError, for values beyond the bounds, or as `cluster_totals`.
    Source: Korn and Graubard 1998 (Survey Methodology 24); of values between the bounds the variance takes the place
        of that of zeros and ones.
    """
    (low, high), span = within, within[1] - within[0]
    if values.size and (values.min() < low - FLOAT32 * span or values.max() > high + FLOAT32 * span):
        raise ValueError(f"values from {values.min():g} to {values.max():g} leave the bounds {low:g} and {high:g}")
    values = values.clip(low, high)
    totals = cluster_totals(values, clusters)
    n, n_clusters, mean = values.shape[-1], totals.n_clusters, totals.mean
    tail, share = (1 - level) / 2, (mean - low) / span
    few = float(stats.t.ppf(tail, n - 1) / stats.t.ppf(tail, n_clusters - 1)) ** 2
    spread = values.var(-1) / n
    if n_clusters < n:
        between = n_clusters / (n_clusters - 1) * np.square(totals.excess()).sum(-1) / n**2
        spread = np.maximum(spread, between)
    agree = np.ptp(values, -1) <= ROUNDING * span
    worth = few * share * (1 - share) * span**2 / np.where(agree, 1.0, spread)
    limits = stats.beta.ppf(
        [[tail], [1 - tail]],
        np.stack([share * worth, share * worth + 1]).reshape(2, -1),
        np.stack([(1 - share) * worth + 1, (1 - share) * worth]).reshape(2, -1),
    )
    below, above = (low + span * limit.reshape(mean.shape) for limit in limits)
    missed = 1 - tail ** (1 / (n * few))  # the share of others that so many may have missed
    below = np.where(agree, mean - missed * (mean - low), below)
    above = np.where(agree, mean + missed * (high - mean), above)
    return Intervals(mean, below, above, level, n_clusters, "exact")


def bounded_interval(
    values: Float[np.ndarray, " example"],
    clusters: Labels | None = None,
    *,
    within: tuple[float, float] = (0.0, 1.0),
    level: float = 0.95,
) -> Interval:
    """Interval of one mean; see `bounded_intervals`."""
    return bounded_intervals(values, clusters, within=within, level=level).at()


def share_interval(hits: Bool[np.ndarray, " example"], *, level: float = 0.95) -> Interval:
    """Return a share with its exact interval, for examples that are independent of each other.

    Raises: ValueError, for no examples.
    Source: Clopper and Pearson 1934.
    """
    n, k = len(hits), int(hits.sum())
    if n == 0:
        raise ValueError("a share of no examples is none; give at least one")
    tail = (1 - level) / 2
    low = 0.0 if k == 0 else float(stats.beta.ppf(tail, k, n - k + 1))
    high = 1.0 if k == n else float(stats.beta.ppf(1 - tail, k + 1, n - k))
    return Interval(k / n, low, high, level, n)


def ratio_of_means(
    parts: Float[np.ndarray, "*site example"], total: Float[np.ndarray, " example"]
) -> Float[np.ndarray, "*site example"]:
    """Return values whose mean is the share mean(part) / mean(total), and whose spread is that of the ratio.

    Both means are uncertain; to first order, the ratio r varies as the mean of r + (part - r total) / mean(total). The
    share means something only where the total is clear of zero: ask that first.

    Source: the delta method for ratios (any text on survey sampling).
    """
    ratio = parts.mean(-1, keepdims=True) / total.mean()
    return ratio + (parts - ratio * total) / total.mean()
