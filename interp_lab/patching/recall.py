"""How good a choice by estimate was: how many of the largest effects it found, and whether sizes rank alike."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata

from interp_lab.stats.bootstrap import widened_level
from interp_lab.stats.clusters import Labels, cluster_codes, cluster_totals
from interp_lab.types import Interval

_DIGITS = 6
"""Of a size relative to the largest: what float32 can tell apart."""
_RESAMPLED_VALUES = 2**22
"""Numbers per array held at once (32 MiB of float64)."""


def relative_sizes(means: Float[np.ndarray, "site ..."]) -> Float[np.ndarray, "site ..."]:
    """Return absolute values as shares of the largest, from 0 to 1, so far rounded that equal effects are equal."""
    sizes = np.abs(means)
    return np.round(sizes / np.maximum(sizes.max(0), np.finfo(np.float64).tiny), _DIGITS)


def found_of_top(
    exact: Float[np.ndarray, "site example"], kept: Sequence[int], *, top: int
) -> tuple[float, tuple[int, ...]]:
    """Return the share of the `top` largest exact effects that are among the kept, and those that are not.

    Sizes are absolute means over examples. Where several tie for the last places, any of them will do.

    Returns: a share from 0 to 1; indices, largest first.
    """
    sizes = relative_sizes(exact.mean(1))
    order = np.argsort(-sizes, kind="stable")
    last = sizes[order[top - 1]]
    chosen = np.isin(np.arange(len(sizes)), list(kept))
    n_above = int((sizes > last).sum())
    found = int((chosen & (sizes > last)).sum()) + min(int((chosen & (sizes == last)).sum()), top - n_above)
    missed = [int(nth) for nth in order if not chosen[nth] and sizes[nth] >= last]
    return found / top, tuple(missed[: top - found])


def size_correlation(
    estimates: Float[np.ndarray, "site example"],
    exact: Float[np.ndarray, "site example"],
    clusters: Labels | None = None,
    *,
    level: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """Return Spearman's correlation, over sites, between the sizes of mean estimates and of mean exact effects.

    The interval comes from resampling clusters of examples, of estimates and effects alike (percentiles at a level
    widened for few clusters, and stretched to hold the estimate); the sites are taken as they are. It is -1 to 1 where
    there is one cluster, and the correlation is 0 where one side ranks nothing.

    Raises: ValueError, for labels that do not match the examples.
    """
    both = np.stack([estimates, exact])
    n_clusters = int(cluster_codes(clusters, n_examples=both.shape[-1]).max()) + 1
    correlation = float(_correlations(both.mean(-1)[..., None])[0])
    if n_clusters < 2:
        return Interval(correlation, -1.0, 1.0, level, n_clusters)
    totals = cluster_totals(both, clusters)
    drawn = np.random.default_rng(seed).multinomial(n_clusters, np.full(n_clusters, 1 / n_clusters), size=n_resamples)
    size = max(1, _RESAMPLED_VALUES // both[..., 0].size)
    parts = [drawn[start : start + size] for start in range(0, n_resamples, size)]
    resampled = np.concatenate([_correlations(totals.sums @ times.T / (times @ totals.counts)) for times in parts])
    tail = (1 - widened_level(level, n_clusters=n_clusters)) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return Interval(correlation, min(float(low), correlation), max(float(high), correlation), level, n_clusters)


def _correlations(means: Float[np.ndarray, "2 site resample"]) -> Float[np.ndarray, " resample"]:
    """Correlate the ranks of two lists of sizes over sites; 0 where all of one tie."""
    ranks = [rankdata(relative_sizes(side), axis=0) for side in means]
    first, second = (side - side.mean(0) for side in ranks)
    spread = np.sqrt((first**2).sum(0) * (second**2).sum(0))
    return np.where(spread > 0, (first * second).sum(0) / np.where(spread > 0, spread, 1.0), 0.0)
