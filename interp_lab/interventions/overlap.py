"""Do two sites, or two interventions, act on the same numbers? Then the later undoes the earlier."""

from collections.abc import Iterable, Sequence
from itertools import combinations

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from interp_lab.interventions.combined import Combined
from interp_lab.interventions.intervention import Intervention
from interp_lab.types import Site

At = int | Int[Tensor, " batch"] | None
"""A position, one for each prompt, or every position."""


def sites_overlap(one: Site, other: Site, *, n_pos: int) -> bool:
    """Whether two sites share an element: the same hook point, and head, position and latent the same or left open.

    Args:
        n_pos: length of the prompts; position -1 is the last, `n_pos - 1`.
    """
    return _share_axes(one, other) and bool(_meet(one.position, other.position, n_pos=n_pos).any())


def require_apart(sites: Iterable[Site], *, n_pos: int, what: str) -> None:
    """Refuse sites that share an element.

    Args:
        what: they belong to, for the message.

    Raises: ValueError, naming two of them.
    """
    by_hook: dict[str, list[Site]] = {}
    for site in sites:
        by_hook.setdefault(site.hook, []).append(site)
    for there in by_hook.values():
        for one, other in combinations(there, 2):
            if sites_overlap(one, other, n_pos=n_pos):
                named = f"{one} twice" if one == other else f"{one} and {other}, which overlap in {n_pos} tokens"
                raise ValueError(f"{what} names {named}; name each element of an activation once")


def require_members_apart(members: Sequence[Intervention | Combined], *, n_pos: int) -> None:
    """Refuse interventions that act in the same place of the same prompt: the later would undo the earlier.

    Raises: ValueError, naming two of them and the place.
    """
    for one, other in combinations(members, 2):
        for part in one.parts:
            for later in other.parts:
                clash = _clash(part, later, n_pos=n_pos)
                if clash is not None:
                    where = " and ".join(dict.fromkeys(map(str, clash)))
                    raise ValueError(
                        f"{one.name!r} and {other.name!r} both act on {where}, where the later would undo the earlier; "
                        "leave one of them out of the set"
                    )


def _clash(one: Intervention, other: Intervention, *, n_pos: int) -> tuple[Site, Site] | None:
    for site in one.sites:
        for later in other.sites:
            latents_apart = one.codec is other.codec  # of two dictionaries the same number means two things
            if _share_axes(site, later, latents_apart=latents_apart):
                there = _acts(one, site, n_pos=n_pos) & _acts(other, later, n_pos=n_pos)
                if bool(there.any()):
                    return site, later
    return None


def _share_axes(one: Site, other: Site, *, latents_apart: bool = True) -> bool:
    """Whether hook point, heads and latents have something in common, wherever it is."""
    heads = one.head is None or other.head is None or one.head == other.head
    latents = not latents_apart or one.latent is None or other.latent is None or one.latent == other.latent
    return one.hook == other.hook and heads and latents


def _acts(intervention: Intervention, site: Site, *, n_pos: int) -> Bool[Tensor, "*batch pos"]:
    """Return where it acts at a site, with an axis of prompts where these differ."""
    at = intervention.positions if site.position is None else site.position
    acts = torch.ones(n_pos, dtype=torch.bool)
    if at is not None:
        acts = torch.arange(n_pos) == torch.as_tensor(at).cpu().remainder(n_pos)[..., None]
    if intervention.tokens is not None:
        acts = acts & intervention.tokens.cpu()
    return acts if intervention.gate is None else acts & intervention.gate.cpu()[:, None]


def _meet(one: At, other: At, *, n_pos: int) -> Bool[Tensor, "*batch"]:
    """Return whether two positions are the same, for each prompt where they depend on it."""
    if one is None or other is None:
        return torch.tensor(True)
    first, second = (torch.as_tensor(at).cpu().remainder(n_pos) for at in (one, other))
    return first == second
