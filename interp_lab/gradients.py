"""Runs with their graph: activations that a metric can be differentiated by."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp_lab.hooks import Edit, edited, masked, read_only_hooks, record
from interp_lab.metrics import Metric
from interp_lab.types import Codec, HookedModel, Tokens

EMBED = "hook_embed"
"""Where all that differs between two runs comes in."""

Read = Callable[[HookedModel, Tensor, Metric, dict[str, Any]], Tensor]
"""Runs a model on tokens (with keyword arguments) and reads a metric off it."""


def run_with_graph(
    model: HookedModel,
    tokens: Tokens,
    hooks: Sequence[str],
    metric: Metric,
    *,
    mask: Bool[Tensor, "_ _"] | None = None,
    embedding: Tensor | None = None,
    behind: Mapping[str, Edit] | None = None,
    watched: Sequence[str] = (),
    read: Read | None = None,
) -> tuple[dict[str, Tensor], Float[Tensor, " batch"], dict[str, Tensor]]:
    """Run once; return activations in the graph, the metric, and detached activations.

    An activation enters the graph by an edit that hands on a copy of it: what a bridge shows a hook that only reads is
    no part of its graph, and a model with frozen weights has none before that copy.

    Args:
        mask: true at tokens, false at padding.
        embedding: token embeddings to use in place of the prompts' own.
        behind: what an activation passes through on its way on from there.
        watched: hook points to keep without their graph.
        read: how the metric is read; `None` computes all logits first.
    """
    behind = {**_no_empty_rows(model, mask), **(behind or {})}
    nodes = {EMBED, *hooks}
    kept: dict[str, Tensor] = {}

    def edit_at(name: str) -> Edit:
        def edit(activation: Tensor) -> Tensor:
            if name == EMBED and embedding is not None:
                activation = embedding.clone()
            if name in nodes:
                kept[name] = activation = activation if activation.requires_grad else activation.requires_grad_(True)
            return behind[name](activation) if name in behind else activation

        return edit

    names = list(dict.fromkeys([*nodes, *behind]))
    with torch.enable_grad():
        with edited(model, {name: edit_at(name) for name in names}), record(model, watched) as seen:
            options = masked(tokens, mask)
            values = metric(model(tokens, **options)) if read is None else read(model, tokens, metric, options)
        if not values.requires_grad:
            raise ValueError(
                f"metric {metric.name!r} has no gradient, so that effects cannot be estimated to first order; use one "
                "that is differentiable, such as a logit difference, or patch exactly"
            )
    return kept, values, dict(seen)


def _no_empty_rows(model: HookedModel, mask: Bool[Tensor, "_ _"] | None) -> dict[str, Edit]:
    """Return edits that let queries which see padding alone look anywhere.

    Their scores are all minus infinity. TransformerLens sets the NaN that the softmax makes of them to zero, but not
    the NaN in the gradient of that softmax. No real token looks at such a query, so where it looks makes no difference.
    """
    if mask is None or bool(mask.all()):
        return {}
    found = [f"blocks.{layer}.attn.hook_attn_scores" for layer in range(int(model.cfg.n_layers))]
    fixed = read_only_hooks(model)

    def fill(scores: Tensor) -> Tensor:
        return scores.masked_fill(scores.isneginf().all(-1, keepdim=True), 0.0)

    return {name: fill for name in found if name in model.hook_dict and "attn.hook_attn_scores" not in fixed}


def gradients_of(
    values: Float[Tensor, " batch"], activations: Mapping[str, Tensor], *, again: bool = False
) -> dict[str, Tensor]:
    """Return each example's gradient: that of the sum, because no row of a batch touches another.

    Args:
        again: whether the graph is needed once more.

    Raises: ValueError, if the metric does not depend on one of the activations.
    """
    names = list(activations)
    nodes = [activations[name] for name in names]
    found = torch.autograd.grad(values.sum(), nodes, retain_graph=again, allow_unused=True)
    for name, gradient in zip(names, found, strict=True):
        if gradient is None:
            raise ValueError(f"nothing that the metric reads depends on {name!r}; attribute to another hook point")
    return dict(zip(names, found, strict=True))


def difference(donor: Float[Tensor, "..."], base: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Return the change from one value to another, in float32 or better; zero where both are minus infinity."""
    change = torch.where(donor == base, torch.zeros_like(base), donor - base).detach()
    return change.to(torch.promote_types(change.dtype, torch.float32))


def through_decoder(
    codec: Codec, latents: Float[Tensor, "*batch latent"], gradient: Float[Tensor, "*batch d_in"]
) -> Float[Tensor, "*batch latent"]:
    """Return the gradient that reaches each latent of a dictionary through its decoder.

    Args:
        latents: where the decoder is differentiated.
        gradient: by the activation that is decoded.
    """
    with torch.enable_grad():
        inputs = latents.detach().clone().requires_grad_(True)
        (found,) = torch.autograd.grad(codec.decode(inputs), inputs, grad_outputs=gradient)
    return found
