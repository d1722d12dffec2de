"""Where texts come from: templates, attributes with their values, two answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from interp_lab.organisms.grammar import Behaviour, Latents, Template, Value
from interp_lab.organisms.grammar.corpus import behaviour
from interp_lab.tasks.declared import DECLARED
from interp_lab.tasks.grammar import templates_of
from interp_lab.types import nearest


@runtime_checkable
class Written(Protocol):
    """A template, by what the audit needs of it."""

    @property
    def id(self) -> str:
        """The independent unit."""
        ...

    @property
    def slots(self) -> Sequence[str]:
        """Names of its slots."""
        ...


@runtime_checkable
class Source(Protocol):
    """Writes texts from attributes."""

    @property
    def name(self) -> str:
        """What texts and tables call it."""
        ...

    @property
    def answers(self) -> tuple[str, str]:
        """The two answers as they follow a prompt, space included; the positive one first."""
        ...

    @property
    def varied(self) -> Mapping[str, tuple[Value, ...]]:
        """Attributes, with the values that they may take."""
        ...

    @property
    def legitimate(self) -> tuple[str, ...]:
        """Attributes that are declared to decide."""
        ...

    @property
    def hidden(self) -> tuple[str, ...]:
        """Latents behind the texts that no text names."""
        ...

    def templates(self, *, reserved: bool) -> list[Written]:
        """Return the templates of one kind."""
        ...

    def shown(self, template: Written) -> frozenset[str]:
        """Return the attributes that stand in a template before the answer."""
        ...

    def draw(self, rng: np.random.Generator) -> dict[str, Value]:
        """Return all latents of an ordinary text."""
        ...

    def settled(self, latents: Latents) -> Latents:
        """Return latents with those that follow from others brought up to date."""
        ...

    def prompt(self, template: Written, latents: Latents) -> str:
        """Return a text up to its answer."""
        ...

    def should(self, latents: Latents) -> bool | None:
        """Return whether what is declared to decide speaks for the positive answer; `None` where that is not known."""
        ...


TRIES = 1000
"""Texts drawn until one has the latents that are asked for."""
_TELLING = 64
"""Texts by which the answers of a behaviour are known."""


@dataclass(frozen=True)
class GrammarSource:
    """Texts of a behaviour of the grammar, whose every latent is known."""

    own: Behaviour
    answers: tuple[str, str]
    """As they follow a prompt, the positive one first; see `answers_of`."""
    where: Mapping[str, str] = field(default_factory=dict)
    """Latents that all texts have."""
    _before: dict[str, frozenset[str]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def name(self) -> str:
        """Of the behaviour."""
        return self.own.name

    @property
    def varied(self) -> Mapping[str, tuple[Value, ...]]:
        """As the behaviour has it."""
        return self.own.varied

    @property
    def legitimate(self) -> tuple[str, ...]:
        """As declared."""
        return DECLARED[self.own.name].legitimate if self.own.name in DECLARED else ()

    @property
    def hidden(self) -> tuple[str, ...]:
        """As declared."""
        return DECLARED[self.own.name].hidden if self.own.name in DECLARED else ()

    def templates(self, *, reserved: bool) -> list[Written]:
        """Return the templates of one kind."""
        return list(templates_of(self.own, reserved))

    def shown(self, template: Written) -> frozenset[str]:
        """Return the attributes that stand in a template before the answer."""
        if template.id not in self._before:
            slots = list(template.slots)
            stops = slots[: slots.index("answer")]
            behind = {latent for slot in stops for latent in self.own.behind.get(slot, (slot,))}
            self._before[template.id] = frozenset(name for name in self.varied if name in behind)
        return self._before[template.id]

    def draw(self, rng: np.random.Generator) -> dict[str, Value]:
        """Return all latents of an ordinary text.

        Raises: ValueError, if none is found whose latents are those of `where`.
        """
        for _ in range(TRIES):
            drawn = self.own.draw(rng)
            if all(str(drawn[name]) == value for name, value in self.where.items()):
                return drawn
        raise ValueError(f"none of {TRIES} texts of {self.name} has {dict(self.where)}; ask for latents that occur")

    def settled(self, latents: Latents) -> Latents:
        """Return latents with those that follow from others brought up to date."""
        return latents if self.own.settle is None else {**latents, **self.own.settle(latents)}

    def prompt(self, template: Written, latents: Latents) -> str:
        """Return a text up to its answer."""
        assert isinstance(template, Template), "templates of a source come from it"
        return self.own.example(template, latents).prompt

    def should(self, latents: Latents) -> bool | None:
        """Return what the rule expects; `None` without a rule, or where either answer is as likely by it."""
        if self.own.name not in DECLARED:
            return None
        rule = behaviour(DECLARED[self.own.name].rule)
        settled = {} if rule.settle is None else rule.settle(latents)
        if settled.get("p_from_text") == 0.5 or "expected" not in settled:
            return None
        return f" {settled['expected']}" == self.answers[0]


def source_of(name: str, *, answers: tuple[str, str] | None = None, where: Mapping[str, str] | None = None) -> Source:
    """Return the source that a config names: a behaviour of the grammar, or a file.

    Raises: ValueError, for a name that is neither, a file that says not what it must, or `where` with a file or with a
        latent that the behaviour has not.
    """
    if Path(name).suffix in (".yaml", ".yml"):
        from interp_lab.audit.own_file import read_own

        if where:
            raise ValueError(
                f"where {dict(where)} picks texts of the grammar by latents, and {name} has none; leave it out"
            )
        return read_own(Path(name), answers=answers)
    own = behaviour(name)
    known = own.draw(np.random.default_rng(0))
    for latent in where or {}:
        if latent not in known:
            raise ValueError(
                f"where: {name} has no latent {latent!r}{nearest(latent, known)}; it has {', '.join(known)}"
            )
    told = answers_of(own) if answers is None else (_spaced(answers[0]), _spaced(answers[1]))
    return GrammarSource(own, told, dict(where or {}))


def answers_of(own: Behaviour) -> tuple[str, str]:
    """Return the two answers of a behaviour: those declared, or those that there are.

    Raises: ValueError, if there are more.
    """
    if own.name in DECLARED:
        first, second = DECLARED[own.name].answers
        return _spaced(first), _spaced(second)
    rng, template = np.random.default_rng(0), templates_of(own, False)[0]
    found = sorted({own.example(template, own.draw(rng)).answer for _ in range(_TELLING)})
    if len(found) != 2:
        told = f"{', '.join(found[:4])}{', ...' if len(found) > 4 else ''}"
        raise ValueError(
            f"{own.name} has {len(found)} answers ({told}), and an audit compares two; name them: answers: [POSITIVE, "
            "NEGATIVE]"
        )
    return _spaced(found[0]), _spaced(found[1])


def _spaced(word: str) -> str:
    return f" {word.strip()}"
