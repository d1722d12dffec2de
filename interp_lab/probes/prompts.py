"""Prompts that are acted upon: texts that no probe was trained on, each beside one in which the label is another."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from interp_lab.organisms.grammar import Behaviour, Example, Value
from interp_lab.organisms.grammar.corpus import behaviour
from interp_lab.probes.examples import ProbeExamples
from interp_lab.tasks import Pairs, grammar_pairs
from interp_lab.tasks.grammar import VARIED, counterfactuals
from interp_lab.tasks.labels import LabelName
from interp_lab.types import HookedModel

_SAMPLE = 200


@dataclass(frozen=True)
class Unseen:
    """Prompts on which no probe was trained."""

    pairs: Pairs
    changes_label: Bool[np.ndarray, " example"]
    """Whether the corrupted text has the other label: all of them, unless the grammar gives too few such pairs."""


def unseen_pairs(
    model: HookedModel, label: LabelName, train: ProbeExamples, n: int, *, reserved: bool, seed: int
) -> Unseen:
    """Draw prompts of the behaviour on which no probe was trained, with one of the values that are told apart.

    The pairs vary the label; where the grammar cannot, what the behaviour's task varies, and then those pairs are taken
    whose label turns with it. Where fewer than half as many as asked for do, all are taken, and the result says so.

    Raises: ValueError, for fewer than half as many as asked for.
    """
    latent = varied_with(label, reserved=reserved)
    drawn = grammar_pairs(model, label.behaviour, 4 * n, seed=seed, latent=latent, reserved=reserved)
    seen = {train.texts[row] for row in set(train.documents.tolist())}
    kept, turned = dict[str, int](), dict[str, int]()
    others = corrupted_labels(label, latent, drawn)
    for nth, (text, latents, other) in enumerate(zip(drawn.clean_texts, drawn.latents, others, strict=True)):
        own = latents[label.latent]
        if text in seen or (train.values and own not in train.values):
            continue
        kept.setdefault(text, nth)
        if other is not None and other != own and (not train.values or other in train.values):
            turned.setdefault(text, nth)
    if len(kept) < n // 2:
        raise ValueError(f"of {4 * n} prompts only {len(kept)} were not trained on; set n_pairs below {2 * len(kept)}")
    chosen = sorted((turned if len(turned) >= n // 2 else kept).values())[:n]
    flips = set(turned.values())
    return Unseen(drawn.rows(chosen), np.array([nth in flips for nth in chosen]))


def varied_with(label: LabelName, *, reserved: bool) -> str:
    """Return the latent that pairs differ in: the label, where it can be varied and an answer hangs on it."""
    source = behaviour(label.behaviour)
    if label.latent in source.varied and changes_answer(source, label.latent, reserved=reserved):
        return label.latent
    return VARIED[label.behaviour]


def changes_answer(source: Behaviour, latent: str, *, reserved: bool) -> bool:
    """Return whether varying a latent changes the right (or the likelier) answer of any of a few hundred texts."""
    rng = np.random.default_rng(0)
    return any(
        _answer(other) != _answer(example)
        for example in source.sample(_SAMPLE, seed=0, reserved=reserved)
        for other in counterfactuals(source, example, latent, source.varied[latent], rng)
    )


def _answer(example: Example) -> Value | tuple[str, ...]:
    return example.latents.get("expected", example.accepted)


def corrupted_labels(label: LabelName, latent: str, pairs: Pairs) -> list[Value | None]:
    """Return the label of each corrupted text, which the grammar tells; `None` where it could be either."""
    source, rng = behaviour(label.behaviour), np.random.default_rng(0)
    templates = {template.id: template for template in source.templates}
    found: list[Value | None] = []
    for template, latents, text in zip(pairs.templates, pairs.latents, pairs.corrupted_texts, strict=True):
        clean = source.example(templates[template], latents)
        others = counterfactuals(source, clean, latent, source.varied[latent], rng)
        known = {other.latents[label.latent] for other in others if other.prompt == text}
        found.append(known.pop() if len(known) == 1 else None)
    return found
