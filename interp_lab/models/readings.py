"""Weights as they meet in the residual stream: what writes to it from inside a layer, and how norms let it be read."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.models.shape import norm_kind
from interp_lab.types import HookedModel, Site

_INSIDE = (".attn.hook_z", ".mlp.hook_post")
"""Endings of hook points whose activations a fixed matrix takes to the residual stream."""


def through_norm(
    weight: Float[Tensor, "*batch d_model out"],
    norm: Any,  # noqa: ANN401 - a norm of either backend, or none
    *,
    model: HookedModel,
    centred: bool,
) -> Float[Tensor, "*batch d_model out"]:
    """Return a reading matrix with the norm before it worked in: its scale and, where it removes the mean, that."""
    scaled = _precise(weight) * norm_scale(norm, model)[..., None]
    return scaled - centred * scaled.mean(-2, keepdim=True)


def norm_scale(norm: Any, model: HookedModel) -> Float[Tensor, "*d_model"]:  # noqa: ANN401 - as above
    """Return the weight of a norm; 1 where it was folded, or there is no norm."""
    weight = getattr(norm, "w", None)
    if weight is None:
        return torch.ones(1, device=next(iter(model.parameters())).device)
    # Gemma's norms on a bridge are kept as they are stored, as the distance from 1.
    return _precise(weight) + (1.0 if getattr(model.cfg, "rmsnorm_uses_offset", False) else 0.0)


def _precise(weight: Tensor) -> Tensor:
    return weight.to(torch.promote_types(weight.dtype, torch.float32))


def unembedding(model: HookedModel) -> Float[Tensor, "d_model d_vocab"]:
    """Return the unembedding as it reads the residual stream behind the last norm, up to that norm's positive scale.

    Logits are relative to their mean over the vocabulary, which no probability depends on.

    Raises: ValueError, as `norm_kind`.
    """
    weight: Tensor = model.W_U  # ty: ignore[missing-attribute] - weights are no part of the protocol
    final = getattr(model, "ln_final", None)
    read = through_norm(weight.detach(), final, model=model, centred=norm_kind(model) == "LN").detach()
    return read - read.mean(-1, keepdim=True)


def reaches_stream(hook: str) -> bool:
    """Whether directions at a hook point are directions of the residual stream, or become some by a fixed matrix."""
    return hook.endswith(("resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out", *_INSIDE))


def writes(model: HookedModel, hook: str) -> Float[Tensor, "d_in d_model"] | None:
    """Return the weights by which a hook point writes to the residual stream; `None` where it is that stream or none.

    Heads lie side by side. A norm behind the attention or the MLP is not taken into account.
    """
    if not hook.endswith(_INSIDE):
        return None
    blocks: Any = model.blocks  # ty: ignore[missing-attribute] - weights are no part of the protocol
    block = blocks[Site(hook).layer]
    weight = block.attn.W_O.flatten(0, 1) if hook.endswith("hook_z") else block.mlp.W_out
    return weight.detach()
