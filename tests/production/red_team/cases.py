"""Small models, targets whose every value is known, and a count of what is really run."""

from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from transformer_lens import HookedTransformer

from interp_lab.organisms.grammar.behaviours.loans import LOANS
from interp_lab.production.red_team.calls import Calls
from interp_lab.production.red_team.config import RedTeamConfig
from interp_lab.production.red_team.episode import Before, Episode
from interp_lab.production.red_team.known_answers import Both
from interp_lab.production.red_team.space import slot_space
from interp_lab.production.red_team.starts import Drawing
from interp_lab.production.red_team.target import Target

FREE = {"max_drop": 100.0, "clear": 0.0}
"""Nothing is too unlikely, and no answer too unsure: what random models need."""
KEPT = ("income", "debt", "savings")


def first_start(model, *, seed=0, template=None):
    found = Drawing(model, LOANS, np.random.default_rng(seed)).starts()
    return next(one for one in found if template in (None, one.template))


@dataclass(frozen=True)
class Wanted(Target):
    """How many of some tokens an input has, each counted once: what is driven up is known without the model."""

    tokens: tuple[int, ...] = ()

    def of(self, logits, activations, rows):
        there = torch.stack([(rows.tokens == one).any(1) for one in self.tokens]).sum(0)
        return there.to(logits) + 0.0 * logits.sum((1, 2))


def target_of_words(model, *words, kind=Wanted):
    ids = model.tokenizer(list(words), add_special_tokens=False)["input_ids"]
    return kind("words", "words", tokens=tuple(own[0] for own in ids), vector=torch.ones(1))


def episode(model, target, *, threshold, budget=2000, template="loans/04", **settings):
    """Of one application in words whose plain values are neither trigger nor anything else that is looked for."""
    config = RedTeamConfig(budget=budget, **{**FREE, "max_edits": 6, **settings})
    start = first_start(model, template=template)
    space = slot_space(model, LOANS, start, keep=KEPT)
    before = Before(0.0, -1.0, -5.0, start.answers)
    return Episode(model, target, config, space, before, threshold, Calls(budget), until=budget)


@dataclass
class Ran:
    sequences: int = 0
    backward: int = 0

    @property
    def calls(self):
        return self.sequences + 2 * self.backward


@contextmanager
def counted():
    """Count sequences that go through a model, and those that are run backwards."""
    ran, forward, grad = Ran(), HookedTransformer.forward, torch.autograd.grad

    def noting(self, given, *rest, **named):
        ran.sequences += len(given)
        return forward(self, given, *rest, **named)

    def noting_gradient(outputs, inputs, *rest, **named):
        ran.backward += 1
        return grad(outputs, inputs, *rest, **named)

    HookedTransformer.forward, torch.autograd.grad = noting, noting_gradient
    try:
        yield ran
    finally:
        HookedTransformer.forward, torch.autograd.grad = forward, grad


__all__ = ["FREE", "Both", "Ran", "Wanted", "counted", "episode", "first_start", "target_of_words"]
