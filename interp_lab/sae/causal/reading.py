"""What a dictionary reads on the prompts of a split, and at which tokens it is asked about."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.hooks import capture
from interp_lab.interventions import decoder_rows, require_codec
from interp_lab.tasks import Pairs
from interp_lab.types import Codec, HookedModel, Tokens, nearest

ALL = "all"


@runtime_checkable
class Dictionary(Codec, Protocol):
    """A codec that knows where it belongs: a `LoadedSae`, or one of your own (a PCA, say).

    Its decoder must be linear but for a constant, and say so by `decoder_rows` (`interventions.decoder_rows`).
    """

    @property
    def hook(self) -> str:
        """Hook point whose activations it encodes, heads side by side."""
        ...

    @property
    def where(self) -> str:
        """What messages call it."""
        ...

    def require_fits(self, model: HookedModel) -> None:
        """Refuse a model that it does not belong to.

        Raises: ValueError.
        """
        ...


@dataclass(frozen=True)
class Read:
    """Activations and latents, heads side by side; padding included."""

    activations: Float[Tensor, "batch pos d_in"]
    latents: Float[Tensor, "batch pos latent"]


def read(model: HookedModel, codec: Codec, tokens: Tokens, *, hook: str, mask: Bool[Tensor, "batch pos"]) -> Read:
    """Run prompts, and encode what is there."""
    parts = list(_batches(model, codec, tokens, hook, mask))
    return Read(*(torch.cat(own) for own in zip(*parts, strict=True)))


def _batches(
    model: HookedModel, codec: Codec, tokens: Tokens, hook: str, mask: Tensor
) -> Iterator[tuple[Tensor, Tensor]]:
    with torch.no_grad():
        for rows in torch.arange(len(tokens)).split(64):
            found = capture(model, tokens[rows], [hook], mask=mask[rows])[hook].clone().flatten(2)
            yield found, codec.encode(found)


def asked_at(pairs: Pairs, positions: str, *, special: Int[Tensor, " _"]) -> Bool[Tensor, "batch pos"]:
    """Return the tokens at which latents are changed.

    Args:
        positions: `all`, or a place of the prompts.
        special: tokens that are left as they are, on either prompt of a pair.

    Raises: ValueError, for a place that not every prompt has, with those that all have, or one of a special token.
    """
    left = torch.isin(pairs.clean, special.to(pairs.clean)) | torch.isin(pairs.corrupted, special.to(pairs.clean))
    if positions == ALL:
        return pairs.mask & ~left
    places = pairs.common_roles()
    if positions not in places:
        raise ValueError(
            f"positions={positions!r} is no place that every prompt of {pairs.task} has{nearest(positions, places)}; "
            f"use {ALL!r} or one of {', '.join(places)}"
        )
    n_pos = pairs.mask.shape[1]
    at = pairs.roles[positions].remainder(n_pos)
    asked = torch.arange(n_pos, device=at.device) == at[:, None]
    if bool((asked & left).any()):
        token = int(pairs.clean[asked & left][0])
        raise ValueError(
            f"positions={positions!r} is a special token ({pairs.spelling[token]!r}) in {pairs.task}, which "
            f"dictionaries are not trained on; use {ALL!r} or another place, or set exclude_special to false for a "
            "dictionary that was"
        )
    return asked


def rows_of(codec: Dictionary) -> Float[Tensor, "latent d_in"]:
    """Return what each latent writes.

    Raises: ValueError, for a dictionary whose decoder is not linear, or that rescales each token by its own norm.
    """
    require_codec(codec)
    rows = decoder_rows(codec)
    if rows is None:
        raise ValueError(
            f"{codec.where} does not decode as rows times latents plus a constant, so that a latent writes in no one "
            "direction that could be compared with others; take a dictionary with a linear decoder, and let it say so "
            "by decoder_rows"
        )
    return rows
