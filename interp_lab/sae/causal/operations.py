"""Operations on latents, as arithmetic: what changes of their values, token by token."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp_lab.sae.causal.config import Operation

FROM_OTHERS = (Operation.RESAMPLE, Operation.CORRUPTED)
"""Operations that take values from other prompts."""


@dataclass(frozen=True)
class Reference:
    """Values of latents on the selection split, at the tokens that are asked about, clean and corrupted."""

    mean: Float[Tensor, " latent"]
    largest: Float[Tensor, " latent"]

    @classmethod
    def of(cls, latents: Float[Tensor, "batch pos latent"], asked: Bool[Tensor, "batch pos"]) -> "Reference":
        """Take them from prompts."""
        values = latents[asked]
        return cls(values.mean(0), values.amax(0))


def changed_by(
    operation: Operation,
    latents: Float[Tensor, "batch pos latent"],
    *,
    asked: Bool[Tensor, "batch pos"],
    reference: Reference,
    other: Float[Tensor, "batch pos latent"] | None = None,
    scale: float = 2.0,
    clamp: float = 1.0,
) -> Float[Tensor, "batch pos latent"]:
    """Return by how much an operation changes each latent; exactly zero at tokens that are not asked about.

    Args:
        other: values on the prompts that `resample` and `corrupted` take them from.

    Raises: ValueError, for one of these without other prompts.
    """
    if operation in FROM_OTHERS and other is None:
        raise ValueError(f"{operation} takes values from other prompts, and none were given; use zero or mean")
    if operation is Operation.ZERO:
        change = -latents
    elif operation is Operation.MEAN:
        change = reference.mean - latents
    elif operation is Operation.SCALE:
        change = (scale - 1) * latents
    elif operation is Operation.CLAMP:
        change = clamp * reference.largest - latents
    else:
        assert other is not None, "it was refused"
        change = other - latents
    return torch.where(asked[..., None], change, torch.zeros_like(change))


def lengths(
    changes: Float[Tensor, "batch pos latent"], rows: Float[Tensor, "latent d_in"]
) -> Float[Tensor, "latent batch"]:
    """Return the length of what each latent's change writes on each prompt, all tokens together."""
    return (changes.square().sum(1).sqrt() * rows.norm(dim=-1)).T


def written(
    changes: Float[Tensor, "batch pos latent"], rows: Float[Tensor, "latent d_in"]
) -> Float[Tensor, "batch pos d_in"]:
    """Return what changes of latents write together, token by token."""
    return changes @ rows
