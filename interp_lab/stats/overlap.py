"""How far two choices of the largest among many agree."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import hypergeom

from interp_lab.stats.correlation import of_largest


@dataclass(frozen=True)
class Overlap:
    """Overlap of the `k` that are chosen from all examples with those chosen from resampled ones."""

    jaccard: Float[np.ndarray, " resample"]
    """Size of the intersection by that of the union; 1 if the same come out on top."""
    chance: float
    """What two random choices of as many would share, on average."""
    k: int

    @property
    def mean(self) -> float:
        """Mean overlap."""
        return float(self.jaccard.mean())

    def spread(self, level: float = 0.95) -> tuple[float, float]:
        """Return the quantiles of the overlap between which that share of resamples lies."""
        low, high = np.quantile(self.jaccard, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)


def is_top(means: Float[np.ndarray, "draw site"], k: int) -> Bool[np.ndarray, "draw site"]:
    """Return which are among the `k` largest in size, draw by draw; what differs by rounding ties, the first wins."""
    sizes = np.abs(of_largest(means.T).T)
    top = np.argsort(-sizes, axis=1, kind="stable")[:, :k]
    marked = np.zeros(means.shape, dtype=bool)
    np.put_along_axis(marked, top, values=True, axis=1)
    return marked


def jaccard(first: Bool[np.ndarray, "_ site"], second: Bool[np.ndarray, "_ site"]) -> Float[np.ndarray, " draw"]:
    """Return the size of the intersection by that of the union, row by row; one row stands beside all of the other."""
    return (first & second).sum(1) / (first | second).sum(1)


def expected_overlap(n_sites: int, k: int) -> float:
    """Return the mean Jaccard index of two random sets of `k` out of `n_sites` (hypergeometric)."""
    shared = np.arange(k + 1)
    return float((hypergeom.pmf(shared, n_sites, k, k) * shared / (2 * k - shared)).sum())
