"""What the selection split says should be tested: chosen parts, an order to ablate them in, heads and stand-ins."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from jaxtyping import Float, Int

from interp_lab.effects.confirming import places_of
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


def stated(names: Sequence[str], sites: AblatedSites, config: AblatingConfig) -> Plan:
    """Return what is tested where it was stated in advance; one part is ablated on top of the other as they were named.

    Raises: ValueError, for a name that is of no part, or a head that is to stand in for itself.
    """
    pairs = [tuple(name.split("+")) for name in names if "+" in name]
    alone = places_of([name for name in names if "+" not in name], sites.names, what="part in the maps of sites")
    heads = [sites.names[nth] for nth in sites.heads]
    for pair in pairs:
        if len(set(pair)) != 2:
            raise ValueError(f"chosen names {'+'.join(pair)!r}; name two different heads, as '0.1+0.2'")
    found = [[int(sites.heads[nth]) for nth in places_of(pair, heads, what="head in the map 'z'")] for pair in pairs]
    every = list(dict.fromkeys([*alone, *(head for pair in found for head in pair)]))
    own = np.array([site for site in every if site in sites.apart] or every, dtype=np.int64)
    backups = np.array([(0, *pair) for pair in found], dtype=np.int64).reshape(-1, 3)
    return Plan(np.array(alone, dtype=np.int64), _beside_random(own, sites, config), backups)


def orders(
    select: AblatedSplit, sites: AblatedSites, config: AblatingConfig, *, cost: bool
) -> Int[np.ndarray, "order step"]:
    """Return sites from the most needed on, under the first ablation, and random orders of as many sites."""
    need = lost(select.changes[0], cost=cost).mean(-1)[sites.apart]
    own = sites.apart[np.argsort(-need, kind="stable")][: config.n_cumulative]
    return _beside_random(own, sites, config)


def _beside_random(
    own: Int[np.ndarray, " step"], sites: AblatedSites, config: AblatingConfig
) -> Int[np.ndarray, "order step"]:
    rng = np.random.default_rng(config.seed)
    return np.stack([own, *(rng.permutation(sites.apart)[: len(own)] for _ in range(config.n_random_sets))])


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
