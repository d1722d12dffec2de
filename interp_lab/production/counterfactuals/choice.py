"""What is tested: the values that are put in for an attribute, by the answer before; or any of a protected one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from interp_lab.production.counterfactuals.cases import Case
from interp_lab.production.counterfactuals.reading import Reader
from interp_lab.production.counterfactuals.search import Searched
from interp_lab.production.counterfactuals.words import Edit

_ANY = "any "
_KEPT = 3
"""Values that are kept of each ranking: a text may have the first already, and another one not be seen."""


@dataclass(frozen=True)
class Directed:
    """An attribute, and which value is put in after which answer."""

    attribute: str
    values: tuple[tuple[str, tuple[str, ...]], ...]
    """By the answer before: values, the one that turns most first."""

    def __str__(self) -> str:
        """As a config states it."""
        sides = "; ".join(f"{answer} > {', '.join(values)}" for answer, values in self.values)
        return f"{self.attribute}: {sides}"

    def edit(self, case: Case, answer: str) -> Edit | None:
        """Return what is done to a text; `None` where nothing is stated for its answer, or the attribute not there."""
        own = {str(edit.value): edit for edit in case.vocabulary if edit.what == self.attribute}
        wanted = dict(self.values).get(answer.strip(), ())
        return next((own[value] for value in wanted if value in own), None)


@dataclass(frozen=True)
class AnyValue:
    """A protected attribute, of which every other value is put in."""

    attribute: str

    def __str__(self) -> str:
        """As a config states it."""
        return f"{_ANY}{self.attribute}"


Chosen = tuple[Directed | AnyValue, ...]


def stated(text: str) -> Directed | AnyValue:
    """Read what a config states.

    Raises: ValueError, for anything else.
    """
    if text.startswith(_ANY) and text.removeprefix(_ANY).strip():
        return AnyValue(text.removeprefix(_ANY).strip())
    attribute, colon, rest = text.partition(":")
    sides = [side.partition(">") for side in rest.split(";")]
    read = tuple((answer.strip(), tuple(value.strip() for value in values.split(","))) for answer, _, values in sides)
    whole = attribute.strip() and colon and all(answer and all(values) for answer, values in read)
    if not whole or len({answer for answer, _ in read}) < len(read):
        raise ValueError(
            f"{text!r} states nothing that can be tested; write `income: approved > low, medium; rejected > high` "
            "(each answer once) or `any neighbourhood`"
        )
    return Directed(attribute.strip(), read)


def attributes_of(cases: Sequence[Case]) -> list[str]:
    """Return all attributes that some text has."""
    return list(dict.fromkeys(edit.what for case in cases for edit in case.vocabulary))


def flipped_by(found: Sequence[Searched], attributes: Sequence[str]) -> np.ndarray:
    """Return by attribute and text whether one of its values alone flips the answer; NaN where it is not there."""
    flips = np.full((len(attributes), len(found)), np.nan)
    for column, one in enumerate(found):
        for edit, turn in zip(one.problem.edits, one.singles, strict=True):
            if edit.what in attributes and np.isfinite(turn):
                row = list(attributes).index(edit.what)
                flips[row, column] = np.fmax(flips[row, column], float(turn > 0))
    return flips


def chosen_from(
    found: Sequence[Searched], protected: Sequence[str], *, n: int, least: float
) -> tuple[Directed | AnyValue, ...]:
    """Return the attributes that flip most texts, each with its values ranked, and the protected ones.

    Args:
        found: every single edit of the vocabulary, on the texts that choose.
        n: attributes at most, protected ones not counted.
        least: share of texts that one must flip.
    """
    attributes = attributes_of([one.problem.case for one in found])
    flips = flipped_by(found, attributes)
    shares = {
        name: float(np.nanmean(own)) for name, own in zip(attributes, flips, strict=True) if np.isfinite(own).any()
    }
    best = sorted((name for name in shares if shares[name] >= least), key=lambda name: -shares[name])[:n]
    directed = [Directed(name, _ranked(found, name)) for name in best]
    return (*directed, *(AnyValue(name) for name in protected if name in attributes))


def _ranked(found: Sequence[Searched], attribute: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the values of an attribute by the answer before, those first that flip most texts, then by mean turn."""
    turns: dict[str, dict[str, list[float]]] = {}
    for one in found:
        answer = one.problem.case.answers[one.problem.answer].strip()
        for edit, turn in zip(one.problem.edits, one.singles, strict=True):
            if edit.what == attribute and np.isfinite(turn):
                turns.setdefault(answer, {}).setdefault(str(edit.value), []).append(float(turn))
    return tuple((answer, _best(by_value)) for answer, by_value in sorted(turns.items()))


def _best(turns: Mapping[str, Sequence[float]]) -> tuple[str, ...]:
    def strength(value: str) -> tuple[float, float]:
        return float(np.mean(np.array(turns[value]) > 0)), float(np.mean(turns[value]))

    return tuple(sorted(turns, key=strength, reverse=True)[:_KEPT])


def answers_before(reader: Reader, cases: Sequence[Case]) -> list[str]:
    """Return the answer that the model prefers to each text."""
    reads = reader.read([(case, case.words.text) for case in cases])
    return [case.answers[read.answer] for case, read in zip(cases, reads, strict=True)]
