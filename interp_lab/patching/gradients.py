"""Pairs of runs, one of them with its graph: what every first-order estimate is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.hooks import ready_tokens, record, require_editable, require_site
from interp_lab.interventions import require_apart, shared_prefix
from interp_lab.metrics import Metric
from interp_lab.types import HookedModel, Site, Tokens

PatchDirection = Literal["denoise", "noise"]
"""`denoise` puts clean activations into the corrupted run (what suffices), `noise` corrupted ones into the clean run
(what is needed)."""


@dataclass(frozen=True)
class Runs:
    """Prompts that are patched, and the prompts that the patches are taken from."""

    base: Tokens
    """Corrupted prompts to denoise, clean ones to noise."""
    donor: Tokens
    mask: Bool[Tensor, "batch pos"] | None
    """True at tokens, False at padding."""
    positions: Int[Tensor, " batch"] | None
    """Where each prompt is patched, for sites that name no position."""

    def rows(self, index: Int[Tensor, " row"]) -> "Runs":
        """Return some of the prompts."""
        index = index.to(self.base.device)
        mask = None if self.mask is None else self.mask[index]
        positions = None if self.positions is None else self.positions[index]
        return replace(self, base=self.base[index], donor=self.donor[index], mask=mask, positions=positions)

    def options(self) -> dict[str, Any]:
        """Return the keyword arguments of a forward pass over these prompts."""
        return {} if self.mask is None else {"attention_mask": self.mask.long()}


def paired_runs(
    model: HookedModel,
    clean: Tokens,
    corrupted: Int[Tensor, "_ _"],
    *,
    direction: PatchDirection,
    mask: Bool[Tensor, "_ _"] | None,
    positions: Int[Tensor, " _"] | None,
) -> Runs:
    """Return clean and corrupted prompts in their roles, on the model's device.

    Raises: ValueError, for tokens that the model cannot read, prompts that do not pair up, a pair of equal prompts, or
        a mask or positions that do not fit them.
    """
    clean, corrupted = ready_tokens(model, clean), ready_tokens(model, corrupted)
    if clean.shape != corrupted.shape:
        raise ValueError(
            f"clean prompts have shape {tuple(clean.shape)} and corrupted ones {tuple(corrupted.shape)}; pairs must be "
            "aligned token by token, so build them with tasks.pairs_for, or pad both alike"
        )
    shared_prefix(clean, corrupted)  # refuses pairs of equal prompts
    n_examples, n_pos = clean.shape
    if mask is not None and mask.shape != clean.shape:
        raise ValueError(
            f"the mask has shape {tuple(mask.shape)} and the prompts {tuple(clean.shape)}; give one for both"
        )
    if positions is not None:
        if len(positions) != n_examples:
            raise ValueError(f"{len(positions)} positions for {n_examples} prompts; give one for each")
        outside = positions[(positions < -n_pos) | (positions >= n_pos)].tolist()
        if outside:
            raise ValueError(f"position {outside[0]} is outside prompts of {n_pos} tokens; use {-n_pos} to {n_pos - 1}")
        positions = positions.to(clean.device).remainder(n_pos)
    base, donor = (corrupted, clean) if direction == "denoise" else (clean, corrupted)
    return Runs(base, donor, None if mask is None else mask.to(clean.device), positions)


def require_groups(
    model: HookedModel,
    groups: Sequence[Sequence[Site]],
    *,
    n_pos: int,
    per_prompt: bool,
    latents_of: Mapping[str, Any],
) -> list[Site]:
    """Return the different sites of all groups, in order.

    Args:
        n_pos: length of the prompts.
        per_prompt: whether each prompt has its own position.
        latents_of: hook points whose last axis is that of a codec.

    Raises: ValueError, for no groups, an empty one, sites that overlap in one (they would be counted twice), two groups
        that are the same, or a site that the model has not or that a gradient cannot reach.
    """
    if not groups:
        raise ValueError("no sites to attribute to; give at least one group of sites")
    seen: dict[frozenset[Site], int] = {}
    for nth, group in enumerate(groups):
        if not group:
            raise ValueError(f"group {nth} is empty; give at least one site")
        require_apart(group, n_pos=n_pos, what=f"group {nth}")
        same = frozenset(_counted(site, n_pos) for site in group)
        if seen.setdefault(same, nth) != nth:
            raise ValueError(
                f"groups {seen[same]} and {nth} are the same, {[str(site) for site in group]}; give it once"
            )
    sites = list(dict.fromkeys(site for group in groups for site in group))
    for site in sites:
        require_site(model, site)
        require_editable(model, site.hook)
        if per_prompt and site.position is not None:
            raise ValueError(f"each prompt has a position, and {site} has one of its own; give one or the other")
        if site.hook in latents_of and (site.by_query or site.head is not None):
            raise ValueError(
                f"{site} is split by head, and its codec reads all heads of a token side by side; name no head, or "
                "attribute to heads without a codec"
            )
    return sites


def _counted(site: Site, n_pos: int) -> Site:
    """Return the site with its position counted from the start."""
    at = site.position
    return site if at is None or not -n_pos <= at < 0 else replace(site, position=at + n_pos)


def written_by(model: HookedModel, layer: int) -> list[str]:
    """Return the hook points of what a layer adds to the residual stream: its attention, and its MLP if it has one."""
    names = [f"blocks.{layer}.hook_attn_out"]
    mlp = f"blocks.{layer}.hook_mlp_out"  # an attention-only HookedTransformer has the hook point, and never reaches it
    return names if getattr(model.cfg, "attn_only", False) or mlp not in model.hook_dict else [*names, mlp]


def run_plainly(
    model: HookedModel, tokens: Tokens, hooks: Sequence[str], metric: Metric, *, options: Mapping[str, Any]
) -> tuple[dict[str, Tensor], Float[Tensor, " batch"]]:
    """Run once, without gradients; return activations and the metric."""
    with torch.no_grad(), record(model, hooks) as kept:
        values = metric(model(tokens, **options))
    return dict(kept), values
