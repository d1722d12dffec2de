"""Edges estimated to first order: edge attribution patching, and its integrated-gradients variants.

One forward and one backward pass estimate all edges: what its source would have written less what it wrote, times the
gradient of the metric by what its target reads. Estimates are leads; `edge_patches.edge_effects` is exact, and as fast
as a sweep over nodes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.circuits.edge_patches import EdgeAblation, Instead, instead_of
from interp_lab.circuits.graph import reads, require_edges, sources, targets
from interp_lab.circuits.masked import split_inputs
from interp_lab.circuits.writes import Run, residual_of
from interp_lab.edges import Edge
from interp_lab.experiment import Progress, silent
from interp_lab.gradients import gradients_of, run_with_graph
from interp_lab.hooks import Edit, ready_tokens
from interp_lab.metrics import Metric
from interp_lab.types import HookedModel, Tokens

EdgeEstimator = Literal["EAP", "EAP-IG inputs", "EAP-IG activations"]
"""Where gradients are taken: at the prompts as they are; along the straight line from their embeddings to those of the
ablation; or, for the edges of each layer's nodes, along the line from what these write to what they would."""


@dataclass(frozen=True)
class EdgeAttribution:
    """Estimates of what ablating each edge does to a metric."""

    edges: tuple[Edge, ...]
    method: EdgeEstimator
    metric: str
    unit: str
    estimates: Float[np.ndarray, "edge example"]
    """Of the change of the metric, with its sign."""
    residual: Float[np.ndarray, " example"] | None
    """How far the estimates of all edges that leave the embedding are from adding up to what replacing it does: 0 for
    an exact integral along the inputs. `None` for plain EAP, which promises no sum."""

    @property
    def mean_sizes(self) -> dict[Edge, float]:
        """The size of each edge's mean estimate: what circuits are chosen by."""
        return dict(zip(self.edges, np.abs(self.estimates.mean(1)).tolist(), strict=True))


def edge_attribution(
    model: HookedModel,
    tokens: Tokens,
    edges: Sequence[Edge],
    metric: Metric,
    *,
    ablation: EdgeAblation,
    other: Int[Tensor, "_ _"] | None = None,
    mask: Bool[Tensor, "_ _"] | None = None,
    method: EdgeEstimator = "EAP",
    steps: int = 5,
    batch_size: int = 8,
    progress: Progress = silent,
) -> EdgeAttribution:
    """Estimate what ablating each edge does to a metric, to first order.

    Args:
        other: where mean and resample ablation take their values from; see `instead_of`.
        steps: midpoints of the integral; not used by plain EAP.
        batch_size: prompts at once, which bounds memory: a prompt takes three inputs per head.

    Raises: ValueError, as `edge_effects`, for fewer than one step, or a metric without gradient.
    Source: Syed et al. 2023, arXiv 2310.10348 (EAP); Hanna et al. 2024, arXiv 2403.17806 (EAP-IG); the gradient of
        activations as in Mueller et al. 2025, arXiv 2504.13151.
    """
    if steps < 1 or batch_size < 1:
        raise ValueError(f"steps={steps} and batch_size={batch_size} must be at least 1")
    order, tokens = require_edges(model, edges), ready_tokens(model, tokens)
    instead_of(model, tokens[:1], None if other is None else other[:1], ablation)  # refuses what does not fit
    found, residuals = [], []
    parts = torch.arange(len(tokens)).split(batch_size)
    for nth, rows in enumerate(parts):
        work = _Work(
            model, tokens[rows], metric.rows(rows), None if mask is None else mask[rows], ablation,
            other if other is None or ablation == "mean" else other[rows], method, steps,
        )  # fmt: skip
        scores = work.scores()
        found.append(np.stack([scores[edge] for edge in order]))
        residuals.append(work.residual(scores) if method != "EAP" else None)
        progress(nth + 1, len(parts), method)
    place = {edge: nth for nth, edge in enumerate(order)}
    estimates = np.concatenate(found, axis=1)[[place[edge] for edge in edges]]
    whole = None if residuals[0] is None else np.concatenate([one for one in residuals if one is not None])
    return EdgeAttribution(tuple(edges), method, metric.name, metric.unit, estimates, whole)


@dataclass(frozen=True)
class _Work:
    """Some prompts, and how their edges are estimated."""

    model: HookedModel
    tokens: Tokens
    metric: Metric
    mask: Tensor | None
    ablation: EdgeAblation
    other: Tensor | None
    method: EdgeEstimator
    steps: int

    def scores(self) -> dict[Edge, Float[np.ndarray, " example"]]:
        """Return the estimate of every edge of the model."""
        here = Run.of(self.model, self.tokens, self.mask).checked
        instead = instead_of(self.model, self.tokens, self.other, self.ablation, mask=self.mask)
        found: dict[Edge, np.ndarray] = {}
        for names, gradients in self._gradients(here, instead):
            with torch.inference_mode():
                changes = torch.stack([instead.written(n, like=here.written(n)) - here.written(n) for n in names])
            changes = changes.clone()
            for target, gradient in gradients.items():
                estimate = torch.einsum("sbpd,bpd->sb", changes, gradient).double().cpu().numpy()
                found |= {
                    Edge(source, target): own
                    for source, own in zip(names, estimate, strict=True)
                    if reads(self.model, target, source)
                }
        return found

    def _gradients(self, here: Run, instead: Instead) -> Iterator[tuple[list[str], Mapping[str, Tensor]]]:
        """Yield sources, and the gradients by all targets that their edges are estimated with."""
        names = list(sources(self.model))
        if self.method == "EAP":
            yield names, self._at(None, {})
            return
        shares = [(step + 0.5) / self.steps for step in range(self.steps)]
        if self.method == "EAP-IG inputs":
            start, end = _ends("embed", here, instead)
            yield names, _mean([self._at(start + share * (end - start), {}) for share in shares])
            return
        for group in _levels(names):
            yield group, _mean([self._between(group, share, here, instead) for share in shares])

    def _between(self, group: list[str], share: float, here: Run, instead: Instead) -> Mapping[str, Tensor]:
        """Return gradients with the writes of one level of nodes part of the way to what they would be."""
        start = group[0]
        if start in ("embed", "pos_embed"):
            behind: dict[str, Edit] = {}
            for name in group:
                first, last = _ends(name, here, instead)
                value = first + share * (last - first)
                if name == "embed":
                    embedding = value
                else:
                    behind["hook_pos_embed"] = _constant(value)
            return self._at(embedding, behind)
        hook = (
            f"blocks.{start[1:]}.hook_mlp_out" if start.startswith("m") else f"blocks.{start.split('.')[0]}.attn.hook_z"
        )
        run = instead.run
        own = here.kept[hook].clone()
        there = torch.zeros_like(own) if run is None else run.kept[hook].clone()
        there = there.mean(0, keepdim=True).expand_as(own) if self.ablation == "mean" else there
        return self._at(None, {hook: _constant(own + share * (there - own))}, of=start)

    def _at(self, embedding: Tensor | None, behind: Mapping[str, Edit], *, of: str = "embed") -> Mapping[str, Tensor]:
        """Return the gradient of the metric by what every target that reads a source reads, once."""
        hooks = {hook: named for hook, named in _input_hooks(self.model).items() if reads(self.model, named[0], of)}
        with split_inputs(self.model):
            kept, values, _ = run_with_graph(
                self.model, self.tokens, list(hooks), self.metric, mask=self.mask, embedding=embedding, behind=behind
            )
            found = gradients_of(values, {hook: kept[hook] for hook in hooks})
        gradients: dict[str, Tensor] = {}
        for hook, named in hooks.items():
            parts = found[hook].unbind(2) if len(named) > 1 or found[hook].ndim == 4 else [found[hook]]
            gradients |= dict(zip(named, parts, strict=True))
        return gradients

    def residual(self, scores: Mapping[Edge, np.ndarray]) -> Float[np.ndarray, " example"]:
        """Return by how much the edges that leave the embedding miss what replacing the embedding does."""
        here = Run.of(self.model, self.tokens, self.mask)
        instead = instead_of(self.model, self.tokens, self.other, self.ablation, mask=self.mask)
        total = np.sum([own for edge, own in scores.items() if edge.source == "embed"], axis=0)
        _, end = _ends("embed", here, instead)
        changed = [
            run_with_graph(self.model, self.tokens, [], self.metric, mask=self.mask, embedding=one)[1].detach()
            for one in (None, end)
        ]
        return np.abs(total - (changed[1] - changed[0]).double().cpu().numpy())


def _ends(name: str, here: Run, instead: Instead) -> tuple[Tensor, Tensor]:
    own = here.written(name).clone()
    return own, instead.written(name, like=own).clone()


def _constant(value: Tensor) -> Edit:
    return lambda activation: value.expand_as(activation)


def _mean(parts: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([part[name] for part in parts]).mean(0) for name in parts[0]}


def _levels(names: Sequence[str]) -> list[list[str]]:
    """Return sources that write at the same time: the embeddings, the heads of a layer, an MLP."""
    levels: dict[str, list[str]] = {}
    for name in names:
        key = name if name.startswith("m") else "embeddings" if name.endswith("embed") else name.split(".")[0]
        levels.setdefault(key, []).append(name)
    return list(levels.values())


def _input_hooks(model: HookedModel) -> dict[str, list[str]]:
    """Return where inputs of targets are seen, and the targets there in the order of their heads."""
    hooks: dict[str, list[str]] = {}
    for target in targets(model):
        if target == "logits":
            hooks[residual_of(model, target)] = [target]
        elif target.startswith("m"):
            hooks[f"blocks.{target[1:]}.hook_mlp_in"] = [target]
        else:
            layer, _, part = target.split(".")
            hooks.setdefault(f"blocks.{layer}.hook_{part}_input", []).append(target)
    return hooks
