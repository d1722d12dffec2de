"""Models with the same shape and weights that know nothing: a control for whatever is read off a trained one."""

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from interp_lab.types import HookedModel

_NAMED = 0x6E616D6564
"""Tells seeds of models by name from those of copies."""


def untrained_copies(model: HookedModel, n: int, *, seed: int) -> Iterator[HookedModel]:
    """Yield `n` untrained models of a model's shape, one after the other, in one copy that is drawn anew each time.

    Matrices are normal with standard deviation `initializer_range` of the config, or `0.8 / sqrt(d_model)` where that
    says none; biases are zero and norms the identity. Weight processing does not matter: there is nothing to fold.

    Raises: ValueError, if `n` is below 1.
    """
    if n < 1:
        raise ValueError(f"n={n} untrained models are no control; ask for at least 1")
    untrained: Any = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(n):
        draw_anew(untrained, generator=generator)
        yield untrained


def generator_of_named(seed: int) -> torch.Generator:
    """Return what draws `untrained@SEED/MODEL`: apart from the `untrained_copies` of any seed.

    Else such a model would be its own control wherever the two seeds are the same, and no null could be measured.
    """
    (apart,) = np.random.SeedSequence([seed, _NAMED]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(apart) >> 1)


def draw_anew(model: HookedModel, *, generator: torch.Generator) -> None:
    """Draw all weights of a model at random, in place; see `untrained_copies`."""
    given = float(getattr(model.cfg, "initializer_range", -1.0) or -1.0)
    spread = given if given > 0 else 0.8 / float(model.cfg.d_model) ** 0.5
    drawn: Any = model
    with torch.no_grad():
        for name, weight in drawn.named_parameters():
            own = name.rsplit(".", 1)[-1]
            if own.startswith("b"):
                weight.zero_()
            elif weight.ndim == 1:
                weight.fill_(0.0 if getattr(model.cfg, "rmsnorm_uses_offset", False) else 1.0)
            else:
                weight.copy_(torch.randn(weight.shape, generator=generator) * spread)
