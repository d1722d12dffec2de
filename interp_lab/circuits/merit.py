"""Completeness and minimality: does a circuit hold everything that matters, and nothing that does not?"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from interp_lab.circuits.bench import Bench
from interp_lab.circuits.circuit import Kept, kept_edges
from interp_lab.circuits.faithfulness import ROUNDING, Faithfulness, folded, share_values
from interp_lab.circuits.graph import require_edges
from interp_lab.edges import Edge
from interp_lab.stats import Intervals
from interp_lab.types import Interval

NOTHING = "nothing"
"""The subset that is always among those removed: none."""


@dataclass(frozen=True)
class Completeness:
    """Whether what is outside of a circuit carries the behaviour too, and whether both break alike."""

    complement: Faithfulness
    """f of all edges outside of the circuit: about 0 if nothing there carries the behaviour on its own."""
    subsets: tuple[str, ...]
    """What was removed from circuit and model alike; the first is `nothing`, which gives |F(C) - F(M)|."""
    without_circuit: Float[np.ndarray, "subset example"]
    """F(C minus K)."""
    without_model: Float[np.ndarray, "subset example"]
    """F(M minus K)."""
    gaps: Intervals
    """|F(C minus K) - F(M minus K)| for each subset, in the metric's unit."""

    @property
    def worst(self) -> tuple[str, Interval]:
        """The subset with the widest gap; the largest of several estimates, so on average too large."""
        nth = int(self.gaps.estimate.argmax())
        return self.subsets[nth], self.gaps.at(nth)


def completeness(
    bench: Bench, circuit: Kept, *, subsets: Mapping[str, AbstractSet[Edge]] | None = None
) -> Completeness:
    """Remove the same edges from circuit and model, and compare what is left of the behaviour.

    Parts that stand in for each other are found by neither the circuit's own faithfulness nor the complement alone:
    remove what a backup would replace, and the model keeps what the circuit loses.

    Args:
        subsets: edges by name; to remove nodes, give all edges that leave them (`nodes.edges_from`).

    Raises: ValueError, for a subset that shares no edge with the circuit, or edges that the model has not.
    Source: Wang et al. 2022, arXiv 2211.00593 (the gaps); the complement is the form for which no K need be chosen.
    """
    kept = kept_edges(bench.model, circuit)
    named = {name: require_part(bench, kept, part, name=name) for name, part in (subsets or {}).items()}
    removed: dict[str, AbstractSet[Edge]] = {NOTHING: frozenset(), **named}
    found = bench.values(
        [bench.edges - kept, *(kept - part for part in removed.values())]
        + [bench.edges - part for part in removed.values()]
    )
    without_circuit, without_model = found[1 : 1 + len(removed)], found[1 + len(removed) :]
    return Completeness(
        bench.faithfulness_of(found[0]),
        tuple(removed),
        without_circuit,
        without_model,
        folded(bench.intervals(without_circuit - without_model)),
    )


@dataclass(frozen=True)
class Minimality:
    """What each part of a circuit is worth, in that state of the rest in which it is worth most."""

    parts: tuple[str, ...]
    given: tuple[str, ...]
    """For each part, what had been removed before it where removing it changed most."""
    changes: Float[np.ndarray, "part subset example"]
    """F(C minus (K + v)) - F(C minus K), in the metric's unit."""
    sizes: Intervals
    """|mean change| of each part at its `given`, in the metric's unit."""
    shares: Intervals | None
    """The same by |F(M)|, from 0; `None` where the interval of F(M) covers zero. The subset is chosen on the prompts
    that are reported, which makes shares too large where several are given."""
    refused: str | None

    def idle(self, *, below: float = 0.01) -> tuple[str, ...]:
        """Return the parts that are clearly worth less than a share of the behaviour, so that the circuit needs none.

        Raises: ValueError, if there are no shares.
        """
        if self.shares is None:
            raise ValueError(f"no part can be called idle: {self.refused}; judge by sizes")
        return tuple(part for part, high in zip(self.parts, self.shares.high, strict=True) if high < below)


def minimality(
    bench: Bench,
    circuit: Kept,
    *,
    parts: Mapping[str, AbstractSet[Edge]] | None = None,
    subsets: Mapping[str, AbstractSet[Edge]] | None = None,
) -> Minimality:
    """Return max over K of |F(C minus (K + v)) - F(C minus K)| / F(M) for every part v of a circuit.

    One pass over the prompts for each part and subset.

    Args:
        parts: what is asked about; `None` for every edge of the circuit.
        subsets: the sets K besides the empty one; parts that back each other up need a K that removes the backup.

    Raises: ValueError, for an empty circuit, or a part or subset that shares no edge with the circuit.
    Source: Wang et al. 2022, arXiv 2211.00593 (where every head is worth at least 0.01).
    """
    kept = kept_edges(bench.model, circuit)
    each = {str(edge): frozenset({edge}) for edge in require_edges(bench.model, kept)}
    asked = {
        name: require_part(bench, kept, part, name=name) for name, part in (each if parts is None else parts).items()
    }
    named = {name: require_part(bench, kept, part, name=name) for name, part in (subsets or {}).items()}
    removed: list[AbstractSet[Edge]] = [frozenset(), *named.values()]
    found = bench.values(
        [kept - part for part in removed] + [kept - part - own for own in asked.values() for part in removed]
    )
    before, after = found[: len(removed)], found[len(removed) :].reshape(len(asked), len(removed), -1)
    changes = after - before
    most = np.abs(changes.mean(-1)).argmax(1)
    at_most = changes[np.arange(len(asked)), most]
    refused = _lacks_behaviour(bench)
    shares = None if refused else folded(bench.intervals(share_values(at_most, bench.whole, order="ratio of means")))
    given = tuple((NOTHING, *named)[nth] for nth in most)
    return Minimality(tuple(asked), given, changes, folded(bench.intervals(at_most)), shares, refused)


def require_part(bench: Bench, circuit: AbstractSet[Edge], part: AbstractSet[Edge], *, name: str) -> frozenset[Edge]:
    """Return a set of edges, of which at least one is in the circuit.

    Raises: ValueError, for one that is empty, has none in common with the circuit, or that the model has not.
    """
    edges = frozenset(require_edges(bench.model, part))
    if not edges & circuit:
        raise ValueError(f"{name!r} has no edge in common with the circuit, so that removing it changes nothing there")
    return edges


def _lacks_behaviour(bench: Bench) -> str | None:
    whole = bench.intervals(bench.whole).at()
    if whole.excludes(0.0) and abs(whole.estimate) > ROUNDING * np.abs(bench.whole).max():
        return None
    return f"the model's own {bench.metric.name}, {whole}, covers zero: there is nothing to take a share of"
