"""A circuit as an object: the edges that are kept, of which model, found how; saved as readable JSON."""

import json
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from interp_lab.circuits.edge_patches import EdgeAblation
from interp_lab.circuits.graph import require_edges
from interp_lab.circuits.nodes import edges_among, nodes_of, queries_per_key
from interp_lab.config import Config
from interp_lab.edges import Edge
from interp_lab.identity import ModelIdentity
from interp_lab.models import identity_of
from interp_lab.runs import write_atomic
from interp_lab.types import HookedModel

VERSION = 1
"""Of the file format."""

_FORMAT = "interp_lab circuit"


@dataclass(frozen=True)
class Circuit:
    """Edges of one model, under one weight processing."""

    edges: frozenset[Edge]
    model: ModelIdentity
    ablation: EdgeAblation | None = None
    """What flows along the edges that are not kept: circuits differ with it. `None` if it was not said, or for circuits
    made of several."""
    task: str | None = None
    scores: Mapping[Edge, float] | None = None
    """What edges were chosen by; may rank edges beyond the circuit."""
    queries_per_key: int = 1
    """Query heads of the model that share keys and values; see `nodes_of`."""

    def __post_init__(self) -> None:
        scored = frozenset(self.scores or {})
        beyond = sorted(edge for edge in self.edges | scored if _last_layer(edge) >= self.model.n_layers)
        if beyond:
            raise ValueError(f"{beyond[0]} is no edge of {self.model.name}, which has {self.model.n_layers} layers")
        without = sorted(self.edges - scored)
        if self.scores is not None and without:
            raise ValueError(
                f"{without[0]} has no score ({len(without)} such); score every edge of the circuit, or none"
            )

    @classmethod
    def of(
        cls,
        model: HookedModel,
        edges: Iterable[Edge],
        *,
        ablation: EdgeAblation | None = None,
        task: str | None = None,
        scores: Mapping[Edge, float] | None = None,
    ) -> "Circuit":
        """Return edges of a model as a circuit of it.

        Raises: ValueError, for no edges, one that the model has not, or a model without identity.
        """
        kept = frozenset(require_edges(model, edges))
        return cls(kept, identity_of(model), ablation, task, scores, queries_per_key(model))

    @classmethod
    def of_nodes(
        cls, model: HookedModel, nodes: Iterable[str], *, ablation: EdgeAblation | None = None, task: str | None = None
    ) -> "Circuit":
        """Return the node form: all edges among some nodes; see `edges_among`."""
        return cls.of(model, edges_among(model, nodes), ablation=ablation, task=task)

    @property
    def nodes(self) -> frozenset[str]:
        """The nodes that its edges start or end at, the logits aside; see `nodes_of`."""
        return nodes_of(self.edges, queries_per_key=self.queries_per_key)

    @property
    def heads(self) -> tuple[str, ...]:
        """Names of the attention heads among its nodes, layer by layer."""
        found = [node.split(".") for node in self.nodes if "." in node]
        return tuple(f"{layer}.{head}" for layer, head in sorted((int(layer), int(head)) for layer, head in found))

    @property
    def size(self) -> int:
        """Number of edges."""
        return len(self.edges)

    def __or__(self, other: "Circuit") -> "Circuit":
        """Return the edges of either; scores do not come along."""
        return self._joined(other, frozenset.union, "|")

    def __and__(self, other: "Circuit") -> "Circuit":
        """Return the edges of both; scores do not come along."""
        return self._joined(other, frozenset.intersection, "&")

    def __sub__(self, other: "Circuit") -> "Circuit":
        """Return the edges that the other has not; scores do not come along."""
        return self._joined(other, frozenset.difference, "-")

    def _joined(self, other: "Circuit", how: Callable[..., frozenset[Edge]], sign: str) -> "Circuit":
        self.model.require_same(other.model, what=f"the circuit after {sign!r}")
        named = self.task == other.task or None in (self.task, other.task)
        task = (self.task or other.task) if named else f"{self.task} {sign} {other.task}"
        ablation = self.ablation if self.ablation == other.ablation else None
        return Circuit(how(self.edges, other.edges), self.model, ablation, task, queries_per_key=self.queries_per_key)

    def diff(self, other: "Circuit") -> pd.DataFrame:
        """Return a table of the edges of either: which has it, and what it scores in each.

        Raises: ValueError, for circuits of different models or processings.
        """
        self.model.require_same(other.model, what="the other circuit")
        rows = [
            {
                "source": edge.source, "target": edge.target, "here": edge in self.edges, "there": edge in other.edges,
                "score_here": (self.scores or {}).get(edge), "score_there": (other.scores or {}).get(edge),
            }
            for edge in sorted(self.edges | other.edges)
        ]  # fmt: skip
        columns = ["source", "target", "here", "there", "score_here", "score_there"]
        return pd.DataFrame(rows, columns=columns).astype({"score_here": float, "score_there": float})

    def save(self, path: str | Path) -> None:
        """Write readable JSON; whoever opens the file finds the old circuit or the new, never a part."""
        scores = None if self.scores is None else {str(edge): float(self.scores[edge]) for edge in sorted(self.scores)}
        document = {
            "format": _FORMAT,
            "version": VERSION,
            "task": self.task,
            "ablation": self.ablation,
            "model": self.model.as_dict(),
            "queries_per_key": self.queries_per_key,
            "edges": [str(edge) for edge in sorted(self.edges)],
            "scores": scores,
        }
        write_atomic(Path(path), (json.dumps(document, indent=1, allow_nan=False) + "\n").encode("utf-8"))

    @classmethod
    def load(cls, path: str | Path) -> "Circuit":
        """Read what `save` wrote.

        Raises: ValueError, for a file that is missing, no circuit, or of another version of the format.
        """
        found = _read(Path(path))
        scores = None if found.scores is None else {edge_named(name): own for name, own in found.scores.items()}
        edges = frozenset(edge_named(name) for name in found.edges)
        return cls(
            edges, ModelIdentity.from_dict(found.model), found.ablation, found.task, scores, found.queries_per_key
        )


Kept = Circuit | AbstractSet[Edge]
"""Edges that are kept: a circuit, which knows its model, or any set of them."""


def kept_edges(model: HookedModel, circuit: Kept) -> frozenset[Edge]:
    """Return the edges of a circuit that is to be run on a model.

    Raises: ValueError, for a circuit of another model or processing.
    """
    if not isinstance(circuit, Circuit):
        return frozenset(circuit)
    identity_of(model).require_same(circuit.model, what="the circuit")
    return circuit.edges


class _Document(Config):
    """What stands in a file."""

    format: Literal["interp_lab circuit"]
    version: Literal[1]
    task: str | None
    ablation: EdgeAblation | None
    model: dict[str, Any]
    queries_per_key: int
    edges: tuple[str, ...]
    scores: dict[str, float] | None


def _read(path: Path) -> _Document:
    if not path.is_file():
        raise ValueError(f"no circuit at {path}; write one with circuit.save(path)")
    try:
        data = json.loads(path.read_text("utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no JSON: {error}") from error
    if not isinstance(data, dict) or data.get("format") != _FORMAT:
        raise ValueError(f"{path} holds no circuit: its format is not {_FORMAT!r}")
    if data.get("version") != VERSION:
        raise ValueError(
            f"{path} is of version {data.get('version')!r} of the format, and this interp_lab reads version {VERSION}; "
            "use the interp_lab that wrote it"
        )
    return _Document.from_mapping(data)


def edge_named(name: str) -> Edge:
    """Return the edge that `str` of one names.

    Raises: ValueError, for anything else.
    """
    source, arrow, target = name.partition("->")
    if not arrow:
        raise ValueError(f"{name!r} names no edge; write '0.0->1.0.k'")
    return Edge(source, target)


def _last_layer(edge: Edge) -> int:
    places = [edge.source, edge.target_node]
    return max((int(place.removeprefix("m").split(".")[0]) for place in places if place[-1].isdigit()), default=-1)
