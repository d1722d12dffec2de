"""A model without norm or attention whose traits are read by directions that are known, and texts to steer it with.

Log odds of a trait are `h @ readout`: tokens 1 and 2 are the answers of the first
trait, 3 and 4 those of the second. `product=True` adds a neuron that fires, by one, only if the first two axes are 1
together, and that writes three nats to the first trait.
"""

from dataclasses import replace

import numpy as np
import torch

from interp_lab.directions import ContrastActivations, Directions
from interp_lab.models import declare_identity, identity_of
from interp_lab.steering.prompts import TraitPrompts
from interp_lab.steering.setting import How, Setting
from interp_lab.steering.side_effects.applied import Applying
from interp_lab.steering.side_effects.config import SideEffectsConfig
from interp_lab.steering.side_effects.material import Material, Source
from tests.tiny import tiny_model

HOOK = "blocks.0.hook_resid_pre"
WIDTH, VOCABULARY, N = 32, 6, 16
FIRST, ORTHOGONAL, OVERLAPPING = (1.0, 0.0), (0.0, 1.0), (0.6, 0.8)
PRODUCT = 3.0


def axes(*values):
    return torch.nn.functional.pad(torch.tensor(values), (0, WIDTH - len(values)))


def model(second=ORTHOGONAL, *, product=False):
    """Log odds of the first trait are read along the first axis (and the last), of the second along `second`."""
    made = tiny_model(
        n_layers=1, d_model=WIDTH, d_head=WIDTH, n_heads=1, d_mlp=1, d_vocab=VOCABULARY, n_ctx=4, act_fn="relu",
        normalization_type=None,
    )  # fmt: skip
    with torch.no_grad():
        for weight in made.parameters():
            weight.zero_()
        made.W_E[:, 7] = 0.0
        made.W_E[:, 3] = torch.linspace(-1, 1, VOCABULARY)  # what tokens say, read by neither trait
        first = axes(*FIRST)
        first[7] = 1.0
        for answer, readout in zip((1, 3), (first, axes(*second)), strict=True):
            made.W_U[:, answer], made.W_U[:, answer + 1] = readout / 2, -readout / 2
        if product:
            made.blocks[0].mlp.W_in[:2, 0] = 1.0
            made.blocks[0].mlp.b_in[0] = -1.0
            made.blocks[0].mlp.W_out[0, 7] = PRODUCT
    declare_identity(made, name="planted", processing="raw")
    return made


def prompts(trait, answers):
    """Prompts of eight templates, which differ in what neither trait reads."""
    tokens = (torch.arange(N) % VOCABULARY)[:, None].expand(N, 3).clone()
    return TraitPrompts(
        trait, tokens, torch.ones(N, 3, dtype=torch.bool), torch.full((N,), 2),
        positive=((answers,),) * N, negative=((answers + 1,),) * N, templates=tuple("abcdefgh" * 2),
        texts=tuple(f"{trait} {nth}" for nth in range(N)), sides=(1, -1) * (N // 2),
    )  # fmt: skip


def material(made, trait, vector, *, answers, found=None, pool=None):
    """A trait whose direction is given; its texts differ by just that."""
    half = vector[None, None] / 2
    found = found or ContrastActivations(
        half.repeat(1, 4, 1), -half.repeat(1, 4, 1), (HOOK,), identity_of(made), trait, True, tuple("aabb"),
        tuple("aabb"),
    )  # fmt: skip
    directions = Directions(vector[None], (HOOK,), identity_of(made), "mean_difference", trait)
    own = prompts(trait, answers)
    return Material(trait, Source((HOOK,)), found, pool, directions, None, own, own)


def gaussian(made, gap, *, n, noise, seed=0):
    """Pairs whose sides are `gap` apart, each with noise of its own; `noise` is a standard deviation for each axis."""
    rng = np.random.default_rng(seed)
    sides = [
        torch.from_numpy(sign * np.asarray(gap) / 2 + rng.normal(size=(n, len(gap))) * noise)[None] for sign in (1, -1)
    ]
    templates = tuple(str(nth % 10) for nth in range(n))
    return ContrastActivations(*sides, (HOOK,), identity_of(made), "drawn", True, templates, templates)


def applying(made, how=How.ADD, where="all+bos"):
    return Applying(made, Setting("any", (HOOK,), how, 1.0, where), (HOOK,), {})


def config(**changes):
    small = {"traits": ("first", "second"), "n_random": 5, "n_partners": 2, "n_shuffled": 20, "n_resamples": 40}
    return SideEffectsConfig.from_mapping({**small, **changes})


def again(one: Material, pool):
    return replace(one, pool=pool)
