"""The model with some activations replaced: everything else as it was."""

import re

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp_lab.hooks import edited
from interp_lab.models.forward import forward_from
from interp_lab.types import HookedModel, Logits, Tokens

_RESIDUAL = re.compile(r"blocks\.(\d+)\.hook_resid_(pre|post)")


def spliced(
    model: HookedModel,
    tokens: Tokens,
    activation: Float[Tensor, "batch pos ..."],
    *,
    hook: str,
    kept: Bool[Tensor, "batch pos"],
    rows: Float[Tensor, "row d_in"],
) -> Logits:
    """Return the logits with the activation at the tokens that are kept replaced, and that of others as it was.

    So BOS, padding and end tokens keep their activations where they were left out of training: they are large, no
    autoencoder has seen them, and every later token attends to them. In the residual stream layers below are not run.

    Args:
        activation: of the untouched model at this hook point.
        rows: what to put in its place, heads side by side, row by row of the tokens that are kept.
    """
    changed = activation.clone()
    changed[kept] = rows.to(changed.dtype).view(-1, *changed.shape[2:])
    layer = layer_entered(hook)
    if layer is not None:
        return forward_from(model, changed, layer, tokens=tokens)
    with torch.no_grad(), edited(model, {hook: lambda _: changed}):
        return model(tokens)


def layer_entered(hook: str) -> int | None:
    """Return the layer that a residual stream enters next; `None` for hook points that are none."""
    found = _RESIDUAL.fullmatch(hook)
    return None if found is None else int(found[1]) + (found[2] == "post")
