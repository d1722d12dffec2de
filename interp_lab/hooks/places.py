"""Activations at a few places of many texts, each text read once."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.hooks.record import capture
from interp_lab.types import HookedModel, Tokens


def capture_at(
    model: HookedModel,
    tokens: Tokens,
    names: Sequence[str],
    *,
    mask: Bool[Tensor, "_ _"],
    rows: Int[Tensor, " example"],
    places: Int[Tensor, "*position example"],
    batch_size: int = 128,
) -> dict[str, Float[Tensor, "..."]]:
    """Return activations at hook points, on the CPU, for tokens of texts; texts that are not asked for are not read.

    Args:
        rows: text of each example.
        places: token of each example, or several.
        batch_size: texts per forward pass.

    Returns: by hook point `(*position, example, ...)`.
    Raises: as `capture`.
    """
    rows, places = rows.to(tokens.device), places.to(tokens.device)
    parts: dict[str, list[Tensor]] = {name: [] for name in names}
    order = []
    for batch in rows.unique().split(batch_size):
        kept = capture(model, tokens[batch], names, mask=mask[batch])
        mine = torch.isin(rows, batch).nonzero().flatten()
        local = torch.searchsorted(batch, rows[mine])
        for name in names:
            parts[name].append(kept[name][local, places[..., mine]].cpu())
        order.append(mine.cpu())
    back, axis = torch.cat(order).argsort(), places.ndim - 1
    return {name: torch.cat(found, axis).index_select(axis, back) for name, found in parts.items()}
