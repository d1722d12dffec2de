"""What features are compared with: other directions of the same length, and other latents brought to that length."""

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_lab.sae.causal.directions import Prompts

FAINT = 0.01
"""Share of a feature's length below which another latent's change counts as none: it is not blown up to that length."""


class Stream(IntEnum):
    """What is drawn."""

    RANDOM = 0
    BORROWED = 1
    SET_RANDOM = 2
    SET_OTHERS = 3


Key = tuple[int, ...]
"""Seed, split, stream, and what tells its members apart; draws with keys that differ anywhere are independent."""


def generator(*key: int) -> np.random.Generator:
    """Return the generator of a key."""
    return np.random.default_rng(np.random.SeedSequence(key))


def random_rows(like: Float[Tensor, " d_in"], n: int, *, key: Key) -> Float[Tensor, "draw d_in"]:
    """Return random directions of the length of a latent's row."""
    drawn = np.stack([generator(*key, nth).standard_normal(len(like)) for nth in range(n)])
    directions = torch.from_numpy(drawn / np.linalg.norm(drawn, axis=-1, keepdims=True))
    return directions.to(like) * like.norm()


def borrowed_rows(
    rows: Float[Tensor, "latent d_in"], latent: int, others: Int[np.ndarray, " _"], *, n: int, key: Key
) -> Float[Tensor, "draw d_in"]:
    """Return rows of other latents, drawn at random, at the length of a latent's own row."""
    drawn = generator(*key).choice(others, size=min(n, len(others)), replace=False)
    found = rows[torch.from_numpy(drawn)]
    return found / found.norm(dim=-1, keepdim=True) * rows[latent].norm()


def along(
    prompts: Prompts, directions: Sequence[Float[Tensor, "draw d_in"]], changes: Sequence[Float[Tensor, "batch pos"]]
) -> Float[np.ndarray, "latent draw example"]:
    """Return what changes along other directions do, as long as each latent's own at every token of every prompt.

    Args:
        directions: of each latent, as many.
        changes: of each latent's value.
    """
    each = [change for drawn, change in zip(directions, changes, strict=True) for _ in drawn]
    found = prompts.measured(prompts.adding(torch.cat(list(directions)), each, what="direction"))
    return found.reshape(len(directions), -1, found.shape[-1])


def as_long(
    changes: Float[Tensor, "batch ..."], own: Float[Tensor, " batch"], wanted: Float[Tensor, " batch"]
) -> Float[Tensor, "batch ..."]:
    """Return changes brought to another length, prompt by prompt; none where they are faint (`FAINT`).

    Args:
        own: how long they are.
        wanted: how long they are to be.
    """
    factor = torch.where(own > FAINT * wanted, wanted / own.clamp(min=torch.finfo(own.dtype).tiny), 0)
    return changes * factor.to(changes).view(-1, *[1] * (changes.ndim - 1))


def matched(
    lengths: Float[np.ndarray, "latent example"],
    chosen: Int[np.ndarray, " chosen"],
    others: Int[np.ndarray, " _"],
    *,
    n: int,
) -> Int[np.ndarray, "chosen matched"]:
    """Return for each latent the others that change on the same prompts, and of those the most nearly as long ones.

    First comes how much of the latent's length lies on prompts where the other one changes at all: there it can be
    brought to the same length (`as_long`). Then how far lengths are apart: the sum of the differences over the sum of
    both. So two latents of the same density and size that are active on other prompts are no match.
    """
    found = []
    for own in lengths[chosen]:
        theirs = lengths[others]
        apart = np.abs(theirs - own).sum(-1) / np.maximum((theirs + own).sum(-1), np.finfo(np.float64).tiny)
        found.append(others[np.lexsort((apart, -_reached(own, theirs).round(2)))[:n]])
    return np.stack(found).astype(np.int64)


def reach(
    lengths: Float[np.ndarray, "latent example"],
    chosen: Int[np.ndarray, " chosen"],
    controls: Int[np.ndarray, "chosen matched"],
) -> Float[np.ndarray, " chosen"]:
    """Return how much of each latent's length its matched ones can be brought to (0 to 1; NaN where it has none)."""
    return np.array(
        [_reached(lengths[own], lengths[theirs]).mean() for own, theirs in zip(chosen, controls, strict=True)]
    )


def _reached(own: Float[np.ndarray, " example"], theirs: Float[np.ndarray, "_ example"]) -> Float[np.ndarray, " _"]:
    total = own.sum()
    return ((theirs > FAINT * own) * own).sum(-1) / (np.nan if total == 0 else total)


def closeness(
    lengths: Float[np.ndarray, "latent example"],
    chosen: Int[np.ndarray, " chosen"],
    controls: Int[np.ndarray, "chosen matched"],
) -> Float[np.ndarray, " chosen"]:
    """Return how long the changes of the matched latents are by themselves, as a share of a latent's own."""
    own = lengths[chosen].mean(-1)
    return lengths[controls].mean((-1, -2)) / np.where(own == 0, np.nan, own)
