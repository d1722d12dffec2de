"""Monitors of the tiny model, and a literal reading of them."""

import math

import numpy as np
import torch

from interp_lab.production.monitors import Monitor

HOOKS = ("blocks.0.hook_resid_post", "blocks.1.hook_mlp_out")
PROMPTS = [[3, 1, 4, 1, 5], [6], [5, 3, 5]]


def weights(seed: int = 0, size: int = 16) -> torch.Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed))


def monitor(name: str = "m", hook: str = HOOKS[0], *, seed: int = 0, **changes) -> Monitor:
    return Monitor(name, hook, weights(seed), **{"reads": "all+bos", **changes})


def literal_scores(model, ids, one: Monitor) -> list[float]:
    """Scores of every token of one sequence, from a plain forward pass."""
    kept = {}
    looks = [(one.hook, lambda activation, hook: kept.update(found=activation.detach().double()))]
    model.run_with_hooks(torch.tensor([ids]), fwd_hooks=looks)
    raw = [float(sum(a * w for a, w in zip(x, one.weights.double(), strict=True))) + one.bias
           for x in kept["found"][0]]  # fmt: skip
    return [{"identity": r, "sigmoid": 1 / (1 + math.exp(-r)), "relu": max(r, 0.0),
             "jumprelu": r if r > one.jump else 0.0}[one.after] for r in raw]  # fmt: skip


def literal_running(scores: list[float], over: str) -> list[float]:
    """The aggregate up to every token, from its definition."""
    kind, _, number = over.partition(" ")
    found, average = [], None
    for at in range(len(scores)):
        so_far = scores[: at + 1]
        if kind == "max":
            found.append(max(so_far))
        elif kind == "mean":
            found.append(sum(so_far) / len(so_far))
        elif kind == "last":
            found.append(so_far[-1])
        elif kind == "any":
            highest = sorted(so_far, reverse=True)
            found.append(highest[int(number) - 1] if len(highest) >= int(number) else np.nan)
        else:
            kept = 0.5 ** (1 / float(number))
            average = so_far[-1] if average is None else kept * average + (1 - kept) * so_far[-1]
            found.append(average)
    return found
