"""Does a ranking of edges find the true ones? For models whose circuit is known."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata

from interp_lab.circuits.curves import require_numbers
from interp_lab.edges import Edge
from interp_lab.stats import of_largest
from interp_lab.stats.bootstrap import widened_level
from interp_lab.stats.clusters import Labels, cluster_totals
from interp_lab.types import Interval


def auroc(scores: Mapping[Edge, float], true_edges: AbstractSet[Edge], *, among: Iterable[Edge] | None = None) -> float:
    """Return the probability that a true edge is ranked above one that is not, ties counting half.

    True edges that the ranking leaves out were missed: they come last, behind every edge that has a score. So do the
    other edges of `among` that it leaves out, which are then tied with them.

    Args:
        scores: the higher, the more an edge is held to belong to the circuit.
        among: the edges that could have been ranked, such as all of the model; `None` for those with a score and the
            true ones.

    Returns: 1 for a ranking that puts all true edges first, about 0.5 for chance.
    Raises: ValueError, for a ranking without edges, NaN, scores of edges not in `among`, or where all edges are true or
        none are.
    Source: Mueller et al. 2025, arXiv 2504.13151, and Conmy et al. 2023, arXiv 2304.14997, compare with known circuits;
        here by rank, so that no threshold is chosen, and with missing edges as misses.
    """
    if not scores:
        raise ValueError("the ranking has no edges; give a score to at least one")
    require_numbers(scores)
    known = frozenset(scores) | true_edges if among is None else frozenset(among)
    strange = sorted((frozenset(scores) | true_edges) - known)
    if strange:
        raise ValueError(f"{strange[0]} has a score or is true, and is not among the {len(known)} edges to choose from")
    every = sorted(known)
    values = np.array([scores.get(edge, -np.inf) for edge in every])
    return float(_auroc(values[:, None], np.array([edge in true_edges for edge in every]))[0])


def auroc_interval(
    edges: Sequence[Edge],
    effects: Float[np.ndarray, "edge example"],
    true_edges: AbstractSet[Edge],
    *,
    clusters: Labels | None = None,
    level: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """Return the AUROC of edges ranked by the size of their mean effect, with its interval over prompts.

    Clusters of prompts are resampled (percentiles at a level widened for few of them, stretched to hold the estimate),
    edges are not. Sizes are compared to six digits of the largest, so that rounding ranks nothing.

    Raises: ValueError, as `auroc`, for edges that do not match the effects, or fewer than two clusters.
    """
    if len(edges) != len(effects) or len(set(edges)) < len(edges):
        raise ValueError(f"{len(edges)} edges for effects of {len(effects)}; give each edge once, in the same order")
    totals = cluster_totals(effects, clusters)
    missed = sorted(true_edges - set(edges))
    is_true = np.array([*(edge in true_edges for edge in edges), *(True for _ in missed)])

    def of(means: Float[np.ndarray, "edge resample"]) -> Float[np.ndarray, " resample"]:
        last = np.full((len(missed), means.shape[1]), -np.inf)
        return _auroc(np.concatenate([np.abs(of_largest(means)), last]), is_true)

    n = totals.n_clusters
    times = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=n_resamples)
    found, estimate = of(totals.sums @ times.T / (times @ totals.counts)), float(of(totals.mean[:, None])[0])
    tail = (1 - widened_level(level, n_clusters=n)) / 2
    low, high = (float(bound) for bound in np.quantile(found, [tail, 1 - tail]))
    return Interval(estimate, min(low, estimate), max(high, estimate), level, n)


def _auroc(values: Float[np.ndarray, "edge column"], is_true: np.ndarray) -> Float[np.ndarray, " column"]:
    """Mann-Whitney's statistic from mid-ranks, as a share of all pairs."""
    n_true, n_false = int(is_true.sum()), int((~is_true).sum())
    if not n_true or not n_false:
        raise ValueError(
            f"{n_true} true edges and {n_false} others cannot be told apart; give some of each (others through among=)"
        )
    ranks = rankdata(values, axis=0)
    return (ranks[is_true].sum(0) - n_true * (n_true + 1) / 2) / (n_true * n_false)
