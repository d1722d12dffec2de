"""Rows of `interp-lab verify` about steering: the experiment finds a planted layer, and its effect is that by hand.

`compiled/linear` reads the current token with weight 1, the one before with -1, the one two back with -3/2 (its heads
1.2 and 1.1, which read tokens where layer 0 has written). The contrast is of texts that end with one symbol or with
another one, so that the direction is the vector of the first less that of the second. Once it is added at every token
behind layer 0, the log odds of the two change by 2 (1 - 1 - 3/2) = -3; behind layer 1, where nothing is read any
more but by the unembedding, by 2; at the last token alone by 2, wherever it is added.
"""

from dataclasses import replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from interp_lab.claims import Split
from interp_lab.directions import ContrastActivations, directions_of
from interp_lab.experiment import KnownAnswer, Steps, silent
from interp_lab.hooks import capture
from interp_lab.models import identity_of, load_model
from interp_lab.steering import known_decoding, known_directions
from interp_lab.steering.choice import Choice
from interp_lab.steering.config import Budget, SteeringConfig
from interp_lab.steering.drawn import Drawn
from interp_lab.steering.material import Material
from interp_lab.steering.measured import target_of
from interp_lab.steering.measuring import Measuring, chosen
from interp_lab.steering.neutral import NeutralTexts
from interp_lab.steering.plan import planned
from interp_lab.steering.prompts import TraitPrompts
from interp_lab.tasks.contrast import Contrast
from interp_lab.types import HookedModel

MODEL, SYMBOLS, LENGTH = "compiled/linear", (3, 7), 10
"""The two symbols that the contrast is of, and tokens of a prompt."""
N, TOLERANCE = 16, 1e-3
BY_HAND = {("0", "all"): -3.0, ("1", "all"): 2.0, ("0", "last"): 2.0, ("1", "last"): 2.0}
"""Change of the log odds (nats) per unit of the coefficient, by layer and tokens."""


def rows() -> list[KnownAnswer]:
    """Return the rows of this folder."""
    return [
        *known_directions.rows(),
        *known_decoding.rows(),
        KnownAnswer(
            "setting chosen to steer, compiled/linear",
            "behind layer 0 at every token, once taken off (to +3) and once added (to -3)",
            chooses_planted,
            partial(chooses_planted, factor=-1.0),
        ),
        KnownAnswer(
            "effect of steering, compiled/linear",
            "per unit of the coefficient -3 behind layer 0 and 2 behind layer 1, at the last token 2",
            measures_by_hand,
            partial(measures_by_hand, constant=True),
        ),
    ]


def chooses_planted(*, factor: float = 1.0) -> tuple[bool, str]:
    """Whether the experiment chooses the layer, tokens and sign that move the answer most, for either side.

    Args:
        factor: of the direction; -1 turns it, which is a sabotage.
    """
    measuring = measured(factor=factor)
    choices = choices_of(measuring)
    found = {}
    for choice in choices:
        assert choice.best is not None, "the budget is wide"
        setting = measuring.plan.settings[choice.best]
        place = measuring.plan.families[measuring.plan.family_of[choice.best]].place.name
        found[choice.sign] = (place, setting.where, setting.coefficient)
    told = "; ".join(f"{sign:+d}: layer {at}, {where}, {times:+g}" for sign, (at, where, times) in found.items())
    return found == {1: ("0", "all", -1.0), -1: ("0", "all", 1.0)}, told


def measures_by_hand(*, constant: bool = False) -> tuple[bool, str]:
    """Whether each setting changes the log odds by what was worked by hand, on every prompt.

    Args:
        constant: steer by a constant vector of the same length, which tells nothing apart; a sabotage.
    """
    measuring = measured(constant=constant)
    changes = measuring.steered(Split.SELECT, range(len(measuring.plan.settings))).changes("log_odds")
    hand = [
        one.coefficient * BY_HAND[measuring.plan.families[family].place.name, one.where]
        for one, family in zip(measuring.plan.settings, measuring.plan.family_of, strict=True)
    ]
    worst = float(np.abs(changes - np.array(hand)[:, None]).max())
    return worst < TOLERANCE, f"largest error {worst:.1e} nats"


def choices_of(measuring: Measuring) -> tuple[Choice, ...]:
    """Return what the selection split chooses."""
    select, costs = measuring.both(Split.SELECT, range(len(measuring.plan.settings)))
    return chosen(measuring.plan, select, costs, measuring.target.scale, config=measuring.config)


def measured(*, factor: float = 1.0, constant: bool = False, budget: Budget | None = None) -> Measuring:
    """Return the planted model with its direction, ready to be measured.

    Args:
        budget: `None` is one that everything keeps to.
    """
    model = load_model(MODEL, "cpu")
    config = SteeringConfig(
        model=MODEL, trait="sentiment", layers=(0, 1), hows=("add",), wheres=("all", "last"), coefficients=(-1.0, 1.0),
        target="log_odds", capabilities=(), budget=budget or Budget(kl=100.0), n_held_out=None,
    )  # fmt: skip
    tokens = _tokens(model, seed=0)
    hooks = ("blocks.0.hook_resid_post", "blocks.1.hook_resid_post")
    ends = [_ending(tokens, symbol) for symbol in SYMBOLS]
    names = tuple(f"template {nth % 4}" for nth in range(N))
    positive, negative = (torch.stack([capture(model, one, hooks)[hook][:, -1] for hook in hooks]) for one in ends)
    found = ContrastActivations(positive, negative, hooks, identity_of(model), "planted", True, names, names)
    direction = directions_of(found).times(factor)
    if constant:
        same = torch.nn.functional.normalize(torch.ones_like(direction.vectors), dim=-1) * direction.norms[:, None]
        direction = replace(direction, vectors=same)
    plan = planned(config, made=("planted",), given={}, n_layers=2)
    material = Material({"planted": direction}, found, {})
    return Measuring(model, config, _drawn(model, names), material, plan, target_of("log_odds", None), Steps(silent, 9))


def _drawn(model: HookedModel, names: tuple[str, ...]) -> Drawn:
    prompts = {split: _prompts(_tokens(model, seed=seed), names) for split, seed in _SEEDS.items()}
    neutral = {split: NeutralTexts(one.tokens, one.mask, one.last, names, one.texts) for split, one in prompts.items()}
    contrast = Contrast("planted", ("a",), ("b",), ("",), ("",), True)
    return Drawn(contrast, prompts, neutral)


_SEEDS = {Split.SELECT: 1, Split.REPORT: 2}


def _prompts(tokens: Int[Tensor, "batch pos"], names: tuple[str, ...]) -> TraitPrompts:
    sides = [((symbol,),) * N for symbol in SYMBOLS]
    texts = tuple(" ".join(map(str, row)) for row in tokens.tolist())
    mask, last = torch.ones_like(tokens, dtype=torch.bool), torch.full((N,), LENGTH - 1)
    return TraitPrompts("planted", tokens, mask, last, *sides, names, texts, (0,) * N)


def _tokens(model: HookedModel, *, seed: int) -> Int[Tensor, "batch pos"]:
    """Return prompts of distinct symbols, neither of the two among them, behind BOS (token 0)."""
    others = torch.tensor([one for one in range(1, int(model.cfg.d_vocab)) if one not in SYMBOLS])
    generator = torch.Generator().manual_seed(seed)
    rows = [others[torch.randperm(len(others), generator=generator)[: LENGTH - 1]] for _ in range(N)]
    return torch.cat([torch.zeros(N, 1, dtype=torch.long), torch.stack(rows)], dim=1)


def _ending(tokens: Int[Tensor, "batch pos"], symbol: int) -> Int[Tensor, "batch pos"]:
    return torch.cat([tokens[:, :-1], torch.full((len(tokens), 1), symbol)], dim=1)
