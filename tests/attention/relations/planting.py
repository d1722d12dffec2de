"""Heads told where to attend, while the model runs."""

from contextlib import contextmanager

import torch

from interp_lab.hooks import edited


@contextmanager
def planted(model, query: torch.Tensor, weights: dict[int, torch.Tensor]):
    """While the block runs, heads of layer 0 attend from the query as they are told to (rows of weights over keys)."""

    def plant(pattern: torch.Tensor) -> torch.Tensor:
        assert len(pattern) == len(query), "one batch"
        for head, rows in weights.items():
            pattern[torch.arange(len(query)), head, query] = rows.to(pattern)
        return pattern

    with edited(model, {"blocks.0.attn.hook_pattern": plant}):
        yield


def on(places: torch.Tensor) -> torch.Tensor:
    """Attention spread evenly over places."""
    return places.double() / places.sum(1, keepdim=True)
