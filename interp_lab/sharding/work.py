"""What a job does: say what the parts are, make some of them, or join them. Whichever it is, it may be done again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from interp_lab.config import Config
from interp_lab.experiment import Progress, silent
from interp_lab.models.divisible import DivisibleExperiment
from interp_lab.models.experiment import model_named_by
from interp_lab.registry import EXPERIMENTS, resolve
from interp_lab.runs import RunError, write_atomic
from interp_lab.runs.parts import Parts, make_parts

PLAN, PARTS, RUN, LOGS = "plan.json", "parts", "run", "logs"
"""In the folder of a map: what is to be made, the parts, the run that they are joined into, and what jobs printed."""


class Plan(Config):
    """Content of `plan.json`."""

    n_parts: int
    key: str
    """Of the work, see `runs.parts.key_of`."""

    def parts(self, folder: Path) -> Parts:
        """Return the parts in the folder of a map."""
        return Parts(folder / PARTS, self.n_parts, self.key)


def require_divisible(experiment: Any) -> DivisibleExperiment:  # noqa: ANN401 - an Experiment
    """Return an experiment that falls into parts.

    Raises: ValueError, naming those that do.
    """
    if not isinstance(experiment, DivisibleExperiment):
        known = [
            name for name, entry in EXPERIMENTS.items() if issubclass(resolve(entry.experiment), DivisibleExperiment)
        ]
        raise ValueError(
            f"{experiment.name} does not fall into parts; those that do: {', '.join(known)}. Use `interp-lab run`, or "
            "`interp-lab sweep` for many runs"
        )
    return experiment


def plan_parts(experiment: DivisibleExperiment, folder: Path) -> Plan:
    """Load the model, and write down what its parts are.

    Raises: RunError, if the folder holds the parts of other work; ValueError, as `divided`.
    """
    with experiment.in_fold():
        model = model_named_by(experiment.config)
        work = experiment.divided(model)
        parts = experiment.parts(work, model, folder / PARTS)
    plan = Plan(n_parts=parts.n, key=parts.key)
    stored = read_plan(folder)
    if stored not in (None, plan):
        raise RunError(
            f"{folder} holds the parts of other work (another config, text, model or version); take another folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / PLAN, plan.model_dump_json().encode("utf-8"))
    return plan


def read_plan(folder: Path) -> Plan | None:
    """Return what the parts are; `None` if nothing was planned yet."""
    path = folder / PLAN
    return Plan.model_validate_json(path.read_bytes()) if path.is_file() else None


def make_range(
    experiment: DivisibleExperiment, folder: Path, numbers: Sequence[int], *, progress: Progress = silent
) -> list[int]:
    """Load the model and make those of some parts that are not there yet; returns their numbers.

    Raises: RunError, if the parts in the folder are of other work; as `make_parts`.
    """
    with experiment.in_fold():
        model = model_named_by(experiment.config)
        work = experiment.divided(model)
        return make_parts(work, experiment.parts(work, model, folder / PARTS), numbers, progress=progress)


def join_parts(experiment: DivisibleExperiment, folder: Path, *, progress: Progress = silent) -> Any:  # noqa: ANN401 - its Result
    """Join all parts into a run, in `run/`; one that is complete is read, not made again.

    Raises: RunError, if nothing was planned, or a part is missing, damaged, or of other work; as `run`.
    """
    plan = read_plan(folder)
    if plan is None:
        raise RunError(f"{folder} has no {PLAN}: its parts were not planned; run `interp-lab map` with this folder")
    return experiment.of_parts(plan.parts(folder)).run(run_dir=folder / RUN, resume=True, progress=progress)
