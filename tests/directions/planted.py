"""Activations written down or drawn, with what is to be found in them."""

import torch

from interp_lab.directions import ContrastActivations, Directions
from interp_lab.identity import ModelIdentity, WeightProcessing

MODEL = ModelIdentity("tiny", WeightProcessing(), 4, 3, 10)
HOOKS = ("blocks.0.hook_resid_post", "blocks.2.hook_resid_post")


def contrast(positive, negative, *, paired=True, hooks=HOOKS[:1], templates=None, **changes):
    """Activations of a contrast from nested lists or tensors, `(hook, text, d)`."""
    sides = [torch.as_tensor(side, dtype=torch.float32) for side in (positive, negative)]
    names = [templates or tuple(str(nth) for nth in range(side.shape[1])) for side in sides]
    return ContrastActivations(*sides, hooks, MODEL, "written", paired, *names, **changes)


def drawn(*, n=40, n_other=None, d=6, n_hooks=2, seed=0, paired=True, templates=None):
    """Two sides apart by a vector of its own at every hook point; partners share half of their noise."""
    generator = torch.Generator().manual_seed(seed)
    shift = torch.randn(n_hooks, 1, d, generator=generator)
    shared = torch.randn(n_hooks, n, d, generator=generator) if paired else 0.0
    positive = shift + shared + torch.randn(n_hooks, n, d, generator=generator)
    negative = shared + torch.randn(n_hooks, n_other or n, d, generator=generator)
    return contrast(positive, negative, paired=paired, hooks=HOOKS[:n_hooks], templates=templates)


def directions(vectors, *, hooks=HOOKS, name="written", model=MODEL, **changes):
    return Directions(torch.tensor(vectors), hooks[: len(vectors)], model, "by hand", name, **changes)
