"""Faithfulness as a ranking of edges is followed: the curve over the share of edges kept, and its two areas."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Float
from scipy.integrate import trapezoid

from interp_lab.circuits.bench import Bench
from interp_lab.circuits.faithfulness import ORDERS, Order, refusals, require_alike, share_values
from interp_lab.circuits.graph import all_edges, require_edges
from interp_lab.edges import Edge
from interp_lab.stats import Intervals, bootstrap_interval
from interp_lab.stats.bootstrap import widened_level
from interp_lab.stats.clusters import Labels, cluster_totals
from interp_lab.types import HookedModel, Interval

MIB_GRID = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Shares of all edges at which the benchmark of mechanistic interpretability measures."""

_N_RESAMPLES = 2000


@dataclass(frozen=True)
class Curve:
    """Circuits of growing size from one ranking, measured prompt by prompt."""

    shares_of_edges: tuple[float, ...]
    """Ascending."""
    values: Float[np.ndarray, "size _"]
    """The metric of each circuit on each prompt."""
    whole: Float[np.ndarray, " _"]
    empty: Float[np.ndarray, " _"]
    n_edges: tuple[int, ...] = ()
    """Edges in each circuit."""
    clusters: Labels | None = None
    level: float = 0.95
    seed: int = 0
    refused: Mapping[Order, str] = field(init=False)
    """Why there are no shares, for the orders in which there are none."""

    def __post_init__(self) -> None:
        require_alike(self.values, self.whole, self.empty)
        require_grid(self.shares_of_edges)
        if len(self.values) != len(self.shares_of_edges):
            raise ValueError(
                f"{len(self.values)} circuits for {len(self.shares_of_edges)} shares of edges; give one each"
            )
        told = refusals(self.whole, empty=self.empty, clusters=self.clusters, level=self.level, seed=self.seed)
        object.__setattr__(self, "refused", told)

    def faithfulness(self, order: Order = "ratio of means") -> Intervals | None:
        """Return f of every circuit; `None` where it is refused."""
        if order in self.refused:
            return None
        return bootstrap_interval(self._shares[order], self.clusters, level=self.level, seed=self.seed)

    def cpr(self, order: Order = "ratio of means") -> Interval | None:
        """Return the area under f over the share of edges kept; `None` where f is refused.

        The circuit performance ratio: more is better. From the first share of the grid to the last (0.999 on the usual
        grid for f = 1 throughout), trapezoids in between; without upper bound, because f has none.

        Source: Mueller et al. 2025, arXiv 2504.13151.
        """
        if order in self.refused:
            return None
        areas = area(self._shares[order], self.shares_of_edges)
        return bootstrap_interval(areas, self.clusters, level=self.level, seed=self.seed).at()

    def cmd(self, order: Order = "ratio of means") -> Interval | None:
        """Return the area between f and 1 over the share of edges kept; `None` where f is refused.

        The circuit-model distance: 0 for circuits that do as the model does at every size; an excess over 1 counts as
        much as a lack. |1 - f| is taken of the mean f. The interval resamples clusters (percentiles at a level widened
        for few of them, stretched to hold the estimate: resampling moves f away from 1, never nearer on average).

        Source: Mueller et al. 2025, arXiv 2504.13151.
        """
        if order in self.refused:
            return None
        totals = cluster_totals(self._shares[order], self.clusters)
        n = totals.n_clusters
        times = np.random.default_rng(self.seed).multinomial(n, np.full(n, 1 / n), size=_N_RESAMPLES)
        resampled = totals.sums @ times.T / (times @ totals.counts)
        found = area(np.abs(1 - resampled), self.shares_of_edges)
        estimate = float(area(np.abs(1 - totals.mean)[:, None], self.shares_of_edges)[0])
        tail = (1 - widened_level(self.level, n_clusters=n)) / 2
        low, high = (float(bound) for bound in np.quantile(found, [tail, 1 - tail]))
        return Interval(estimate, min(low, estimate), max(high, estimate), self.level, n)

    @cached_property
    def _shares(self) -> dict[Order, Float[np.ndarray, "size example"]]:
        """Values whose mean is f."""
        kept, total = self.values - self.empty, self.whole - self.empty
        return {order: share_values(kept, total, order=order) for order in ORDERS if order not in self.refused}


def area(values: Float[np.ndarray, "size _"], at: Sequence[float]) -> Float[np.ndarray, " _"]:
    """Return the area under piecewise linear curves, by trapezoids."""
    return trapezoid(values, np.asarray(at), axis=0)


def faithfulness_curve(bench: Bench, scores: Mapping[Edge, float], *, grid: Sequence[float] = MIB_GRID) -> Curve:
    """Measure the first edges of a ranking as circuits, at each share of the model's edges.

    A ranking made on the same prompts makes the curve too steep: make it on others.

    Args:
        scores: the higher, the earlier an edge is kept; see `ranked` for ties and edges without a score.
        grid: shares of all edges, ascending; the number of edges is rounded down.

    Raises: ValueError, for a ranking without edges, a score that is no number, or a grid outside (0, 1].
    Source: Mueller et al. 2025, arXiv 2504.13151.
    """
    order, shares = ranked(bench.model, scores), require_grid(grid)
    n_edges = tuple(int(share * len(order) + 1e-9) for share in shares)
    values = bench.values([frozenset(order[:n]) for n in n_edges])
    return Curve(shares, values, bench.whole, bench.empty, n_edges, bench.clusters, bench.level, bench.seed)


def ranked(model: HookedModel, scores: Mapping[Edge, float]) -> tuple[Edge, ...]:
    """Return every edge of a model, the highest score first.

    Ties stay in the order of `all_edges`; edges without a score come last.

    Raises: ValueError, for a ranking without edges, one that the model has not, or a score that is no number.
    """
    if not scores:
        raise ValueError("the ranking has no edges; give a score to at least one")
    require_edges(model, scores)
    require_numbers(scores)
    return tuple(sorted(all_edges(model), key=lambda edge: -scores.get(edge, -np.inf)))


def require_numbers(scores: Mapping[Edge, float]) -> None:
    """Refuse scores that rank nothing.

    Raises: ValueError, for NaN.
    """
    bad = [edge for edge, score in scores.items() if np.isnan(score)]
    if bad:
        raise ValueError(f"the score of {bad[0]} is NaN ({len(bad)} of {len(scores)}); leave out what was not measured")


def require_grid(grid: Sequence[float]) -> tuple[float, ...]:
    """Return shares of edges, ascending.

    Raises: ValueError, for fewer than two, or any outside (0, 1].
    """
    shares = tuple(float(share) for share in grid)
    fits = all(0 < share <= 1 for share in shares) and list(shares) == sorted(set(shares))
    if len(shares) < 2 or not fits:
        raise ValueError(f"grid {shares} is no ascending list of at least two shares of edges, above 0 and up to 1")
    return shares
