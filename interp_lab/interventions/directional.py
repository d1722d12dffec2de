"""Directional ablation: what a direction says is taken out of an activation, and the rest stays."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.interventions.intervention import Intervention
from interp_lab.interventions.op import Op
from interp_lab.types import HookedModel, Site


def project_out(
    sites: Sequence[Site],
    directions: Float[Tensor, " _"] | Sequence[Float[Tensor, " _"]],
    *,
    name: str | None = None,
) -> Intervention:
    """Return the ablation of a direction: activations at the sites lose their component along it.

    Args:
        directions: one for all sites, or one each; their length does not matter. What is orthogonal to a direction is
            left alone, so its mean over prompts goes too: as in zero ablation, not as in mean ablation.
        name: `None` makes one from the sites.

    Raises: ValueError, for a direction of length zero, or not as many directions as sites.
    Source: Arditi et al. 2024, arXiv 2406.11717 (one direction, at every place that writes to the residual stream).
    """
    each = [directions] * len(sites) if isinstance(directions, Tensor) else list(directions)
    if len(each) != len(sites):
        raise ValueError(f"{len(sites)} sites and {len(each)} directions; give one direction for all, or one each")
    empty = next((site for site, direction in zip(sites, each, strict=True) if not torch.any(direction)), None)
    if empty is not None:
        raise ValueError(f"the direction to project out at {empty} has length zero; leave the site out")
    named = name or f"directional ablation of {'+'.join(str(site) for site in sites)}"
    return Intervention(tuple(sites), Op.PROJECT_OUT, tuple(each), named)


def every_write(model: HookedModel) -> tuple[Site, ...]:
    """Return all places that write to the residual stream: what enters layer 0, then attention and MLP of each layer.

    A direction that is projected out at all of them is nowhere in the stream, at any layer. Projected out of the
    stream at one layer only, it comes back with what later layers write.
    """
    hooks = write_hooks(n_layers=int(model.cfg.n_layers), attn_only=bool(getattr(model.cfg, "attn_only", False)))
    return tuple(map(Site, hooks))


def write_hooks(*, n_layers: int, attn_only: bool) -> tuple[str, ...]:
    """Return the names of the hook points of `every_write`, of a model that need not be there."""
    parts = ("hook_attn_out",) if attn_only else ("hook_attn_out", "hook_mlp_out")
    return ("blocks.0.hook_resid_pre", *(f"blocks.{layer}.{part}" for layer in range(n_layers) for part in parts))
