"""What the selection split says should be tested: chosen parts, an order to ablate them in, heads and stand-ins."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from jaxtyping import Float, Int

from interp_lab.patching.ablating.config import AblatingConfig
from interp_lab.patching.ablating.parts import AblatedSites
from interp_lab.patching.ablating.splits import AblatedSplit
from interp_lab.stats import bootstrap_interval, paired_difference

FEWEST_CONTROLS = 4
"""Other parts of the same map from which they are a control; with fewer, those of all maps are."""


@dataclass(frozen=True)
class Plan:
    """What is measured on the other splits, besides every part alone."""

    chosen: Int[np.ndarray, " chosen"]
    """Sites that do most when they are ablated, map by map."""
    orders: Int[np.ndarray, "order step"]
    """Sites from the most needed on, and then as many in random orders."""
    backups: Int[np.ndarray, "backup 3"]
    """Kind of ablation, a head that writes the answer and is not missed, and the head that seems to stand in for it."""


def lost(changes: Float[np.ndarray, "*site example"], *, cost: bool) -> Float[np.ndarray, "*site example"]:
    """Return how much worse ablation makes it: what the metric falls by, or rises by if it is a cost."""
    return changes if cost else -changes


def margin_of(split: AblatedSplit, config: AblatingConfig) -> float:
    """Return the smallest effect of interest on a split, in the unit of the metric."""
    return config.smallest_effect * abs(float((split.clean - split.corrupted).mean()))


def choose(select: AblatedSplit, sites: AblatedSites, config: AblatingConfig) -> Int[np.ndarray, " chosen"]:
    """Return the sites of each map with the largest effects under the first ablation.

    Of those that are clear of zero, corrected over all sites (Benjamini and Hochberg), and beyond the smallest effect.
    """
    changes = select.changes[0]
    test = paired_difference(changes, np.zeros_like(changes[:1]), select.clusters, level=config.level, seed=config.seed)
    size = np.abs(changes.mean(-1))
    size[(test.p_adjusted() >= config.fdr) | (size <= margin_of(select, config))] = 0.0
    found: list[int] = []
    for name in config.sites:
        own = sites.of(name)
        largest = own[np.argsort(-size[own], kind="stable")][: config.n_top]
        found += [int(site) for site in largest if size[site] > 0]
    return np.array(found, dtype=np.int64)


def orders(
    select: AblatedSplit, sites: AblatedSites, config: AblatingConfig, *, cost: bool
) -> Int[np.ndarray, "order step"]:
    """Return sites from the most needed on, under the first ablation, and random orders of as many sites."""
    apart, rng = sites.apart, np.random.default_rng(config.seed)
    need = lost(select.changes[0], cost=cost).mean(-1)[apart]
    n = min(config.n_cumulative, len(apart))
    own = apart[np.argsort(-need, kind="stable")][:n]
    return np.stack([own, *(rng.permutation(apart)[:n] for _ in range(config.n_random_sets))])


def candidates(
    select: AblatedSplit, sites: AblatedSites, config: AblatingConfig, *, cost: bool
) -> list[tuple[int, int]]:
    """Return kinds of ablation and heads that clearly write the answer and are missed by less than half of that."""
    heads = sites.heads
    if len(heads) < 2 or not np.isfinite(select.direct).all():
        return []
    written = bootstrap_interval(select.direct[heads], select.clusters, level=config.level, seed=config.seed)
    writes = written.low > margin_of(select, config)
    found: list[tuple[int, int]] = []
    for kind in range(len(config.ablations)):
        missed = lost(select.changes[kind, heads], cost=cost).mean(-1)
        beyond = np.where(writes & (missed < written.estimate / 2), written.estimate - missed, -np.inf)
        best = np.argsort(-beyond, kind="stable")[: config.n_backups]
        found += [(kind, int(heads[head])) for head in best if np.isfinite(beyond[head])]
    return found


def with_partners(
    select: AblatedSplit, sites: AblatedSites, wanted: Sequence[tuple[int, int]], *, cost: bool
) -> Int[np.ndarray, "backup 3"]:
    """Return each candidate with the head that it is most missed with, beyond what both are missed alone."""
    excess = lost(excess_of_pairs(select, sites, wanted), cost=cost).mean(-1)
    found = [
        (kind, head, int(sites.heads[np.nanargmax(own)])) for (kind, head), own in zip(wanted, excess, strict=True)
    ]
    return np.array(found, dtype=np.int64).reshape(-1, 3)


def excess_of_pairs(
    split: AblatedSplit, sites: AblatedSites, wanted: Sequence[tuple[int, int]]
) -> Float[np.ndarray, "backup head example"]:
    """Return what ablating each candidate and every head together changes beyond the sum of both; NaN with itself."""
    alone = [split.changes[kind, sites.heads] + split.changes[kind, head] for kind, head in wanted]
    return split.pairs - (np.stack(alone) if alone else np.zeros_like(split.pairs))


def control_pool(chosen: Int[np.ndarray, " chosen"], sites: AblatedSites, *, of: str) -> Int[np.ndarray, " _"]:
    """Return the sites that were not chosen: of the same map, or of all where those are too few."""
    others = np.setdiff1d(np.arange(len(sites.sites)), chosen)
    own = others[np.array(sites.maps)[others] == of]
    return own if len(own) >= FEWEST_CONTROLS else np.intersect1d(others, sites.apart)


def random_sets(pool: Int[np.ndarray, " _"], size: int, *, n: int, seed: int) -> list[tuple[int, ...]]:
    """Return up to `n` different sets of `size` sites of a pool; none where there is no choice."""
    there = comb(len(pool), size)
    if size < 1 or there < 2:
        return []
    rng, drawn = np.random.default_rng(seed), dict[tuple[int, ...], None]()
    while len(drawn) < min(n, there):
        drawn[tuple(sorted(rng.choice(pool, size=size, replace=False).tolist()))] = None
    return list(drawn)
