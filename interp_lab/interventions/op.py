"""The operations, as arithmetic: an activation and a payload in, the changed activation out."""

from enum import StrEnum

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_lab.types import Codec

FEW = 16
"""Latents are changed one by one where so many times as many would still be fewer than all there are."""


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
    CLAMP = "clamp"
    """Set the component along the payload to the payload itself; what is orthogonal to it stays."""


def apply_op(
    op: Op,
    activation: Float[Tensor, "..."],
    payload: Float[Tensor, "..."],
    *,
    coefficient: Float[Tensor, "..."] | None = None,
    squared: Float[Tensor, "..."] | None = None,
) -> Float[Tensor, "..."]:
    """Return the activation after one operation, in its own shape.

    Args:
        coefficient: multiplies a payload that is added or clamped to, broadcastable to the activation (`None` is 1);
            zero clamps the component along the payload to zero. Other operations take none.
        squared: `squared_length` of the payload, where it is known; it spares the check.

    Raises: ValueError, if the payload does not broadcast to the activation, or if a direction to project out or to
        clamp along is zero.
    """
    try:
        whole = payload.expand_as(activation)
    except RuntimeError as error:
        raise ValueError(
            f"a payload of shape {tuple(payload.shape)} does not fit an activation of shape {tuple(activation.shape)}"
        ) from error
    if op is Op.REPLACE:
        return whole
    if op is Op.ADD:
        return activation + (payload if coefficient is None else coefficient * payload)
    if op is Op.SCALE:
        return activation * payload
    if payload.ndim == 0 or payload.shape[-1] != activation.shape[-1]:
        payload = whole
    if squared is None:
        squared = squared_length(payload)
    share = (activation.to(squared.dtype) * payload).sum(-1, keepdim=True) / squared
    if op is Op.CLAMP:
        share = share - (1 if coefficient is None else coefficient)
    return (activation - payload * share).to(activation.dtype)


def squared_length(direction: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch 1"]:
    """Return the squared length of directions to project out, or to clamp along, in float32 at least.

    Half precision holds no square of a length above 255: a direction that long would be left where it is.

    Raises: ValueError, if one is zero.
    """
    squared = direction.to(torch.promote_types(direction.dtype, torch.float32)).square().sum(-1, keepdim=True)
    if (squared == 0).any():
        raise ValueError("cannot project out, or clamp along, a direction of length zero")
    return squared


def apply_to_latents(
    op: Op,
    activation: Float[Tensor, "*batch d_in"],
    payload: Float[Tensor, "..."],
    *,
    codec: Codec,
    latents: Int[Tensor, "*#batch changed"] | None,
) -> Float[Tensor, "*batch d_in"]:
    """Return the activation after one operation on its latents; what the codec cannot reconstruct stays as it is.

    All latents are read before any is changed: with several, their order makes no difference. Where no latent changes
    the activation comes back bit by bit. A codec that tells its decoder's rows (`decoder_rows`) is decoded for what
    changes only: one row per latent that is named, in place of the whole dictionary twice. Rows are looked up for each
    prompt where prompts differ in their latents, unless that would take more memory than the activation or its latents.

    Args:
        payload: one number per latent, broadcastable to `latents`.
        latents: their indices; `None` for all.
    """
    read, rows = codec.encode(activation), decoder_rows(codec)
    if latents is None:
        changed = apply_op(op, read, payload)
        return activation + _decoded(codec, read, changed, rows=rows)
    index = latents.expand(*read.shape[:-1], latents.shape[-1])
    before = read.gather(-1, index)
    after = apply_op(op, before, payload)
    if rows is None or index.shape[-1] * FEW > read.shape[-1] or not _fits(latents, rows, activation, read):
        return activation + _decoded(codec, read, read.scatter(-1, index, after), rows=rows)
    return activation + torch.einsum("...c,...cd->...d", after - before, rows[latents].to(before))


def _fits(latents: Tensor, rows: Tensor, *beside: Tensor) -> bool:
    """Whether the rows of latents, prompt by prompt, have no more entries than the largest of what is there already."""
    return latents.numel() * rows.shape[-1] <= max(tensor.numel() for tensor in beside)


def require_codec(codec: Codec) -> None:
    """Refuse a codec whose latents alone are no activation, since it rescales each token by a norm of its own.

    Raises: ValueError.
    """
    if getattr(codec, "rescales_tokens", False):
        raise ValueError(
            f"{getattr(codec, 'where', 'the codec')} divides each token by its own norm and decodes with the norm of "
            "whatever it encoded last, so that a change of a latent has no size of its own; intervene through an "
            "autoencoder with normalize_activations='none'"
        )


def decoder_rows(codec: Codec) -> Float[Tensor, "latent d_in"] | None:
    """Return what a latent of one writes, row by row, of a codec that says so; else `None`.

    By its `decoder_rows` a codec says that decoding is linear but for a constant: the rows of a matrix, times latents.
    """
    return getattr(codec, "decoder_rows", None)


def _decoded(codec: Codec, before: Tensor, after: Tensor, *, rows: Tensor | None) -> Float[Tensor, "*batch d_in"]:
    """Return what a change of latents writes: exactly nothing where there is none."""
    if rows is None:
        return codec.decode(after) - codec.decode(before)
    return (after - before) @ rows.to(before)
