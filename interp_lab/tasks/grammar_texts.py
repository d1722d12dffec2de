"""Contrast sets and documents from the grammar."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import numpy as np

from interp_lab import folds
from interp_lab.organisms.grammar import Behaviour, Example, Template, Value
from interp_lab.organisms.grammar.behaviours.loans import UNFAVOURED
from interp_lab.organisms.grammar.behaviours.pronouns import STEREOTYPES
from interp_lab.organisms.grammar.corpus import behaviour, endless_texts, written
from interp_lab.organisms.grammar.words import NEIGHBOURHOODS
from interp_lab.tasks.contrast import Contrast
from interp_lab.tasks.grammar import TRIES, counterfactuals, templates_of, templates_showing
from interp_lab.tasks.sentences import in_turn
from interp_lab.tasks.streams import Document
from interp_lab.types import nearest

Part = Literal["prompt", "answered", "text"]
"""Of a text: up to before the answer, up to and with the answer, or all."""


@dataclass(frozen=True)
class ContrastRule:
    """Which texts of a behaviour make a contrast."""

    behaviour: str
    latent: str
    positive: tuple[Value, ...]
    """Values of the latent."""
    negative: tuple[Value, ...]


CONTRASTS = {
    "sentiment": ContrastRule("sentiment", "sentiment", ("positive",), ("negative",)),
    "register": ContrastRule("register", "register", ("formal",), ("informal",)),
    "truth": ContrastRule("truth", "is_true", (True,), (False,)),
    "neighbourhood": ContrastRule(
        "loans", "neighbourhood", UNFAVOURED, tuple(name for name in NEIGHBOURHOODS if name not in UNFAVOURED)
    ),
    "sycophancy": ContrastRule("sycophancy", "opinion", ("confident wrong",), ("none",)),
    "urgency": ContrastRule("urgency", "has_marker", (True,), (False,)),
    "stereotype": ContrastRule(
        "pronouns",
        "job",
        tuple(job for job, mostly in STEREOTYPES.items() if mostly == "she"),
        tuple(job for job, mostly in STEREOTYPES.items() if mostly == "he"),
    ),
}


def grammar_contrast(
    contrast: str | ContrastRule, n: int, *, seed: int, reserved: bool | None = None, part: Part = "prompt"
) -> Contrast:
    """Draw a contrast set: `n` texts on each side, templates in turn.

    Texts are paired where the grammar can vary the latent: partners differ in nothing else. A latent that follows from
    others or is in no text (a group) gives sides that are drawn independently.

    Args:
        contrast: a name in `CONTRASTS`, or a rule.

    Raises: ValueError, for an unknown name, `n` below 1, or values that the latent does not take.
    """
    if isinstance(contrast, str) and contrast not in CONTRASTS:
        raise ValueError(
            f"unknown contrast {contrast!r}{nearest(contrast, CONTRASTS)}; there are: {', '.join(CONTRASTS)}"
        )
    name = contrast if isinstance(contrast, str) else f"{contrast.behaviour}/{contrast.latent}"
    rule = CONTRASTS[contrast] if isinstance(contrast, str) else contrast
    source, rng = behaviour(rule.behaviour), np.random.default_rng(seed)
    paired = rule.latent in source.varied
    usable = templates_showing(source, rule.latent, reserved) if paired else templates_of(source, reserved)
    sides: tuple[list[Example], list[Example]] = ([], [])
    for template in in_turn(usable, n, rng=rng):
        positive, negative = _draw_partners(source, template, rule, rng, paired=paired)
        sides[0].append(positive)
        sides[1].append(negative)
    positive_texts, negative_texts = (tuple(_part(example, part) for example in side) for side in sides)
    templates = tuple(example.template for example in sides[0])
    return Contrast(name, positive_texts, negative_texts, templates, templates, paired)


def grammar_documents(
    n: int, *, seed: int, behaviours: Sequence[str] | None = None, reserved: bool | None = None
) -> list[Document]:
    """Draw texts of the grammar as documents, named by their templates; see `corpus.written`.

    Documents are in the fold of their prompt, as everything else that is made of a text of the grammar.
    """
    if folds.seen_now() == "all":
        drawn = written(n, seed=seed, behaviours=behaviours, reserved=reserved)
    else:
        every = endless_texts(seed=seed, behaviours=behaviours, reserved=reserved)
        drawn = [(one.template, one.text) for one in islice((one for one in every if folds.shows(one.prompt)), n)]
    return [Document(nth, template, text) for nth, (template, text) in enumerate(drawn)]


def _draw_partners(
    source: Behaviour, template: Template, rule: ContrastRule, rng: np.random.Generator, *, paired: bool
) -> tuple[Example, Example]:
    positive = _draw_with(source, template, rule.latent, rule.positive, rng)
    if not paired:
        return positive, _draw_with(source, template, rule.latent, rule.negative, rng)
    for _ in range(TRIES * folds.more_draws(texts=2)):
        found = counterfactuals(source, positive, rule.latent, rule.negative, rng)
        partners = [one for one in found if folds.shows(one.prompt)]
        if partners:
            return positive, partners[0]
        positive = _draw_with(source, template, rule.latent, rule.positive, rng)
    raise ValueError(
        f"no text of {template.id}{folds.told()} has a partner whose {rule.latent!r} is one of {rule.negative}"
    )


def _draw_with(
    source: Behaviour, template: Template, latent: str, values: tuple[Value, ...], rng: np.random.Generator
) -> Example:
    tries = TRIES * folds.more_draws(texts=2)
    for _ in range(tries):
        example = source.example(template, source.draw(rng))
        if latent not in example.latents:
            raise ValueError(f"{source.name} has no latent {latent!r}{nearest(latent, example.latents)}")
        if example.latents[latent] in values and folds.shows(example.prompt):
            return example
    raise ValueError(f"in {tries} texts of {template.id} {latent!r} was never one of {values}{folds.told()}")


def _part(example: Example, part: Part) -> str:
    if part == "text":
        return example.text
    return example.prompt if part == "prompt" else f"{example.prompt} {example.answer}"
