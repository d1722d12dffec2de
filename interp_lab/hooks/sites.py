"""Which hook points and indices a model has, checked before anything runs; and the view a site names."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from interp_lab.types import HookedModel, Site, nearest

_GATED = {
    "hook_result": "set_use_attn_result",
    "hook_q_input": "set_use_split_qkv_input",
    "hook_k_input": "set_use_split_qkv_input",
    "hook_v_input": "set_use_split_qkv_input",
    "hook_attn_in": "set_use_attn_in",
    "hook_mlp_in": "set_use_hook_mlp_in",
}
"""Hook points that exist but stay silent until this setter is called (TransformerLens 3.9)."""

READ_ONLY = "interp_lab_read_only"
"""Attribute in which a model carries its hook points that take no edits; written when a bridge is loaded."""


def device_of(model: HookedModel) -> torch.device:
    """Return the device that holds the weights."""
    return next(iter(model.parameters())).device


def hook_names(model: HookedModel) -> list[str]:
    """Return the names of the hook points of a model that are switched on."""
    return [name for name in model.hook_dict if switch_of(model, name) is None]


def switch_of(model: HookedModel, name: str) -> str | None:
    """Return the setter that must be called before a hook point fires; `None` if it fires already."""
    setter = _GATED.get(name.rsplit(".", 1)[-1])
    return None if setter is None or getattr(model.cfg, setter.removeprefix("set_"), False) else setter


def require_hook(model: HookedModel, name: str) -> None:
    """Refuse a hook point that the model has not, or that would stay silent.

    Raises: ValueError, with the nearest name, or with the setter that switches the hook point on.
    """
    known = model.hook_dict
    if name not in known:
        raise ValueError(f"the model has no hook point {name!r}{nearest(name, known)}")
    setter = switch_of(model, name)
    if setter is not None:
        raise ValueError(f"hook point {name!r} never fires until model.{setter}(True) is called")


def read_only_hooks(model: HookedModel) -> Mapping[str, str]:
    """Return the hook points where an edit would not act as it does on a `HookedTransformer`, with the reason.

    Keys are names within a block, such as `attn.hook_pattern`. They were found by trying, when a bridge was
    loaded; a `HookedTransformer` has none.
    """
    return getattr(model, READ_ONLY, {})


def require_editable(model: HookedModel, name: str) -> None:
    """Refuse to edit a hook point where the edit would not reach what reads the activation.

    Raises: ValueError, with the reason and the way out; and as `require_hook`.
    """
    require_hook(model, name)
    reason = read_only_hooks(model).get(name.split(".", 2)[-1])
    if reason is not None:
        raise ValueError(f"{name!r} can be read but not edited on this bridge: {reason}, or use backend='hooked'")


def n_heads_at(model: HookedModel, name: str) -> int:
    """Return the size of the head axis: key / value heads for k and v of a grouped-query model, else query heads."""
    kv_heads = getattr(model.cfg, "n_key_value_heads", None)
    if getattr(model.cfg, "ungroup_grouped_query_attention", False):
        kv_heads = None  # keys and values are repeated, one for each query head
    if kv_heads and name.endswith(("attn.hook_k", "attn.hook_v", "attn.hook_rot_k", "hook_k_input", "hook_v_input")):
        return int(kv_heads)
    return int(model.cfg.n_heads)


def require_site(model: HookedModel, site: Site) -> None:
    """Refuse a site that is not in the model.

    Raises: ValueError, naming the index, the range it must lie in, and for grouped-query keys and values why.
    """
    layer, n_layers = site.layer, int(model.cfg.n_layers)
    if layer is not None and layer >= n_layers:
        raise ValueError(f"layer {layer} of {site.hook!r} is out of range: the model has layers 0 to {n_layers - 1}")
    require_hook(model, site.hook)
    if site.head is None:
        return
    n_heads = n_heads_at(model, site.hook)
    if not 0 <= site.head < n_heads:
        grouped = n_heads != int(model.cfg.n_heads)
        why = f" (keys and values are shared: {n_heads} for {model.cfg.n_heads} query heads)" if grouped else ""
        raise ValueError(f"head {site.head} is out of range at {site.hook!r}: use 0 to {n_heads - 1}{why}")


def at_site(activation: Tensor, site: Site) -> Tensor:
    """Return the view of an activation that a site names; writing to it writes to the activation.

    The batch axis stays; position, head and last-axis indices are dropped. For patterns and scores
    `[batch, head, query, key]` a position is a query position.

    Raises: ValueError, if the position or latent is outside the activation.
    """
    return activation[site_index(activation, site)]


def site_index(activation: Tensor, site: Site, *, positions: Int[Tensor, " batch"] | None = None) -> tuple[Any, ...]:
    """Return the index of what a site names, for reading it and for writing to it; the batch axis comes first.

    Args:
        positions: one per row, for a site that names none; what is read with them is a copy.

    Raises: ValueError, as `at_site`.
    """
    index: list[int | slice | Tensor] = [slice(None)] * activation.ndim
    axis = 2 if site.by_query else 1
    if site.position is not None:
        _require_index(site.position, activation.shape[axis], f"position of {site.hook!r}")
        index[axis] = site.position
    elif positions is not None:
        low, high = (int(end) for end in positions.aminmax())
        for end in (low, high):
            _require_index(end, activation.shape[axis], f"position of {site.hook!r}")
        index[axis] = positions.to(activation.device)
        index[0] = torch.arange(len(activation), device=activation.device)
    if site.head is not None:
        index[1 if site.by_query else 2] = site.head
    if site.latent is not None:
        _require_index(site.latent, activation.shape[-1], f"index on the last axis of {site.hook!r}")
        index[-1] = site.latent
    return tuple(index)


def _require_index(index: int, size: int, what: str) -> None:
    if not -size <= index < size:
        raise ValueError(f"{what} is {index}, outside the {size} there are; use {-size} to {size - 1}")
