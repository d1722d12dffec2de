"""Whether an experiment takes what a sweep will give it: asked of its config, before the first trial."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from pydantic import ValidationError

from interp_lab.config import Config, ConfigError, merge, read_yaml, unflatten
from interp_lab.registry import entry, resolve
from interp_lab.runs.consumed import leaks
from interp_lab.sweeps.command import overrides_in, trial_argv
from interp_lab.sweeps.definition import Definition, require_none
from interp_lab.sweeps.grid import grid_points
from interp_lab.sweeps.space import Choice, Parameter, SweepError

MOST_POINTS = 4096
"""Points of a grid that are tried on the config; a larger one may be refused by a later trial."""
N_PROPOSALS = 32
"""Random proposals that are tried on the config."""
_N_CONTEXTS = 32
"""Proposals among which a value is tried that the config does not take alone."""


def require_usable(definition: Definition, *, seed: int = 0) -> None:
    """Try on the experiment's config what trials will set, as their command lines say it.

    Every choice, both ends of every range, and the points of a grid, or the first proposals of a random search with
    this seed. Artefacts of other runs that a config names must be such as its fold lets in (`runs.consumed`).

    Raises: SweepError, naming everything that the experiment would refuse or read as something else.
    """
    require_none(list(_problems(definition, seed)), definition.path)


def proposals(definition: Definition, *, seed: int, n: int = N_PROPOSALS) -> list[dict[str, Any]]:
    """Return the first points of a grid, else random draws: number `i` depends on `seed` and `i` alone."""
    if definition.method == "grid":
        return grid_points(definition)[:MOST_POINTS]
    return [draw(definition, seed=seed, number=number) for number in range(n)]


def draw(definition: Definition, *, seed: int, number: int) -> dict[str, Any]:
    """Return values from W&B's distributions."""
    generator = np.random.default_rng([seed, number])
    return {name: one.value_at(float(generator.random())) for name, one in definition.parameters.items()}


def _problems(definition: Definition, seed: int) -> Iterator[str]:
    try:
        overrides, points = definition.base.overrides, proposals(definition, seed=seed)
    except SweepError as error:
        yield str(error).removeprefix(f"{definition.path}: ")
        return
    for name in definition.parameters:
        if _holds(overrides, name):
            yield f"{name}: set by the command as well as by the sweep; leave one out"
    tried, bad = _Tried(definition), dict[str, list[Any]]()
    base = tried.refusal({})
    blamed = False
    for name, one in definition.parameters.items():
        refused: dict[str, list[Any]] = {}
        for value in _extremes(one):
            said = tried.refusal_of(name, value, points[:_N_CONTEXTS])
            if said is not None:
                bad.setdefault(name, []).append(value)
                refused.setdefault(said, []).append(value)
        for said, values in refused.items():
            if base is not None and said == base.text:
                blamed = True
            else:
                yield said if said.startswith(f"{name}:") else f"{name} = {', '.join(map(repr, values))}: {said}"
    if base is not None and (blamed or base.is_leak):  # the base is measured beside the winner, whatever trials use
        yield f"command and config, whatever the sweep sets: {base.text}"
    yield from _problems_together(tried, [point for point in points if not _has_bad(point, bad, definition)])


def _problems_together(tried: "_Tried", points: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what is wrong with values of which each alone is right: one line for each rule."""
    found: dict[object, tuple[str, Mapping[str, Any], int]] = {}
    for point in points:
        refused = tried.refusal(point)
        if refused is not None:
            said, first, n = found.get(refused.rule, (refused.text, point, 0))
            found[refused.rule] = (said, first, n + 1)
    for said, first, n in found.values():
        values = ", ".join(f"{name}={value!r}" for name, value in first.items())
        yield f"{said}, with {values} ({n} of {len(points)} proposals that were tried)"


def _extremes(one: Parameter) -> tuple[Any, ...]:
    return one.values if isinstance(one, Choice) else one.ends


def _has_bad(point: Mapping[str, Any], bad: Mapping[str, list[Any]], definition: Definition) -> bool:
    return any(
        not isinstance(definition.parameters[name], Choice) or point[name] in values for name, values in bad.items()
    )


def _holds(values: Mapping[str, Any], name: str) -> bool:
    inside: Any = values
    for key in name.split("."):
        if not isinstance(inside, Mapping) or key not in inside:
            return False
        inside = inside[key]
    return True


@dataclass(frozen=True)
class _Refusal:
    text: str
    rule: object
    """Equal for values that break the same rule."""
    is_leak: bool = False
    """Whether it is for an artefact of the other fold alone."""


@dataclass(frozen=True)
class _Tried:
    """The experiment's config, to try values on."""

    definition: Definition

    @cached_property
    def kind(self) -> type[Config]:
        return resolve(entry(self.definition.base.experiment).config)

    @cached_property
    def file(self) -> dict[str, Any]:
        values = read_yaml(self.definition.base.config_path)
        return {key: value for key, value in values.items() if key != "experiment"}

    def read(self, values: Mapping[str, Any]) -> Config:
        """Return the config that a trial has: its command line, parsed as `interp-lab run` parses it."""
        program = self.definition.raw.get("program")
        args = self.definition.arguments(values)
        options = trial_argv(self.definition.command, program=program, args=args)[3:]
        return self.kind.from_mapping(merge(self.file, overrides_in(options)))

    def refusal(self, values: Mapping[str, Any]) -> _Refusal | None:
        try:
            leaking = leaks(self.read(values))
        except ConfigError as error:
            cause = error.__cause__
            if isinstance(cause, ValidationError):
                return _Refusal(str(error), tuple((one["loc"], one["type"]) for one in cause.errors()))
            return _Refusal(str(error), str(error))
        return _Refusal("; ".join(leaking), tuple(leaking), is_leak=True) if leaking else None

    def refusal_of(self, name: str, value: Any, contexts: Sequence[Mapping[str, Any]]) -> str | None:  # noqa: ANN401 - plain
        """Return why a value is refused, alone and among other values, or how it is misread."""
        alone = self.refusal({name: value})
        if alone is None:
            return self._misread({name: value})
        fits = any(self.refusal({**context, name: value}) is None for context in contexts)
        return None if fits else alone.text

    def _misread(self, values: Mapping[str, Any]) -> str | None:
        """Return what a command line makes of values, where that is something else: `None` of the text "None"."""
        try:
            meant = self.kind.from_mapping(merge(merge(self.file, self.definition.base.overrides), unflatten(values)))
        except ConfigError:
            return None
        seen = self.read(values)
        if meant == seen:
            return None
        is_, should = (dict(one.flat()) for one in (seen, meant))
        differs = [key for key in {**should, **is_} if should.get(key) != is_.get(key)]
        return "; ".join(
            f"{key} would be read as {is_.get(key)!r} from the command line; write ${{args}} in the command, or "
            "another value"
            for key in differs
        )
