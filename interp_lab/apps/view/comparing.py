"""Two results side by side: configs, metrics, claims, components, figures; pure functions of the two."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from interp_lab.claims import Claim
from interp_lab.hypotheses import Component
from interp_lab.types import Interval

Part = TypeVar("Part")


@dataclass(frozen=True)
class Pair(Generic[Part]):
    """What two results say under the same name; one of them may say nothing."""

    name: str
    a: Part | None
    b: Part | None

    @property
    def in_both(self) -> bool:
        """Whether both say something."""
        return self.a is not None and self.b is not None


def paired(a: Iterable[tuple[str, Part]], b: Iterable[tuple[str, Part]]) -> list[Pair[Part]]:
    """Match by name: those of `a` in order, then those that only `b` has; equal names match one by one, in order."""
    waiting: dict[str, list[Part]] = defaultdict(list)
    for name, part in b:
        waiting[name].append(part)
    pairs = [Pair(name, part, waiting[name].pop(0) if waiting[name] else None) for name, part in a]
    return pairs + [Pair[Part](name, None, part) for name, parts in waiting.items() for part in parts]


def config_differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Pair[str]]:
    """Return the keys in which two flat configs differ, with the values as JSON; `None` where there is no such key."""
    every = paired(((key, _json(value)) for key, value in a.items()), ((key, _json(value)) for key, value in b.items()))
    return [pair for pair in every if pair.a != pair.b]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def without_model(text: str, model: str) -> str:
    """Return a text in which the model goes by no name, so that it can be the same of another model.

    Only the whole name is one: `organism` is not in `organism-tuned`, nor in `compiled/organism`.
    """
    return re.sub(rf"(?<![\w/-])(?<!\w\.){re.escape(model)}(?![\w/-]|\.\w)", "the model", text) if model else text


@dataclass(frozen=True)
class ClaimPair:
    """A statement that one of two results makes, or both."""

    statement: str
    """Without the names of the models."""
    a: Claim | None
    b: Claim | None

    @property
    def overlap(self) -> bool | None:
        """Whether the intervals of the two effects overlap; `None` where there are not two, or in different units."""
        effects = [one.effect for one in (self.a, self.b) if one is not None and one.effect is not None]
        if len(effects) != 2 or effects[0].unit != effects[1].unit:
            return None
        return overlapping(effects[0].effect, effects[1].effect)

    @property
    def units(self) -> tuple[str, ...]:
        """Of the effects there are, each once."""
        effects = (one.effect for one in (self.a, self.b) if one is not None)
        return tuple(dict.fromkeys(one.unit for one in effects if one is not None))

    @property
    def strength(self) -> int:
        """The better of the two grades."""
        return max(one.grade for one in (self.a, self.b) if one is not None)


def overlapping(a: Interval, b: Interval) -> bool | None:
    """Return whether two closed intervals share a value; `None`, if one was not measured."""
    if any(end != end for end in (a.low, a.high, b.low, b.high)):  # NaN
        return None
    return a.low <= b.high and b.low <= a.high


def claim_pairs(a: Sequence[Claim], b: Sequence[Claim], *, models: tuple[str, str]) -> list[ClaimPair]:
    """Match claims by what they state of a model, whichever; those of the best grade first."""
    named = [
        [(without_model(one.statement, model), one) for one in claims]
        for claims, model in zip((a, b), models, strict=True)
    ]
    pairs = [ClaimPair(pair.name, pair.a, pair.b) for pair in paired(*named)]
    return sorted(pairs, key=lambda pair: -pair.strength)


@dataclass(frozen=True)
class MetricPair:
    """A metric of one of two results, or of both."""

    name: str
    a: float | None
    b: float | None

    @property
    def difference(self) -> float | None:
        """Second minus first; `None` where there are not two."""
        return None if self.a is None or self.b is None else self.b - self.a

    @property
    def is_same(self) -> bool:
        """Whether both have it, and equal (or neither measured it)."""
        if self.a is None or self.b is None:
            return False
        return self.a == self.b or (self.a != self.a and self.b != self.b)


def metric_pairs(a: Mapping[str, float], b: Mapping[str, float]) -> list[MetricPair]:
    """Match metrics by name."""
    return [
        MetricPair(pair.name, *(None if one is None else float(one) for one in (pair.a, pair.b)))
        for pair in paired(a.items(), b.items())
    ]


@dataclass(frozen=True)
class ComponentPair(Pair[Component]):
    """What two results say of one component by one method."""

    @property
    def selected(self) -> bool:
        """Whether either picked it out."""
        return any(one.selected for one in (self.a, self.b) if one is not None)


def component_pairs(a: Sequence[Component], b: Sequence[Component]) -> list[ComponentPair]:
    """Match what is said of single components, by component and method; those that either picked out first."""
    named = [[(f"{one.name}, {one.method}", one) for one in every] for every in (a, b)]
    pairs = [ComponentPair(pair.name, pair.a, pair.b) for pair in paired(*named)]
    return sorted(pairs, key=lambda pair: not pair.selected)


def figure_pairs(a: Mapping[str, Any], b: Mapping[str, Any], *, models: tuple[str, str]) -> list[Pair[Any]]:
    """Match figures by name, the model's left out."""
    named = [
        [(without_model(name, model), figure) for name, figure in figures.items()]
        for figures, model in zip((a, b), models, strict=True)
    ]
    return paired(*named)
