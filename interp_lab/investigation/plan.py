"""What an investigation will do, checked whole before its first step."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from interp_lab.config import Config, ConfigError, merge, unflatten
from interp_lab.investigation.config import InvestigationConfig, StepConfig
from interp_lab.investigation.own_files import problems_of_pairs
from interp_lab.investigation.references import references_in, resolved
from interp_lab.registry import EXPERIMENTS, entry, resolve
from interp_lab.runs import RunError
from interp_lab.runs.consumed import leaks
from interp_lab.types import nearest

Phase = Literal["search", "held_out"]
_SHARED = ("model", "processing", "backend", "dtype", "device", "task", "seed", "fdr", "level")
"""What every step takes over that has such a field, unless it names its own."""
_APART = re.compile(r"n_(\w+_)?held_out")
"""Fields that ask for examples of reserved templates."""
COUNT = re.compile(
    r"n_(pairs|held_out|task|task_held_out|documents|prompts|contexts|contrast|gap|neutral|capability|sequences|windows"
    r"|tokens|texts)"
)
"""Fields that say how many examples are looked at."""


class InvestigationError(ValueError):
    """An investigation that cannot begin, or go on; the message names the step, what is wrong, and the way out."""


@dataclass(frozen=True)
class Planned:
    """A step as it will run."""

    step: StepConfig
    phase: Phase
    config: Config
    """Whole, of its run: one fold, and before the hypotheses no reserved template."""
    for_test: Config
    """The same without that: what the test of its hypotheses is made from."""
    consumes: tuple[str, ...]
    """Earlier steps whose artefacts it uses."""

    @property
    def name(self) -> str:
        """Of the step."""
        return self.step.name

    @property
    def counts(self) -> dict[str, int]:
        """Numbers of examples that it asks for, by the field that says so."""
        return {
            key: value for key, value in self.config.flat().items()
            if COUNT.fullmatch(key.rpartition(".")[2]) and isinstance(value, int)
        }  # fmt: skip


def plan(config: InvestigationConfig, folder: Path) -> tuple[Planned, ...]:
    """Return what every step will be told.

    Args:
        folder: of the investigation, where steps find what earlier ones made.

    Raises: InvestigationError, with every problem that can be found before the first step.
    """
    problems, planned = list(_problems_of_shared(config)), []
    earlier: list[str] = []
    for step in (*config.before, *config.after):
        phase: Phase = "search" if step in config.before else "held_out"
        found = [*_problems_of(step), *_problems_of_references(step, config, earlier)]
        earlier.append(step.name)
        if not found:
            try:
                planned.append(_planned(step, config, folder, phase))
                found = leaks(planned[-1].config)
                if phase == "held_out" or (config.tests and step.tested):
                    found += problems_of_pairs(planned[-1].for_test)
            except (ConfigError, RunError) as error:
                found = [str(error)]
        problems += [f"step {step.name!r}: {problem}" for problem in found]
    if problems:
        raise InvestigationError(f"{config.investigation} cannot begin: " + "; ".join(problems))
    return tuple(planned)


def _planned(step: StepConfig, config: InvestigationConfig, folder: Path, phase: Phase) -> Planned:
    kind = resolve(entry(step.experiment).config)
    own = resolved(own_values(step, config), folder)
    shared = {key: value for key, value in config.as_dict().items() if key in _SHARED and key in kind.model_fields}
    for_test = kind.from_mapping(merge(shared, own))
    values = {**for_test.as_dict(), "fold": phase}
    if phase == "search":
        values = without_reserved(values)
    try:
        made = kind.from_mapping(values)
    except ConfigError as error:
        raise ConfigError(
            f"before the hypotheses no reserved template may be seen, and it cannot do without: {error}"
        ) from error
    return Planned(step, phase, made, for_test, tuple(dict.fromkeys(references_in(own_values(step, config)))))


def own_values(step: StepConfig, config: InvestigationConfig) -> dict[str, Any]:
    """Return what a step says itself, with that of the effort laid over it."""
    over: Mapping[str, Any] = {} if config.effort == "standard" else getattr(step, config.effort)
    return merge(unflatten(step.config), unflatten(over))


def without_reserved(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config with every field that asks for examples of reserved templates set to null, at any depth."""
    return {
        key: without_reserved(value) if isinstance(value, Mapping) else None if _APART.fullmatch(key) else value
        for key, value in values.items()
    }


def _problems_of_shared(config: InvestigationConfig) -> Iterator[str]:
    from interp_lab.tasks import registry

    for key, name in (("model", config.model), ("beside", config.beside)):
        if name is not None and not _is_model(name):
            yield f"{key}: no model {name!r}; `interp-lab list` shows the bundled ones; any directory or hub name does"
    if config.task.endswith(".jsonl"):
        if not Path(config.task).is_file():
            yield f"task: there is no file {config.task}; `interp-lab init-task {config.task}` writes one to start from"
        return
    try:
        registry.task(config.task)
    except ValueError as error:
        yield f"task: {error}"


def _is_model(name: str) -> bool:
    from interp_lab.models import known_models, shape_named

    name = shape_named(name)
    if any(name in names for names in known_models().values()) or Path(name).expanduser().exists():
        return True
    from interp_lab.models.hub import official_name

    return official_name(name) is not None


def _problems_of(step: StepConfig) -> Iterator[str]:
    if step.experiment not in EXPERIMENTS:
        yield f"no experiment named {step.experiment!r}{nearest(step.experiment, EXPERIMENTS)}"
        return
    found = entry(step.experiment)
    kind, result = resolve(found.config), resolve(found.result)
    if "fold" not in kind.model_fields:
        yield f"{step.experiment} draws what no fold keeps from the search; run it by itself"
    if step.gate and not (hasattr(result, "not_asked") or "not_asked" in result.__dataclass_fields__):
        yield f"{step.experiment} does not say whether there is anything to explain, and can be no gate"
    for effort in ("config", "quick", "thorough"):
        for key in sorted({"fold"} & set(unflatten(getattr(step, effort)))):
            yield f"{effort}.{key}: steps before 'hypotheses' run on 'search', those behind on 'held_out'; leave it out"


def _problems_of_references(step: StepConfig, config: InvestigationConfig, earlier: Sequence[str]) -> Iterator[str]:
    known = [one.name for one in (*config.before, *config.after)]
    for name in dict.fromkeys(references_in([step.config, step.quick, step.thorough])):
        if name not in known:
            yield f"@{name} names no step{nearest(name, known)}"
        elif name not in earlier:
            yield f"@{name} comes later; a step uses what earlier ones made: exchange them"
        elif name in [one.name for one in config.after]:
            yield f"@{name} is made from held-out examples, on which nothing could be tested then: put it before them"
