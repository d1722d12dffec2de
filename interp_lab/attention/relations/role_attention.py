"""Attention from one place of a prompt to others, by what stands there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.attention.relations.places import attention_at, attention_rows, role_places
from interp_lab.organisms.grammar import Value
from interp_lab.stats.paired import FEWEST_FOR_T
from interp_lab.tasks import Pairs
from interp_lab.tasks.roles import GIVEN
from interp_lab.types import HookedModel, Tokens, nearest


@dataclass(frozen=True)
class RoleAttention:
    """Attention from one place of each prompt to others, by what stands there."""

    roles: tuple[str, ...]
    attention: Float[np.ndarray, "role layer head example"]
    """Probabilities; NaN where a prompt has no such place, or has it behind the query."""
    templates: tuple[str, ...]

    def rows(self, index: Sequence[int] | Int[np.ndarray, " row"]) -> "RoleAttention":
        """Return some of the prompts."""
        return RoleAttention(self.roles, self.attention[..., index], tuple(self.templates[i] for i in index))

    def of_role(self, nth: int) -> "RoleAttention":
        """Return one role, in the prompts that have it; raises ValueError, if fewer than two have."""
        there = np.flatnonzero(np.isfinite(self.attention[nth, 0, 0]))
        if len(there) < 2:
            raise ValueError(f"{len(there)} prompts have {self.roles[nth]!r}; leave it out, or draw more prompts")
        return RoleAttention((self.roles[nth],), self.attention[nth : nth + 1], self.templates).rows(there)


def attention_to_places(
    model: HookedModel,
    tokens: Tokens,
    *,
    mask: Bool[Tensor, "batch pos"],
    query: Int[Tensor, " batch"],
    places: Mapping[str, Int[Tensor, " batch"]],
    templates: Sequence[str],
    batch_size: int = 32,
) -> RoleAttention:
    """Read attention from one place of each prompt to others; prompts of any origin, such as the sides of a `Contrast`.

    Args:
        places: positions by role; -1 where a prompt has no such place.
    Raises: ValueError, as `attention_rows`.
    """
    rows = attention_rows(model, tokens, mask=mask, query=query, batch_size=batch_size)
    read = []
    for positions in places.values():
        there = (positions >= 0) & (positions <= query)
        read.append(np.where(there.cpu().numpy(), attention_at(rows, positions.clamp(min=0)), np.nan))
    return RoleAttention(tuple(places), np.stack(read), tuple(templates))


def role_attention(
    model: HookedModel,
    pairs: Pairs,
    *,
    query: str = "end",
    roles: Sequence[str] | None = None,
    corrupted: bool = False,
    batch_size: int = 32,
) -> RoleAttention:
    """Read attention from one role of the clean prompts of pairs (or the corrupted ones) to others.

    Args:
        roles: `None` takes those that at least four templates have: fewer support nothing.

    Raises: ValueError, for an unknown role, or as `attention_to_places`.
    """
    if roles is None:
        templates = np.array(pairs.templates)
        having = {name: set(templates[places.cpu().numpy() >= 0]) for name, places in pairs.roles.items()}
        left_out = {*GIVEN, query} - {"start"}
        roles = [name for name, them in having.items() if len(them) >= FEWEST_FOR_T and name not in left_out]
    return attention_to_places(
        model,
        pairs.corrupted if corrupted else pairs.clean,
        mask=pairs.mask,
        query=role_places(pairs, query),
        places={name: role_places(pairs, name) for name in roles},
        templates=pairs.templates,
        batch_size=batch_size,
    )


def rows_by_latent(pairs: Pairs, latent: str, value: Value) -> list[int]:
    """Return which clean prompts have a value of a latent, such as `approved` for `expected`; ValueError, if none."""
    rows = [row for row, latents in enumerate(pairs.latents) if latents.get(latent) == value]
    if not rows:
        there = sorted({str(latents.get(latent)) for latents in pairs.latents})
        hint = nearest(latent, pairs.latents[0]) if latent not in pairs.latents[0] else ""
        raise ValueError(f"{latent} is {value!r} in no prompt of {pairs.task}, it is one of {there}{hint}")
    return rows
