"""The operations, as arithmetic: an activation and a payload in, the changed activation out."""

from enum import StrEnum

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_lab.types import Codec


class Op(StrEnum):
    """What is done to the activation at a site."""

    REPLACE = "replace"
    """Set to the payload: zero, mean and resample ablation, activation patching."""
    ADD = "add"
    """Add the payload: steering."""
    SCALE = "scale"
    """Multiply by the payload."""
    PROJECT_OUT = "project out"
    """Remove the component along the payload (directional ablation)."""


def apply_op(op: Op, activation: Float[Tensor, "..."], payload: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Return the activation after one operation, in its own shape.

    Raises: ValueError, if the payload does not broadcast to the activation, or a direction to project out is zero.
    """
    try:
        payload = payload.expand_as(activation)
    except RuntimeError as error:
        raise ValueError(
            f"a payload of shape {tuple(payload.shape)} does not fit an activation of shape {tuple(activation.shape)}"
        ) from error
    if op is Op.REPLACE:
        return payload
    if op is Op.ADD:
        return activation + payload
    if op is Op.SCALE:
        return activation * payload
    squared = payload.square().sum(-1, keepdim=True)
    if (squared == 0).any():
        raise ValueError("cannot project out a direction of length zero")
    return activation - payload * ((activation * payload).sum(-1, keepdim=True) / squared)


def apply_to_latents(
    op: Op,
    activation: Float[Tensor, "*batch d_in"],
    payload: Float[Tensor, "..."],
    *,
    codec: Codec,
    latent: int | Int[Tensor, " row"] | None,
) -> Float[Tensor, "*batch d_in"]:
    """Return the activation after one operation on its latents; what the codec cannot reconstruct stays as it is.

    Args:
        latent: index of the latent; one per row of a two-dimensional activation, or `None` for all latents.
    """
    latents = codec.encode(activation)
    changed = latents.clone()
    if latent is None:
        changed = apply_op(op, latents, payload)
    elif isinstance(latent, Tensor):
        rows = torch.arange(len(latents), device=latents.device)
        changed[rows, latent] = apply_op(op, latents[rows, latent], payload)
    else:
        changed[..., latent] = apply_op(op, latents[..., latent], payload)
    return activation + codec.decode(changed) - codec.decode(latents)
