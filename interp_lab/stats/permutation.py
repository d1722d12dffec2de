"""Permutation tests on means over examples, with clusters as the exchangeable units."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from interp_lab.stats.clusters import ROUNDING, Labels, cluster_codes, cluster_totals

Alternative = Literal["two-sided", "greater", "less"]
_BLOCK_VALUES = 2**22


@dataclass(frozen=True)
class PermutationResult:
    """What a permutation test found at every site."""

    statistic: Float[np.ndarray, "*site"]
    """Observed mean or difference of means, in the unit of the values."""
    p: Float[np.ndarray, "*site"]
    smallest_p: float
    """The least p that this many clusters and permutations could give; above your level, the test cannot reject."""
    exact: bool
    """Whether all permutations were gone through, rather than a random sample of them."""


def sign_flip_test(
    values: Float[np.ndarray, "*site example"],
    clusters: Labels | None = None,
    *,
    alternative: Alternative = "two-sided",
    n_resamples: int = 19_999,
    seed: int = 0,
) -> PermutationResult:
    """Test whether the mean over examples is zero, by flipping the signs of whole clusters.

    Under the null a cluster's sum is as likely as its negative. Exact when all `2 ** n_clusters` patterns fit into
    `n_resamples + 1`; otherwise the observed pattern counts as one of the permutations, so that p is never zero. With
    n clusters p cannot fall below `2 ** (1 - n)` (two-sided): 5 templates can never give p < 0.06.

    Args:
        values: paired differences, or anything that is symmetric about zero under the null.
        clusters: one label per example; `None` if the examples are independent.
        alternative: `greater` if a positive mean is what would count.
        n_resamples: the default resolves p = 0.00005, enough for 1,000 sites under Benjamini-Hochberg at 5%.
        seed: same seed, same permutations, whatever else is tested beside.

    Raises: ValueError, as `cluster_totals`.
    Source: Phipson and Smyth 2010, arXiv 1603.05766 (random permutations: add one to both counts).
    """
    totals = cluster_totals(values, clusters)
    n = totals.n_clusters
    flat = totals.sums.reshape(-1, n)
    units = flat / np.maximum(np.abs(flat).max(-1, keepdims=True), np.finfo(np.float64).tiny)
    exact = 2**n <= n_resamples + 1
    n_permutations = 2**n if exact else n_resamples
    extreme = np.zeros(len(units))
    for signs in _signs(n, n_permutations=n_permutations, exact=exact, width=max(n, len(units)), seed=seed):
        extreme += _count_extreme(units @ signs.T, units.sum(-1), tolerance=ROUNDING * n, alternative=alternative)
    symmetric = 2 if alternative == "two-sided" else 1
    return _result(totals.mean, extreme, n_permutations=n_permutations, exact=exact, n_best=symmetric)


def two_sample_test(
    values: Float[np.ndarray, "*site example"],
    in_first: Bool[np.ndarray, " label"],
    clusters: Labels | None = None,
    *,
    alternative: Alternative = "two-sided",
    n_resamples: int = 19_999,
    seed: int = 0,
) -> PermutationResult:
    """Test whether two groups of examples have the same mean, by permuting which clusters form the first group.

    The statistic is the mean of the first group minus that of the rest. Exact when all choices fit into
    `n_resamples + 1`.

    Args:
        values: one number per site and example.
        in_first: which examples form the first group.
        clusters: one label per example; each cluster must lie within one group. `None` if examples are independent.
        alternative: `greater` if a larger mean of the first group is what would count.
        n_resamples: as in `sign_flip_test`.
        seed: as in `sign_flip_test`.

    Raises: ValueError, if a group is empty, a cluster lies in both, or as `cluster_totals`.
    """
    totals = cluster_totals(values, clusters)
    n = totals.n_clusters
    member = _cluster_membership(in_first, clusters, n_examples=values.shape[-1], n_clusters=n)
    centred = totals.excess().reshape(-1, n)  # groups differ as before, and large offsets no longer cost digits
    units = centred / np.maximum(np.abs(centred).max(-1, keepdims=True), np.finfo(np.float64).tiny)
    n_first = int(member.sum())
    n_choices = math.comb(n, n_first)
    exact = n_choices <= n_resamples + 1
    n_permutations = n_choices if exact else n_resamples
    sizes = totals.counts / totals.counts.mean()
    observed = _group_difference(units, sizes, member[None])[:, 0]
    extreme = np.zeros(len(units))
    for chosen in _choices(n, n_first, exact=exact, n_permutations=n_permutations, width=max(n, len(units)), seed=seed):
        difference = _group_difference(units, sizes, chosen)
        extreme += _count_extreme(difference, observed, tolerance=ROUNDING * n, alternative=alternative)
    statistic = _group_difference(totals.sums.reshape(-1, n), totals.counts, member[None])
    mirrored = alternative == "two-sided" and 2 * n_first == n  # groups that change places: the same size, other sign
    return _result(
        np.asarray(statistic.reshape(totals.mean.shape)),
        extreme,
        n_permutations=n_permutations,
        exact=exact,
        n_best=2 if mirrored else 1,
    )


def _result(
    statistic: Float[np.ndarray, "*site"],
    extreme: Float[np.ndarray, " flat"],
    *,
    n_permutations: int,
    exact: bool,
    n_best: int,
) -> PermutationResult:
    """Turn counts into p-values; the observed arrangement is among the exact ones, and added to random ones.

    `n_best` is how many arrangements tie with the most extreme one by symmetry.
    """
    p = extreme / n_permutations if exact else (extreme + 1) / (n_permutations + 1)
    smallest = n_best / n_permutations if exact else 1 / (n_permutations + 1)
    return PermutationResult(statistic, np.asarray(p.reshape(statistic.shape)), smallest, exact)


def _count_extreme(
    permuted: Float[np.ndarray, "flat permutation"],
    observed: Float[np.ndarray, " flat"],
    *,
    tolerance: float,
    alternative: Alternative,
) -> Float[np.ndarray, " flat"]:
    if alternative == "less":
        permuted, observed = -permuted, -observed
    if alternative == "two-sided":
        permuted, observed = np.abs(permuted), np.abs(observed)
    return (permuted >= observed[:, None] - tolerance).sum(-1).astype(np.float64)


def _blocks(n_permutations: int, width: int) -> Iterator[tuple[int, int]]:
    size = max(1, _BLOCK_VALUES // width)
    for start in range(0, n_permutations, size):
        yield start, min(start + size, n_permutations)


def _signs(
    n_clusters: int, *, n_permutations: int, exact: bool, width: int, seed: int
) -> Iterator[Float[np.ndarray, "permutation cluster"]]:
    rng = np.random.default_rng(seed)
    for start, stop in _blocks(n_permutations, width):
        if exact:
            flipped = (np.arange(start, stop)[:, None] >> np.arange(n_clusters)) & 1
        else:  # one double per sign, so that the stream does not depend on the block size
            flipped = rng.random((stop - start, n_clusters)) < 0.5
        yield np.where(flipped, -1.0, 1.0)


def _choices(
    n_clusters: int, n_first: int, *, exact: bool, n_permutations: int, width: int, seed: int
) -> Iterator[Bool[np.ndarray, "permutation cluster"]]:
    rng = np.random.default_rng(seed)
    every = combinations(range(n_clusters), n_first)
    for start, stop in _blocks(n_permutations, width):
        if exact:
            first = np.array([next(every) for _ in range(stop - start)])
        else:
            first = rng.random((stop - start, n_clusters)).argsort(-1)[:, :n_first]
        chosen = np.zeros((stop - start, n_clusters), dtype=bool)
        np.put_along_axis(chosen, first, True, axis=-1)
        yield chosen


def _group_difference(
    sums: Float[np.ndarray, "flat cluster"],
    counts: Float[np.ndarray, " cluster"],
    first: Bool[np.ndarray, "permutation cluster"],
) -> Float[np.ndarray, "flat permutation"]:
    weights = first.astype(np.float64)
    n_first = weights @ counts
    total = sums @ weights.T
    return total / n_first - (sums.sum(-1, keepdims=True) - total) / (counts.sum() - n_first)


def _cluster_membership(
    in_first: Bool[np.ndarray, " label"], clusters: Labels | None, *, n_examples: int, n_clusters: int
) -> Bool[np.ndarray, " cluster"]:
    if len(in_first) != n_examples:
        raise ValueError(f"in_first has {len(in_first)} entries for {n_examples} examples; give one per example")
    codes = cluster_codes(clusters, n_examples=n_examples)
    share = np.bincount(codes, weights=in_first) / np.bincount(codes)
    mixed = np.flatnonzero((share > 0) & (share < 1))
    if len(mixed):
        label = clusters[int(np.flatnonzero(codes == mixed[0])[0])] if clusters is not None else mixed[0]
        raise ValueError(
            f"cluster {label!r} has examples in both groups ({len(mixed)} of {n_clusters} clusters do); "
            "compare within clusters with paired_difference instead"
        )
    member = share == 1
    if member.all() or not member.any():
        raise ValueError(f"in_first puts all {n_clusters} clusters into one group; both groups need at least one")
    return member
