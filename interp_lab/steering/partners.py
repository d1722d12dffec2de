"""Prompts and their partners, between which a gap is measured: the same text but for what it is a gap by."""

from collections.abc import Mapping, Set
from functools import partial

import numpy as np

from interp_lab.folds import first_shown, shows, told
from interp_lab.organisms.grammar import Behaviour, Example, Template
from interp_lab.organisms.grammar.corpus import behaviour
from interp_lab.steering.prompts import TraitPrompts, Written, tokenized, unused
from interp_lab.steering.traits import ANSWERS_OF, is_file, require_trait
from interp_lab.tasks.grammar import TRIES, counterfactuals, templates_showing
from interp_lab.tasks.grammar_texts import CONTRASTS
from interp_lab.tasks.sentences import in_turn
from interp_lab.types import HookedModel

Ends = Mapping[str, tuple[str, str]]
"""Latent: its value in the prompt, and in the partner."""


def gap_prompts(
    model: HookedModel, trait: str, n: int, *, seed: int, reserved: bool | None = None, avoid: Set[str] = frozenset()
) -> TraitPrompts:
    """Draw prompts of the positive side, each with the partner that has the words of the negative side instead.

    Args:
        n: pairs.
        reserved: only reserved templates, or only the others; `None` takes all.
        avoid: texts that are used elsewhere, with or without an answer behind them; none of them is drawn.

    Raises: ValueError, for a trait of a file or one whose sides no text can change, and too few texts.
    """
    source = _source(trait)
    rule, rng, used = CONTRASTS[trait], np.random.default_rng(seed), set(avoid)
    if rule.latent not in source.varied:
        raise ValueError(f"no text of {source.name} can change {rule.latent!r} alone, so there is no gap by {trait!r}")
    drawn = []
    for template in in_turn(templates_showing(source, rule.latent, reserved), n, rng=rng):
        for _ in range(TRIES):
            own = unused(source, template, rule, rng, side=1, used=used)
            partners = [one for one in counterfactuals(source, own, rule.latent, rule.negative, rng)
                        if one.prompt not in used and shows(one.prompt)]  # fmt: skip
            if partners:
                break
        else:
            raise ValueError(f"in {TRIES} texts of {template.id}{told()} none has a partner; ask for fewer prompts")
        used |= {own.prompt, partners[0].prompt}
        drawn.append((own, partners[0]))
    return _with_partners(model, trait, drawn)


def deciding_prompts(
    model: HookedModel, trait: str, ends: Ends, n: int, *, seed: int, reserved: bool | None = None
) -> TraitPrompts:
    """Draw prompts with the first values of some latents, each with the partner that has the second values.

    Templates of which nothing is in the fold in force are left out: some have ten texts in all.

    Raises: ValueError, for a trait of a file, a latent or value that its behaviour cannot vary, and if no template is
        left.
    """
    source, rng = _source(trait), np.random.default_rng(seed)
    showing = _showing_all(source, ends, reserved)
    usable = [one for one in showing if _is_shown(source, one, ends, np.random.default_rng(seed))]
    if not usable:
        raise ValueError(
            f"should_decide: no text of {source.name} with {dict(ends)} is shown{told()}; name other values"
        )
    drawn = []
    for template in in_turn(usable, n, rng=rng):
        draw = partial(_both_ends, source, template, ends, rng)
        drawn.append(first_shown(draw, lambda pair: [one.prompt for one in pair], what=template.id))
    return _with_partners(model, trait, drawn)


def _source(trait: str) -> Behaviour:
    require_trait(trait)
    if is_file(trait):
        raise ValueError(f"a gap is measured between texts that the grammar makes, and trait is {trait}; use 'share'")
    return behaviour(CONTRASTS[trait].behaviour)


def _showing_all(source: Behaviour, ends: Ends, reserved: bool | None) -> list[Template]:
    found = None
    for latent, values in ends.items():
        unknown = [one for one in values if one not in source.varied.get(latent, ())]
        if unknown or values[0] == values[1]:
            raise ValueError(
                f"should_decide: {latent} of {source.name} cannot go from {values[0]!r} to {values[1]!r}; latents and "
                f"values are {dict(source.varied)}"
            )
        showing = {template.id: template for template in templates_showing(source, latent, reserved)}
        found = showing if found is None else {name: one for name, one in found.items() if name in showing}
    if not found:
        raise ValueError(f"should_decide: no template of {source.name} shows {', '.join(ends) or 'nothing'} together")
    return list(found.values())


def _is_shown(source: Behaviour, template: Template, ends: Ends, rng: np.random.Generator) -> bool:
    """Whether some text of a template, of as many as would be tried for any, is in the fold in force at both ends."""
    pairs = (_both_ends(source, template, ends, rng) for _ in range(TRIES))
    return any(all(shows(one.prompt) for one in pair) for pair in pairs)


def _both_ends(source: Behaviour, template: Template, ends: Ends, rng: np.random.Generator) -> tuple[Example, Example]:
    example = source.example(template, source.draw(rng))
    return _changed(source, example, ends, at=0), _changed(source, example, ends, at=1)


def _changed(source: Behaviour, example: Example, ends: Ends, *, at: int) -> Example:
    for latent, values in ends.items():
        example = source.counterfactual(example, latent, values[at])
    return example


def _with_partners(model: HookedModel, trait: str, drawn: list[tuple[Example, Example]]) -> TraitPrompts:
    own, partners = ([_written(trait, pair[at], answered=pair[0]) for pair in drawn] for at in (0, 1))
    return tokenized(model, trait, own, partners=tokenized(model, trait, partners))


def _written(trait: str, example: Example, *, answered: Example) -> Written:
    """Return a prompt with the answers of the pair it is of."""
    positive, negative = ANSWERS_OF[trait](answered)
    return (example.prompt, f" {positive}", f" {negative}", example.template, 0)
