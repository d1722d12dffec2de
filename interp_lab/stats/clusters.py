"""Examples that belong together: totals per cluster, the unit that every test and interval here resamples."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

Labels = Sequence[Hashable] | np.ndarray
"""One label per example; equal labels belong together (templates, source texts, seeds)."""

ROUNDING = 1e-12
"""Relative size below which a difference between float64 sums is taken for rounding."""


@dataclass(frozen=True)
class ClusterTotals:
    """Sums and sizes of clusters, all that a mean over examples needs when clusters are the unit."""

    sums: Float[np.ndarray, "*site cluster"]
    counts: Float[np.ndarray, " cluster"]
    """Examples per cluster."""
    magnitude: Float[np.ndarray, "*site"]
    """Largest absolute value among the examples: what rounding is judged against."""

    @property
    def n_clusters(self) -> int:
        """Number of independent units."""
        return len(self.counts)

    @property
    def mean(self) -> Float[np.ndarray, "*site"]:
        """Mean over examples: the ratio of sums, so that a large cluster weighs more."""
        return np.asarray(self.sums.sum(-1) / self.counts.sum())

    def excess(self) -> Float[np.ndarray, "*site cluster"]:
        """Return by how much each cluster's sum exceeds what the overall mean predicts for its size.

        Sums to zero over clusters; differences that rounding explains are exactly zero.
        """
        excess = self.sums - self.mean[..., None] * self.counts
        return np.where(np.abs(excess) <= ROUNDING * self.magnitude[..., None] * self.counts, 0.0, excess)


def cluster_totals(values: Float[np.ndarray, "*site example"], clusters: Labels | None = None) -> ClusterTotals:
    """Add up values by cluster, in float64.

    Args:
        values: one number per site and example.
        clusters: one label per example; `None` makes every example its own cluster.

    Raises: ValueError, if there are fewer than two clusters, a label too many or too few, or NaN or inf in `values`.
    """
    values = np.asarray(values, dtype=np.float64)
    require_finite(values)
    codes = cluster_codes(clusters, n_examples=values.shape[-1])
    counts = np.bincount(codes).astype(np.float64)
    if len(counts) < 2:
        raise ValueError(
            f"{len(counts)} cluster among {values.shape[-1]} examples says nothing about the spread between clusters; "
            "give at least 2 (more templates), or clusters=None if the examples are independent of each other"
        )
    order = np.argsort(codes, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts[:-1])]).astype(np.intp)
    sums = np.add.reduceat(values[..., order], starts, axis=-1)
    return ClusterTotals(sums, counts, np.asarray(np.abs(values).max(-1)))


def cluster_codes(clusters: Labels | None, *, n_examples: int) -> Int[np.ndarray, " example"]:
    """Number the clusters 0, 1, ... in order of first appearance and return each example's number.

    Raises: ValueError, if there is not one label per example.
    """
    if clusters is None:
        return np.arange(n_examples)
    if len(clusters) != n_examples:
        raise ValueError(f"{len(clusters)} cluster labels for {n_examples} examples; give one label per example")
    labels = clusters.tolist() if isinstance(clusters, np.ndarray) else clusters
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(label, len(numbers)) for label in labels], dtype=np.int64)


def require_finite(values: np.ndarray, *, what: str = "values") -> None:
    """Refuse an empty array and one with NaN or inf.

    Raises: ValueError, naming the first such place and how many there are.
    """
    if values.size == 0:
        raise ValueError(f"{what} is empty (shape {values.shape}); give at least two examples")
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        *site, example = (int(i) for i in bad[0])
        at = f"site {tuple(site)}, example {example}" if site else f"example {example}"
        raise ValueError(
            f"{what} is {values[tuple(bad[0])]} at {at} ({len(bad)} of {values.size} not finite); "
            "find out why, or leave those examples out of every condition"
        )
