"""The operations, as arithmetic: an activation and a payload in, the changed activation out."""

from enum import StrEnum

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
    latents: Int[Tensor, "*#batch changed"] | None,
) -> Float[Tensor, "*batch d_in"]:
    """Return the activation after one operation on its latents; what the codec cannot reconstruct stays as it is.

    All latents are read before any is changed: with several, their order makes no difference.

    Args:
        payload: one number per latent, broadcastable to `latents`.
        latents: their indices; `None` for all.
    """
    read = codec.encode(activation)
    if latents is None:
        changed = apply_op(op, read, payload)
    else:
        index = latents.expand(*read.shape[:-1], latents.shape[-1])
        changed = read.scatter(-1, index, apply_op(op, read.gather(-1, index), payload))
    return activation + codec.decode(changed) - codec.decode(read)
