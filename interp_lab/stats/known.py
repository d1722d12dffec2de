"""Means of values that some examples have not: an accuracy that was not asked, an effect that was not measured."""

import numpy as np
from jaxtyping import Float

from interp_lab.stats.bootstrap import mean_interval
from interp_lab.stats.clusters import Labels
from interp_lab.stats.shares import bounded_interval
from interp_lab.types import UNMEASURED, Interval

SHARE, SIGNED = (0.0, 1.0), (-1.0, 1.0)
"""Bounds of shares, and of differences of shares or correlations."""


def known_interval(
    values: Float[np.ndarray, " example"],
    clusters: Labels | None,
    *,
    within: tuple[float, float] | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return the interval of a mean over the examples that have a value; the others hold NaN.

    Args:
        clusters: one label per example; `None` if the examples are independent.
        within: bounds of the values, if they have any (`SHARE`, `SIGNED`); see `bounded_interval`.

    Returns: `UNMEASURED` where those with a value are of fewer than two clusters.
    """
    known = np.isfinite(values)
    own = (np.arange(len(values)) if clusters is None else np.asarray(clusters))[known]
    if len(set(own.tolist())) < 2:
        return UNMEASURED
    if within is not None:
        return bounded_interval(values[known], own, within=within, level=level)
    return mean_interval(values[known], own, level=level, seed=seed)
