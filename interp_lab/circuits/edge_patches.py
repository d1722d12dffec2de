"""Exact effects of edges: one at a time, what its target reads is changed by what its source would have written.

What a target reads is a sum over sources, so replacing one term changes it by the difference of two writes; everything
before the target is as it was. So an edge patch is an intervention on what the target makes of that input (a query, a
key, a value, an MLP's output), and the engine sweeps over edges as over any other interventions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from interp_lab.circuits.graph import require_edges
from interp_lab.circuits.writes import Run, Written, made_of, site_of
from interp_lab.edges import Edge
from interp_lab.engine import Effects, sweep
from interp_lab.experiment import Progress, silent
from interp_lab.hooks import ready_tokens
from interp_lab.interventions import Intervention, Op, shared_prefix
from interp_lab.metrics import Metric
from interp_lab.types import HookedModel, Tokens

EdgeAblation = Literal["zero", "mean", "resample"]
"""What flows along an ablated edge: nothing, the mean over the reference prompts position by position, or what flows
there in the corrupted run."""

_BUDGET = 2**28
"""Bytes of payloads held at once."""


@dataclass(frozen=True)
class Instead:
    """What sources write where an edge is ablated."""

    ablation: EdgeAblation
    run: Run | None
    """The corrupted (or reference) prompts; `None` for zero ablation."""

    def written(self, source: str, *, like: Written) -> Written:
        """Return what flows along an ablated edge, for the prompts of `like`."""
        if self.run is None:
            return torch.zeros_like(like)
        value = self.run.written(source)
        return value.mean(0, keepdim=True).expand_as(like) if self.ablation == "mean" else value


def instead_of(
    model: HookedModel,
    base: Tokens,
    other: Int[Tensor, "_ _"] | None,
    ablation: EdgeAblation,
    *,
    mask: Bool[Tensor, "_ _"] | None = None,
) -> Instead:
    """Return what flows along ablated edges.

    Args:
        base: prompts that edges are ablated on.
        other: the corrupted prompts (resample), or reference prompts of the same length (mean).

    Raises: ValueError, if they are missing or do not fit.
    """
    if ablation == "zero":
        return Instead(ablation, None)
    if other is None:
        raise ValueError(
            f"{ablation} ablation of edges takes its values from other prompts; give other=, or use 'zero'"
        )
    fits = other.shape[1] == base.shape[1] and (ablation == "mean" or len(other) == len(base))
    if not fits:
        raise ValueError(
            f"prompts of shape {tuple(base.shape)} cannot take values from ones of shape {tuple(other.shape)} by "
            f"{ablation} ablation; align them token by token"
        )
    if ablation == "resample":
        shared_prefix(other, base)
    return Instead(ablation, Run.of(model, other, mask if ablation == "resample" else None))


def edge_effects(
    model: HookedModel,
    tokens: Tokens,
    edges: Sequence[Edge],
    metric: Metric,
    *,
    ablation: EdgeAblation,
    other: Int[Tensor, "_ _"] | None = None,
    mask: Bool[Tensor, "_ _"] | None = None,
    memory_budget: int | None = None,
    progress: Progress = silent,
) -> Effects:
    """Measure what ablating each edge, on its own, does to a metric; exact, one value per prompt.

    Args:
        edges: of `graph.all_edges`; the effects come in their order.
        other: where mean and resample ablation take their values from; see `instead_of`.

    Raises: ValueError, for edges that the model has not, prompts that do not fit, or a model whose targets make
        something else of their inputs than is known (see `Run.checked`).
    """
    order = require_edges(model, edges)
    tokens = ready_tokens(model, tokens)
    here, instead = Run.of(model, tokens, mask).checked, instead_of(model, tokens, other, ablation, mask=mask)
    parts: list[Effects] = []
    for chunk in _chunks(order, here):
        cuts = [_cut(edge, here, instead) for edge in chunk]
        parts.append(sweep(model, tokens, cuts, metric, mask=mask, memory_budget=memory_budget))
        progress(sum(len(part.names) for part in parts), len(order), "edges")
    first = parts[0]
    changes = np.concatenate([part.changes for part in parts])
    place = {edge: nth for nth, edge in enumerate(order)}
    names = tuple(str(edge) for edge in edges)
    return Effects(names, first.metric, first.unit, first.baseline, changes[[place[edge] for edge in edges]])


def _cut(edge: Edge, here: Run, instead: Instead) -> Intervention:
    """Return the ablation of one edge."""
    with torch.inference_mode():
        own = here.written(edge.source)
        made = made_of(here.model, edge.target, here.read(edge.target) + instead.written(edge.source, like=own) - own)
    return Intervention((site_of(here.model, edge.target),), Op.REPLACE, (made,), str(edge), per_example=True)


def _chunks(edges: Sequence[Edge], here: Run) -> Iterator[list[Edge]]:
    """Cut edges into pieces whose payloads fit the budget."""
    piece: list[Edge] = []
    held = 0
    for edge in edges:
        site = site_of(here.model, edge.target)
        size = here.kept[site.hook][..., 0, :] if site.head is not None else here.kept[site.hook]
        taken = size.numel() * size.element_size()
        if piece and held + taken > _BUDGET:
            yield piece
            piece, held = [], 0
        piece.append(edge)
        held += taken
    yield piece
