"""The definition of a sweep: a W&B sweep file, read whole, with everything that is wrong in one message."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import yaml

from interp_lab.sweeps.command import DEFAULT, Base, arguments, base_of, problems_of_command, trial_argv
from interp_lab.sweeps.early import Hyperband, parse_early
from interp_lab.sweeps.parameters import parse_parameters
from interp_lab.sweeps.space import Choice, Parameter, SweepError
from interp_lab.types import nearest

Method = Literal["grid", "random", "bayes"]
Goal = Literal["minimize", "maximize"]
METHODS = ("grid", "random", "bayes")
GOALS = ("minimize", "maximize")
_KEYS = (
    "name", "method", "metric", "parameters", "command", "program", "run_cap", "early_terminate", "description",
    "entity", "project", "apiVersion", "kind",
)  # fmt: skip
_NOT_OURS = {
    "metrics": "several objectives need a scheduler of W&B's; choose one as metric, the report shows the others",
    "scheduler": "W&B's server or this command proposes values; choose method grid, random or bayes",
    "controller": "the local controller of W&B is `interp-lab sweep --backend local`; leave it out",
    "job": "launch queues are W&B's own; write a command",
    "image_uri": "launch queues are W&B's own; write a command",
}
_NOT_OURS_OF_METRIC = {
    "target": "a sweep here ends with run_cap or its grid; leave it out",
    "impute": "the search takes a failed trial for the worst one seen; leave it out",
    "impute_while_running": "a trial counts when it has ended; leave it out",
}


@dataclass(frozen=True)
class Definition:
    """A sweep file, read and found sound. Whether the experiment takes the values, `checked.require_usable` says."""

    path: Path
    raw: Mapping[str, Any]
    """As in the file: what W&B is given."""
    name: str
    method: Method
    metric: str
    """One of the experiment's final metrics."""
    goal: Goal
    parameters: Mapping[str, Parameter]
    """By dotted name, in W&B's order."""
    command: tuple[str, ...]
    """With its macros."""
    run_cap: int | None = None
    """Trials at most."""
    early: Hyperband | None = None
    """When to stop a trial that has fallen behind; `None` lets all of them end."""

    @cached_property
    def base(self) -> Base:
        """What is varied.

        Raises: SweepError, if the config that the command names cannot be read.
        """
        return base_of(self.command, program=self.raw.get("program"))

    def arguments(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return values by dotted name as W&B's agent is given them: a nested block as one mapping.

        Raises: SweepError, for a value of no parameter.
        """
        return arguments(values, self.parameters)

    def argv(self, values: Mapping[str, Any], *, out: Path, extra: Sequence[str] = ()) -> tuple[str, ...]:
        """Return the command line of a trial: what W&B's agent would run, then its folder.

        Args:
            values: by dotted name; those that are left out stay as they are in the config.
            extra: more options; they have the last word.

        Raises: SweepError, for a value of no parameter.
        """
        own = trial_argv(self.command, program=self.raw.get("program"), args=self.arguments(values))
        return (*own, "--out", str(out), "--resume", *extra)


def read_definition(path: str | Path) -> Definition:
    """Read a sweep file.

    Raises: SweepError, naming everything in the file that W&B or `interp-lab sweep` cannot carry out.
    """
    path = Path(path)
    raw = _read(path)
    problems: list[str] = [*_problems_of_keys(raw), *_problems_of_metric(raw)]
    method, command = raw.get("method"), raw.get("command", list(DEFAULT))
    parameters = parse_parameters(raw.get("parameters"), problems=problems)
    problems += _problems_of_method(method, parameters)
    metric = raw["metric"] if isinstance(raw.get("metric"), Mapping) else {}
    goal: Goal = "maximize" if metric.get("goal") == "maximize" else "minimize"
    early = parse_early(raw["early_terminate"], goal=goal, problems=problems) if "early_terminate" in raw else None
    if isinstance(command, list) and command:
        problems += problems_of_command([str(part) for part in command], program=raw.get("program"))
    else:
        problems.append(f"command: {command!r} must be a list, such as [interp-lab, run, CONFIG.yaml, ${{args}}]")
    require_none(problems, path)
    assert method in METHODS, "refused above"
    return Definition(
        path=path,
        raw=raw,
        name=str(raw.get("name", path.stem)),
        method=method,
        metric=metric["name"],
        goal=goal,
        parameters=parameters,
        command=tuple(str(part) for part in command),
        run_cap=raw.get("run_cap"),
        early=early,
    )


def require_none(problems: Sequence[str], path: Path) -> None:
    """Tell of every problem at once.

    Raises: SweepError, if there is one.
    """
    if len(problems) == 1:
        raise SweepError(f"{path}: {problems[0]}")
    if problems:
        raise SweepError(f"{path} has {len(problems)} problems:\n" + "\n".join(f"  - {one}" for one in problems))


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise SweepError(f"no sweep file at {path}; see experiments/sweeps/ for examples")
    try:
        raw = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SweepError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(raw, dict):
        raise SweepError(f"{path} holds a {type(raw).__name__}, a sweep must be a mapping of keys to values")
    return raw


def _problems_of_keys(raw: Mapping[str, Any]) -> Iterator[str]:
    for key, value in raw.items():
        if key in _NOT_OURS and not (key == "controller" and value == {"type": "cloud"}):
            yield f"{key}: {_NOT_OURS[key]}"
        elif key not in _KEYS and key != "controller":
            yield f"{key}: no such key in a sweep{nearest(str(key), _KEYS)}; there are {', '.join(_KEYS)}"
    for key in ("name", "description", "program", "entity", "project"):
        if not isinstance(raw.get(key, ""), str):
            yield f"{key}: {raw[key]!r} must be text; put it in quotes"
    cap = raw.get("run_cap", 1)
    if not isinstance(cap, int) or isinstance(cap, bool) or cap < 1:
        yield f"run_cap: {cap!r} must be a whole number from 1"


def _problems_of_method(method: Any, parameters: Mapping[str, Parameter]) -> Iterator[str]:  # noqa: ANN401 - as written
    if method not in METHODS:
        yield f"method: {method!r} is none of {', '.join(METHODS)}{nearest(str(method), METHODS)}"
    for name, one in parameters.items():
        if isinstance(one, Choice) and one.weights is not None and method in ("grid", "bayes"):
            yield f"{name}: method {method} takes no probabilities; leave them out, or take method random"
        elif method == "grid" and not one.is_finite:
            try:
                one.points()
            except SweepError as error:
                yield str(error)


def _problems_of_metric(raw: Mapping[str, Any]) -> Iterator[str]:
    if "metrics" in raw:
        return
    metric = raw.get("metric")
    if not isinstance(metric, Mapping) or not isinstance(metric.get("name"), str) or not metric["name"]:
        yield f"metric: {metric!r} names none; by what is the best trial known? Write {{name: ..., goal: maximize}}"
    for key, value in metric.items() if isinstance(metric, Mapping) else ():
        if key in _NOT_OURS_OF_METRIC:
            yield f"metric.{key}: {_NOT_OURS_OF_METRIC[key]}"
        elif key not in ("name", "goal"):
            yield f"metric.{key}: no such key{nearest(str(key), ('name', 'goal'))}; there are name, goal"
        elif key == "goal" and value not in GOALS:
            yield f"metric.goal: {value!r} is none of {', '.join(GOALS)}{nearest(str(value), GOALS)}"
