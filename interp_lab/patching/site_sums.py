"""Sums over the elements of activations that sites name, and over the sites of groups."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_lab.types import Site


def site_sums(
    terms: Mapping[str, Float[Tensor, "..."]],
    sites: Sequence[Site],
    *,
    positions: Int[Tensor, " batch"] | None = None,
) -> Float[Tensor, "site batch"]:
    """Return the sum of the terms over the elements that each site names.

    Args:
        terms: one number per element of an activation, by hook name.
        positions: one per row, for sites that name none.

    Raises: ValueError, if a position or latent is outside the activation.
    """
    alike: dict[tuple[str, bool, bool, bool], list[int]] = {}
    for nth, site in enumerate(sites):
        kind = (site.hook, site.position is None, site.head is None, site.latent is None)
        alike.setdefault(kind, []).append(nth)
    any_terms = next(iter(terms.values()))
    n_rows = len(any_terms)
    sums = any_terms.new_zeros(len(sites), n_rows)
    for (hook, *_), members in alike.items():
        sums[members] = _sums_alike(terms[hook], [sites[nth] for nth in members], positions).expand(-1, n_rows)
    return sums


def _sums_alike(terms: Tensor, sites: Sequence[Site], positions: Tensor | None) -> Float[Tensor, "site _"]:
    """Sum for sites of one hook point that leave the same axes open."""
    first = sites[0]
    if terms.ndim not in (3, 4):
        raise ValueError(f"activations at {first.hook!r} have {terms.ndim} axes; sites can name those of 3 or 4 only")
    terms = terms.transpose(1, 2) if first.by_query else terms
    terms = terms[:, :, None] if terms.ndim == 3 else terms  # batch, position, head, last
    if first.position is None and positions is not None:
        terms = terms[torch.arange(len(terms), device=terms.device), positions][:, None]
    for axis, index in ((1, first.position), (2, first.head), (3, first.latent)):
        terms = terms.sum(axis, keepdim=True) if index is None else terms
    at = [_indices([s.position for s in sites], terms.shape[1], f"position of {first.hook!r}")]
    at += [_indices([s.head for s in sites], terms.shape[2], f"head of {first.hook!r}")]
    at += [_indices([s.latent for s in sites], terms.shape[3], f"index on the last axis of {first.hook!r}")]
    return terms[:, at[0], at[1], at[2]].T


def _indices(given: Sequence[int | None], size: int, what: str) -> list[int]:
    outside = [index for index in given if index is not None and not -size <= index < size]
    if outside:
        raise ValueError(f"{what} is {outside[0]}, outside the {size} there are; use {-size} to {size - 1}")
    return [index or 0 for index in given]


def group_sums(
    sums: Float[Tensor, "site batch"], sites: Sequence[Site], groups: Sequence[Sequence[Site]]
) -> Float[Tensor, "group batch"]:
    """Return the sum over the sites of each group: to first order, effects add up."""
    row = {site: nth for nth, site in enumerate(sites)}
    members = torch.tensor([row[site] for group in groups for site in group], device=sums.device)
    owner = torch.tensor([nth for nth, group in enumerate(groups) for _ in group], device=sums.device)
    return sums.new_zeros(len(groups), sums.shape[1]).index_add_(0, owner, sums[members])


def group_names(groups: Sequence[Sequence[Site]]) -> tuple[str, ...]:
    """Return what tables call the groups."""
    return tuple("+".join(str(site) for site in group) for group in groups)
