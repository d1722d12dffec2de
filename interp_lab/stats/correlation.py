"""Whether two measurements rank sites alike, when clusters of examples are the independent units."""

from collections.abc import Callable
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata

from interp_lab.stats.bootstrap import RESAMPLED_VALUES, widened_level
from interp_lab.stats.clusters import Labels, cluster_codes, cluster_totals
from interp_lab.types import Interval

Compared = Literal["values", "ranks", "size ranks"]

_DIGITS = 6
"""Of a mean relative to the largest: what single-precision runs can tell apart."""


def of_largest(means: Float[np.ndarray, "site ..."]) -> Float[np.ndarray, "site ..."]:
    """Return means as shares of the largest size, from -1 to 1, so far rounded that equal effects are equal."""
    return np.round(means / np.maximum(np.abs(means).max(0), np.finfo(np.float64).tiny), _DIGITS)


def site_correlation(
    first: Float[np.ndarray, "site example"],
    second: Float[np.ndarray, "site example"],
    clusters: Labels | None = None,
    *,
    of: Compared,
    level: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Return the correlation, over sites, between the means of two measurements on the same examples.

    The interval resamples clusters of examples, of both alike, and leaves the sites as they are: it says what other
    prompts would give, not other sites (percentiles at a level widened for few clusters, and stretched to hold the
    estimate). Resampling adds noise, which pulls correlations towards zero, so with few prompts the estimate may lie
    near the upper end.

    Args:
        of: means as they are (Pearson), their ranks (Spearman; means that differ by rounding tie), or the ranks of
            their sizes.

    Returns: from -1 to 1; 0 where one side ranks nothing; an interval of -1 to 1 where there is one cluster.
    Raises: ValueError, for labels that do not match the examples, or NaN or inf.
    """
    both, scored = np.stack([first, second]), _SCORES[of]
    n = int(cluster_codes(clusters, n_examples=both.shape[-1]).max()) + 1
    if n < 2:
        return Interval(float(_pearson(scored(both.mean(-1)[..., None]))[0]), -1.0, 1.0, level, n)
    totals = cluster_totals(both, clusters)
    estimate = float(_pearson(scored(totals.mean[..., None]))[0])
    times = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=n_resamples)
    blocks = np.array_split(times, max(1, n_resamples * both[..., 0].size // RESAMPLED_VALUES))
    found = np.concatenate([_pearson(scored(totals.sums @ block.T / (block @ totals.counts))) for block in blocks])
    tail = (1 - widened_level(level, n_clusters=n)) / 2
    low, high = (float(bound) for bound in np.quantile(found, [tail, 1 - tail]))
    return Interval(estimate, min(low, estimate), max(high, estimate), level, n)


def _pearson(both: Float[np.ndarray, "2 site resample"]) -> Float[np.ndarray, " resample"]:
    first, second = both - both.mean(1, keepdims=True)
    spread = np.sqrt(np.square(first).sum(0) * np.square(second).sum(0))
    return (first * second).sum(0) / np.where(spread == 0, 1, spread)


def _ranks(both: Float[np.ndarray, "2 site resample"]) -> Float[np.ndarray, "2 site resample"]:
    return np.stack([rankdata(of_largest(side), axis=0) for side in both])


_SCORES: dict[Compared, Callable[[np.ndarray], np.ndarray]] = {
    "values": lambda both: both,
    "ranks": _ranks,
    "size ranks": lambda both: _ranks(np.abs(both)),
}
