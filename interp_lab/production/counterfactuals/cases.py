"""Texts that are edited, what an edit may draw on, and where both come from: a behaviour of the grammar, or a user."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from interp_lab import folds
from interp_lab.organisms.grammar import Behaviour, Example, Latents, Template, Value
from interp_lab.organisms.grammar.corpus import behaviour
from interp_lab.production.counterfactuals.words import Edit, Words, replaced
from interp_lab.tasks.grammar import templates_of
from interp_lab.tasks.sentences import in_turn
from interp_lab.types import nearest

_MOST = 5000
"""Draws for one text."""


@dataclass(frozen=True)
class Case:
    """One text before it is edited."""

    words: Words
    template: str
    """The independent unit."""
    answers: tuple[str, ...]
    """As they follow the text, space included; two or more."""
    vocabulary: tuple[Edit, ...] = ()
    """Every attribute with every other value that it may take."""
    latents: Latents = field(default_factory=dict)
    """What is known of the text; nothing of a user's."""

    def allowed(self) -> dict[int, set[str]]:
        """Return what else may stand at each place by the vocabulary."""
        found: dict[int, set[str]] = {}
        for edit in self.vocabulary:
            for nth, new in edit.places:
                found.setdefault(nth, set()).add(new)
        return found


def grammar_cases(name: str, n: int, *, seed: Sequence[int], reserved: bool, without: set[str]) -> list[Case]:
    """Draw texts of a behaviour, templates in turn.

    Args:
        without: texts that may not be drawn again; those that are drawn are added.

    Raises: ValueError, for an unknown behaviour, one that varies nothing, or if no text may be seen; FoldError, for
        reserved templates where they are closed.
    """
    source, rng = behaviour(name), np.random.default_rng(seed)
    made = []
    for template in in_turn(templates_of(source, reserved), n, rng=rng):
        for _ in range(_MOST):
            example = source.example(template, source.draw(rng))
            if example.wrong and example.prompt not in without and folds.shows(example.prompt):
                break
        else:
            raise ValueError(f"none of {_MOST} draws of {template.id} is another text{folds.told()}; ask for fewer")
        without.add(example.prompt)
        made.append(case_of(source, example))
    return made


def case_of(source: Behaviour, example: Example) -> Case:
    """Return a text of a behaviour up to its answer, with all that may be varied in it."""
    words = Words(tuple(example.prompt.split()), ("", *(" " for _ in range(example.answer_at - 1)), ""))
    template = next(one for one in source.templates if one.id == example.template)
    vocabulary = [
        edit
        for latent, values in source.varied.items()
        for value in values
        if value != example.latents[latent]
        and (edit := _varied(source, template, words, example.latents, latent, value)) is not None
    ]
    answers = tuple(f" {word}" for word in sorted({example.answer, *example.wrong}))
    return Case(words, example.template, answers, tuple(vocabulary), example.latents)


def _varied(
    source: Behaviour, template: Template, words: Words, latents: Latents, latent: str, value: Value
) -> Edit | None:
    """Return the edit that gives a latent another value; `None` where the text before the answer stays the same.

    A value keeps the number of words (`Behaviour.varied`), so that the answer begins where it did.
    """
    other = source.text(template, {**latents, latent: value}).split()[: len(words.words)]
    places = tuple((nth, new) for nth, (old, new) in enumerate(zip(words.words, other, strict=True)) if old != new)
    return Edit(latent, places, f"{latent}: {latents[latent]} > {value}", value) if places else None


def own_case(
    prompt: str, answers: Sequence[str], slots: Mapping[str, Sequence[str]], *, template: str = "prompt"
) -> Case:
    """Return a text of one's own.

    Args:
        slots: by attribute, the values that it may take; the present one, which is among them, stands in the text once.

    Raises: ValueError, for fewer than two answers, or an attribute whose value is not found.
    """
    if len(set(answers)) < 2 or len(set(answers)) < len(answers):
        raise ValueError(f"answers {list(answers)} must be two or more, all different: a flip goes from one to another")
    if not prompt.strip() or prompt != prompt.rstrip():
        raise ValueError(f"the prompt {prompt!r} is empty or ends in a space, which belongs to the answers")
    words, vocabulary = Words.of(prompt), []
    for name, values in slots.items():
        standing = [(value, place) for value in values if (place := words.place(value)) is not None]
        if len(standing) > 1:  # of values that hold one another (York, New York) the longer one is meant
            longest = max(standing, key=lambda one: len(one[1]))
            standing = [longest] if all(set(place) <= set(longest[1]) for _, place in standing) else standing
        if len(standing) != 1 or len(set(values)) < 2:
            raise ValueError(
                f"slot {name!r}: {len(standing)} of the values {', '.join(map(repr, values))} stand in {prompt!r} "
                "exactly once; give the one that stands there and at least one other, each with the words around it if "
                "need be ('low income', 'high income')"
            )
        old, place = standing[0]
        vocabulary += [
            Edit(name, replaced(words, place, value), f"{name}: {old} > {value}", value)
            for value in values
            if value != old
        ]
    return Case(words, template, tuple(answers), tuple(vocabulary), {})


def require_attributes(names: Sequence[str], known: Sequence[str], *, what: str) -> None:
    """Refuse names of attributes that there are not.

    Raises: ValueError, with the nearest.
    """
    for name in names:
        if name not in known:
            raise ValueError(
                f"{what}: there is no attribute {name!r}{nearest(name, known)}; there are {', '.join(known)}"
            )
