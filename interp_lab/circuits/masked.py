"""Any set of edges at once: one forward pass in which every target reads only what the circuit lets it read.

The mask form: the input of a target is the residual stream, less what each source outside of the circuit has written in
this very run, plus what it would have written (nothing, a mean, its write in the corrupted run). Rows of the batch may
have different circuits, so that many circuits are measured in few passes.
"""

from collections.abc import Callable, Generator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.circuits.edge_patches import EdgeAblation, Instead, instead_of
from interp_lab.circuits.graph import INPUTS, all_edges, require_edges, sources, targets
from interp_lab.circuits.writes import residual_of, write_of_head
from interp_lab.edges import Edge
from interp_lab.experiment import Progress, silent
from interp_lab.hooks import edited, masked, ready_tokens
from interp_lab.metrics import Metric, require_finite
from interp_lab.types import HookedModel, Tokens

EdgeSet = AbstractSet[Edge]
"""The edges that are kept."""

_BUDGET = 2**28
"""Bytes of writes held at once, of which every row has one per node."""


def circuit_values(
    model: HookedModel,
    tokens: Tokens,
    circuits: Sequence[EdgeSet],
    metric: Metric,
    *,
    ablation: EdgeAblation,
    other: Int[Tensor, "_ _"] | None = None,
    mask: Bool[Tensor, "_ _"] | None = None,
    memory_budget: int = _BUDGET,
    progress: Progress = silent,
) -> Float[np.ndarray, "circuit example"]:
    """Return the metric with all edges outside of each circuit ablated at once.

    Args:
        circuits: sets of kept edges; the empty one ablates everything.
        other: where mean and resample ablation take their values from; see `instead_of`.
        memory_budget: bytes of what nodes write, in flight.

    Raises: ValueError, for no circuits, an edge that the model has not, prompts that do not fit, or a NaN metric.
    """
    if not circuits:
        raise ValueError("no circuits to measure; give at least one set of edges")
    there, tokens = _Places.of(model), ready_tokens(model, tokens)
    removed = torch.stack([there.removed(circuit) for circuit in circuits])
    instead = instead_of(model, tokens, other, ablation, mask=mask)
    found = torch.zeros(len(circuits), len(tokens), dtype=torch.float64)
    rows = torch.cartesian_prod(torch.arange(len(circuits)), torch.arange(len(tokens)))
    per_row = len(there.sources) * tokens.shape[1] * int(model.cfg.d_model) * 4 * 2
    parts = rows.split(max(1, memory_budget // per_row))
    with torch.inference_mode(), split_inputs(model):
        for nth, part in enumerate(parts):
            circuit, example = part.unbind(1)
            state = _Masked(model, there, removed[circuit], instead, example)
            with edited(model, state.edits()):
                logits = model(tokens[example], **masked(tokens[example], None if mask is None else mask[example]))
            found[circuit, example] = metric.rows(example)(logits).double().cpu()
            progress(nth + 1, len(parts), "circuits")
    require_finite(found, what=f"metric {metric.name!r}")
    return found.numpy()


@contextmanager
def split_inputs(model: HookedModel) -> Generator[None]:
    """Let every head read its queries, keys and values for itself, for the length of a `with` block."""
    own: Any = model
    before = own.cfg.use_split_qkv_input, own.cfg.use_hook_mlp_in
    own.set_use_split_qkv_input(True)
    if not own.cfg.attn_only:
        own.set_use_hook_mlp_in(True)
    try:
        yield
    finally:
        own.cfg.use_split_qkv_input, own.cfg.use_hook_mlp_in = before


@dataclass(frozen=True)
class _Places:
    """Sources and targets of a model, by number."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    edges: tuple[Edge, ...]
    model: HookedModel

    @classmethod
    def of(cls, model: HookedModel) -> "_Places":
        return cls(sources(model), targets(model), all_edges(model), model)

    def removed(self, circuit: EdgeSet) -> Bool[Tensor, "target source"]:
        """Return where an edge of the model is not in the circuit.

        Raises: ValueError, for an edge that the model has not.
        """
        if not circuit <= self.known:
            require_edges(self.model, circuit)  # says which
        gone = torch.zeros(len(self.targets), len(self.sources), dtype=torch.bool)
        left_out = [self.places[edge] for edge in self.edges if edge not in circuit]
        if left_out:
            gone[tuple(torch.tensor(left_out).T)] = True
        return gone

    @cached_property
    def known(self) -> frozenset[Edge]:
        """The edges of the model."""
        return frozenset(self.edges)

    @cached_property
    def places(self) -> dict[Edge, tuple[int, int]]:
        """Number of the target and of the source of each edge."""
        targets, sources = ({name: nth for nth, name in enumerate(names)} for names in (self.targets, self.sources))
        return {edge: (targets[edge.target], sources[edge.source]) for edge in self.edges}


@dataclass
class _Masked:
    """One forward pass: what sources have written so far, and what targets are to read."""

    model: HookedModel
    places: _Places
    removed: Bool[Tensor, "row target source"]
    instead: Instead
    example: Int[Tensor, " row"]
    differences: list[Tensor] = field(default_factory=list)
    """By source, what it would have written less what it wrote."""

    def edits(self) -> dict[str, Callable[[Tensor], Tensor]]:
        """Return what is done at each hook point."""
        found: dict[str, Callable[[Tensor], Tensor]] = {"hook_embed": self._wrote("embed")}
        if "pos_embed" in self.places.sources:
            found["hook_pos_embed"] = self._wrote("pos_embed")
        n_layers = int(self.model.cfg.n_layers)
        for layer in range(n_layers):
            found |= {f"blocks.{layer}.hook_{part}_input": self._reads(layer, part) for part in INPUTS}
            found[f"blocks.{layer}.attn.hook_z"] = self._heads_wrote(layer)
            if not self.model.cfg.attn_only:
                found[f"blocks.{layer}.hook_mlp_in"] = self._whole(f"m{layer}")
                found[f"blocks.{layer}.hook_mlp_out"] = self._wrote(f"m{layer}")
        last = f"blocks.{n_layers - 1}.hook_resid_post"
        assert last == residual_of(self.model, "logits")
        return found | {last: self._whole("logits")}

    def _wrote(self, source: str) -> Callable[[Tensor], Tensor]:
        def remember(value: Tensor) -> Tensor:
            rows = value.expand(len(self.example), -1, -1)
            self.differences.append(self._instead(source, rows) - rows)
            return value

        return remember

    def _heads_wrote(self, layer: int) -> Callable[[Tensor], Tensor]:
        def remember(z: Tensor) -> Tensor:
            for head in range(z.shape[2]):
                own = write_of_head(self.model, layer, head, z[:, :, head])
                self.differences.append(self._instead(f"{layer}.{head}", own) - own)
            return z

        return remember

    def _instead(self, source: str, own: Tensor) -> Tensor:
        run = self.instead.run
        if run is None:
            return torch.zeros_like(own)
        value = run.written(source)
        return value.mean(0).expand_as(own) if self.instead.ablation == "mean" else value[self.example]

    def _reads(self, layer: int, part: str) -> Callable[[Tensor], Tensor]:
        first = self.places.targets.index(f"{layer}.0.{part}")

        def change(value: Tensor) -> Tensor:
            return value + self._missing(range(first, first + value.shape[2])).movedim(1, 2)

        return change

    def _whole(self, target: str) -> Callable[[Tensor], Tensor]:
        nth = self.places.targets.index(target)

        def change(value: Tensor) -> Tensor:
            return value + self._missing(range(nth, nth + 1))[:, 0]

        return change

    def _missing(self, wanted: range) -> Float[Tensor, "row target pos d_model"]:
        """Return what removed edges change in what targets read."""
        written = torch.stack(self.differences, dim=1)
        gone = self.removed[:, wanted.start : wanted.stop, : written.shape[1]].to(written)
        return torch.einsum("rts,rspd->rtpd", gone, written)
