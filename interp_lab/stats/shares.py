"""Shares: of examples, with an interval that ends where shares do; of a total that is itself uncertain."""

import numpy as np
from jaxtyping import Float
from scipy import stats

from interp_lab.stats.clusters import ROUNDING, Labels, cluster_totals
from interp_lab.types import Interval

HOW_SHARES = (
    "Intervals of shares are over templates and end at 0 and 1 (Korn and Graubard); where all texts agree, those of a "
    "template count as independent of each other."
)
"""What a page says of `bounded_interval`, whose clusters are templates."""


def bounded_interval(
    values: Float[np.ndarray, " example"],
    clusters: Labels | None = None,
    *,
    within: tuple[float, float] = (0.0, 1.0),
    level: float = 0.95,
) -> Interval:
    """Interval of a mean of values that have bounds (of a share 0 and 1); it is never empty, and ends at the bounds.

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
    low, high = within
    if len(values) and (values.min() < low or values.max() > high):
        raise ValueError(f"values from {values.min():g} to {values.max():g} leave the bounds {low:g} and {high:g}")
    totals = cluster_totals(values, clusters)
    n, n_clusters, mean, span = len(values), totals.n_clusters, float(totals.mean), high - low
    tail, share = (1 - level) / 2, (mean - low) / span
    few = float(stats.t.ppf(tail, n - 1) / stats.t.ppf(tail, n_clusters - 1)) ** 2
    if np.ptp(values) <= ROUNDING * span:
        missed = 1 - tail ** (1 / (n * few))  # the share of others that so many may have missed
        return Interval(mean, mean - missed * (mean - low), mean + missed * (high - mean), level, n_clusters)
    between = n_clusters / (n_clusters - 1) * float(np.square(totals.excess()).sum()) / n**2
    worth = few * share * (1 - share) * span**2 / max(between, float(values.var()) / n)
    limits = stats.beta.ppf(
        [tail, 1 - tail], [share * worth, share * worth + 1], [(1 - share) * worth + 1, (1 - share) * worth]
    )
    return Interval(mean, *(float(low + span * limit) for limit in limits), level, n_clusters)


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
