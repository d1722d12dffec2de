"""How fast this machine is, measured in a moment: what recorded costs are converted by."""

import time
from statistics import median

import torch

_REPEATS = 7
_LAYERS = 6


def yardstick() -> float:
    """Return the seconds that a fixed piece of work takes on this processor: layers as small models have them."""
    draw = torch.Generator().manual_seed(0)
    stream = torch.randn(512, 128, generator=draw)
    up, down = torch.randn(128, 512, generator=draw) / 12, torch.randn(512, 128, generator=draw) / 25
    with torch.inference_mode():
        _layers(stream, up, down)  # the first round is slower
        return median(_timed(stream, up, down) for _ in range(_REPEATS))


def _timed(stream: torch.Tensor, up: torch.Tensor, down: torch.Tensor) -> float:
    began = time.perf_counter()
    _layers(stream, up, down)
    return time.perf_counter() - began


def _layers(stream: torch.Tensor, up: torch.Tensor, down: torch.Tensor) -> torch.Tensor:
    for _ in range(_LAYERS):
        mixed = torch.softmax(stream[:128] @ stream[:128].T / 11, -1) @ stream[:128]
        stream = torch.nn.functional.layer_norm(stream + torch.nn.functional.gelu(stream @ up) @ down, (128,))
        stream[:128] += mixed / 10
    return stream
