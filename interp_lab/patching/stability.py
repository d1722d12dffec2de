"""Would other prompts have named the same sites? The overlap of the top sites over resampled prompts."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped


@dataclass(frozen=True)
class Stability:
    """Overlap between the top sites of all prompts and those of resampled prompts."""

    jaccard: Float[np.ndarray, " resample"]
    """Size of the intersection by that of the union; 1 if the same sites come out on top."""
    chance: float
    """What two random choices of as many sites would share, on average."""
    k: int

    @property
    def mean(self) -> float:
        """Mean overlap."""
        return float(self.jaccard.mean())

    def spread(self, level: float = 0.95) -> tuple[float, float]:
        """Return the quantiles of the overlap between which that share of resamples lies."""
        low, high = np.quantile(self.jaccard, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)


def top_site_stability(
    effects: Float[np.ndarray, "site example"],
    clusters: Shaped[np.ndarray, " example"],
    *,
    k: int,
    n_resamples: int = 500,
    seed: int = 0,
) -> Stability:
    """Resample clusters of prompts, rank sites by their mean effect each time, and compare the first `k`.

    No forward pass is needed: effects are kept prompt by prompt.

    Raises: ValueError, unless `k` is at least 1 and below the number of sites, and there are two clusters.
    Source: Meloux et al. 2025, arXiv 2510.00845 (stability of circuits under bootstrap), here for sites.
    """
    n_sites = len(effects)
    if not 1 <= k < n_sites:
        raise ValueError(f"k={k} of {n_sites} sites: choose at least one, and not all")
    names, codes = np.unique(clusters, return_inverse=True)
    if len(names) < 2:
        raise ValueError("all prompts are of one cluster; nothing can be resampled")
    sums = np.stack([effects[:, codes == code].sum(1) for code in range(len(names))], axis=1)
    counts = np.bincount(codes)
    drawn = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), size=n_resamples)
    means = (drawn @ sums.T) / (drawn @ counts)[:, None]
    own = _is_top(effects.mean(1)[None], k)
    shared = (_is_top(means, k) & own).sum(1)
    return Stability(shared / (2 * k - shared), chance=expected_overlap(n_sites, k), k=k)


def _is_top(means: Float[np.ndarray, "row site"], k: int) -> np.ndarray:
    top = np.argsort(-np.abs(means), axis=1, kind="stable")[:, :k]
    marked = np.zeros(means.shape, dtype=bool)
    np.put_along_axis(marked, top, values=True, axis=1)
    return marked


def expected_overlap(n_sites: int, k: int) -> float:
    """Return the mean Jaccard index of two random sets of `k` out of `n_sites` (hypergeometric)."""
    from scipy.stats import hypergeom

    shared = np.arange(k + 1)
    return float((hypergeom.pmf(shared, n_sites, k, k) * shared / (2 * k - shared)).sum())
