"""Where lenses read: the residual stream before the first block and behind each one, and positions of each prompt."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from interp_lab.hooks import require_hook
from interp_lab.types import HookedModel, Tokens

Positions = Int[Tensor, "_ _"]
"""Absolute positions of each prompt; negative ones count from the end of the padded sequence."""


def point_at(model: HookedModel, depth: int) -> str:
    """Return the hook point of the residual stream behind `depth` blocks: 0 is what the first one receives.

    Raises: ValueError, for a depth that the model has not.
    """
    n_layers = int(model.cfg.n_layers)
    if not 0 <= depth <= n_layers:
        raise ValueError(
            f"depth {depth} is not in this model of {n_layers} layers; use 0 (before the first) to {n_layers} (behind "
            "the last)"
        )
    return "blocks.0.hook_resid_pre" if depth == 0 else f"blocks.{depth - 1}.hook_resid_post"


def stream_points(model: HookedModel, *, mid: bool = False) -> tuple[str, ...]:
    """Return the hook points of the residual stream in the order in which it passes through them.

    Args:
        mid: between attention and MLP of every block, too.

    Raises: ValueError, for `mid` in a model that has nothing between the two.
    """
    points = [point_at(model, 0)]
    for layer in range(int(model.cfg.n_layers)):
        if mid:
            require_hook(model, f"blocks.{layer}.hook_resid_mid")
            points.append(f"blocks.{layer}.hook_resid_mid")
        points.append(point_at(model, layer + 1))
    return tuple(points)


def require_points(model: HookedModel, points: Sequence[str]) -> None:
    """Refuse what is no point of the residual stream, or not of this model.

    Raises: ValueError, naming the point.
    """
    if not points:
        raise ValueError("no points to read the residual stream at; leave them out for all, or name at least one")
    for point in points:
        require_hook(model, point)
        if not point.endswith(("hook_resid_pre", "hook_resid_mid", "hook_resid_post")):
            raise ValueError(f"{point!r} is not the residual stream; read at hook_resid_pre, _mid or _post of a block")


def depth_label(point: str) -> str:
    """Return the short name of a point for axes: `embedded`, `after attn 0`, `after 0` (behind the whole block)."""
    layer = point.split(".")[1]
    if point.endswith("hook_resid_pre"):
        return "embedded" if layer == "0" else f"before {layer}"
    return f"after attn {layer}" if point.endswith("hook_resid_mid") else f"after {layer}"


def hook_labelled(label: str) -> str:
    """Return the hook point that `depth_label` gave a short name to."""
    said, _, layer = label.rpartition(" ")
    return f"blocks.{layer}.hook_resid_{_ENDS[said]}" if said else "blocks.0.hook_resid_pre"


_ENDS = {"before": "pre", "after attn": "mid", "after": "post"}


def absolute_positions(
    tokens: Tokens, positions: Positions | None, mask: Bool[Tensor, "_ _"] | None
) -> tuple[Positions, Bool[Tensor, "batch read"]]:
    """Return positions counted from the start, all of them unless told otherwise, and where these are tokens.

    Raises: ValueError, for a position outside the prompts, another number of rows, or a mask of another shape.
    """
    n, n_pos = tokens.shape
    if mask is not None and mask.shape != tokens.shape:
        raise ValueError(
            f"the mask has shape {tuple(mask.shape)} and the prompts {(n, n_pos)}; give one entry per token"
        )
    if positions is None:
        at = torch.arange(n_pos, device=tokens.device).expand(n, -1)
    else:
        if len(positions) != n:
            raise ValueError(f"{len(positions)} rows of positions for {n} prompts; give one row for each")
        outside = positions[(positions < -n_pos) | (positions >= n_pos)]
        if len(outside):
            raise ValueError(f"position {int(outside[0])} is outside prompts of {n_pos} tokens; use 0 to {n_pos - 1}")
        at = positions.to(tokens.device).remainder(n_pos)
    real = torch.ones_like(at, dtype=torch.bool) if mask is None else mask.to(tokens.device).gather(1, at)
    return at, real


def real_positions(
    tokens: Tokens, positions: Int[Tensor, " _"], mask: Bool[Tensor, "_ _"] | None, *, what: str
) -> Int[Tensor, " batch"]:
    """Return one position of each prompt, counted from the start, at which it has a token.

    Args:
        what: the position is, in words.

    Raises: ValueError, as `absolute_positions`, and for a position that is padding.
    """
    at, real = absolute_positions(tokens, positions[:, None], mask)
    padded = (~real[:, 0]).nonzero().flatten().tolist()
    if padded:
        row = padded[0]
        raise ValueError(
            f"{what} {int(positions[row])} of prompt {row} is padding ({len(padded)} of {len(tokens)} prompts); "
            "negative positions count from the end of the padded row: give the place of a token, from the start"
        )
    return at[:, 0]
