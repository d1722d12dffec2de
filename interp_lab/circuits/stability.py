"""Would other prompts have given the same circuit, and how many prompts does that take?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from interp_lab.stats.clusters import Labels, cluster_totals
from interp_lab.stats.overlap import Overlap, expected_overlap, is_top, jaccard


@dataclass(frozen=True)
class CircuitStability(Overlap):
    """Overlap (Jaccard, 0 to 1) of the circuits of the `k` largest scores, over other draws of the same prompts."""

    n_prompts: Float[np.ndarray, " size"]
    """Mean number of prompts in each half of a split; at most half of all."""
    overlap: Float[np.ndarray, "size split"]
    """Of the circuits that two sets of so many prompts give, which share no cluster."""

    def needed(self, bar: float = 0.8) -> float | None:
        """Return the number of prompts from which two sets of them give circuits that overlap by the bar, on average.

        Returns: `None` where half of the prompts do not suffice: the curve is not continued beyond what was measured.
        Raises: ValueError, for a bar outside (0, 1].
        Source: Meloux et al. 2025, arXiv 2510.00845, for the bar.
        """
        if not 0 < bar <= 1:
            raise ValueError(f"bar={bar} is no overlap; give a share above 0, up to 1")
        below = np.flatnonzero(self.overlap.mean(1) < bar)
        first = int(below[-1]) + 1 if len(below) else 0
        return float(self.n_prompts[first]) if first < len(self.n_prompts) else None

    def told(self, bar: float = 0.8) -> str:
        """Return what `needed` does as words: `40` or `more than 120`."""
        needed = self.needed(bar)
        return f"more than {self.n_prompts[-1]:g}" if needed is None else f"{needed:g}"


def circuit_stability(
    scores: Float[np.ndarray, "edge example"],
    *,
    k: int,
    clusters: Labels | None = None,
    sizes: Sequence[int] | None = None,
    n_resamples: int = 500,
    n_splits: int = 100,
    seed: int = 0,
) -> CircuitStability:
    """Choose the circuit of the `k` edges with the largest mean scores again and again, on other draws of the prompts.

    No forward pass is needed: scores are kept prompt by prompt. Sizes are compared to six digits of the largest, and
    ties go to the first. Resampled prompts are compared with all of them, of which they are a part; sets without a
    common cluster with each other, which is what two studies would share.

    Args:
        scores: with sign, of every edge on every prompt; an edge's score is the size of the mean.
        clusters: one label per prompt, usually its template: what is drawn; `None` if prompts are independent.
        sizes: clusters in each half of a split, ascending; `None` for every doubling up to half of all.

    Raises: ValueError, unless `k` is at least 1 and below the number of edges, there are two clusters or more, and
        sizes are ascending, from 1 to half of the clusters.
    Source: Meloux et al. 2025, arXiv 2510.00845 (bootstrap, Jaccard); the halves are ours.
    """
    n_edges, totals = len(scores), cluster_totals(scores, clusters)
    if not 1 <= k < n_edges:
        raise ValueError(f"k={k} of {n_edges} edges: choose at least one, and not all")
    n = totals.n_clusters
    rng = np.random.default_rng(seed)

    def chosen(times: Float[np.ndarray, "draw cluster"]) -> np.ndarray:
        return is_top((totals.sums @ times.T / (times @ totals.counts)).T, k)

    drawn = rng.multinomial(n, np.full(n, 1 / n), size=n_resamples).astype(np.float64)
    overlap, n_prompts = [], []
    for size in _sizes(sizes, n):
        places = np.stack([rng.permutation(n) for _ in range(n_splits)])
        halves = [((places >= start) & (places < start + size)).astype(np.float64) for start in (0, size)]
        overlap.append(jaccard(chosen(halves[0]), chosen(halves[1])))
        n_prompts.append(np.mean([half @ totals.counts for half in halves]))
    return CircuitStability(
        jaccard(chosen(drawn), chosen(np.ones((1, n)))), expected_overlap(n_edges, k), k,
        np.array(n_prompts, dtype=np.float64), np.stack(overlap),
    )  # fmt: skip


def _sizes(asked: Sequence[int] | None, n: int) -> list[int]:
    if asked is None:
        return sorted({n // 2, *(2**power for power in range(n.bit_length()) if 2 ** (power + 1) <= n)})
    if not asked or list(asked) != sorted(set(asked)) or asked[0] < 1 or 2 * asked[-1] > n:
        raise ValueError(
            f"sizes {list(asked)} cannot be drawn twice from {n} clusters; give them ascending, from 1 to {n // 2}"
        )
    return list(asked)
