"""One trial of a sweep, as tables and figures see it; read from the folder of a sweep, running or not."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from interp_lab.runs import RunError, read_run
from interp_lab.sweeps.ledger import Entry, read_ledger

LEDGER = "attempts.jsonl"
TRIALS = "trials"


@dataclass(frozen=True)
class Trial:
    """What was tried and what came of it."""

    number: int
    """Place in the order of proposals, from 0."""
    values: Mapping[str, Any]
    """What the sweep set, by dotted key path."""
    state: Literal["complete", "failed", "stopped early", "running"]
    """`running` is every trial that still needs a worker, whether or not it has one now."""
    metric: float | None
    """What the sweep is about; of a trial stopped early the last that it logged, `None` of others that have none."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Every final metric of a complete trial."""
    seconds: float = 0.0
    """Of the attempt that ended it."""
    attempts: int = 0
    """How often it was started, cut-off attempts included."""
    reason: str = ""
    """Why it failed, was stopped, or has to be started again; empty if all is well."""
    folder: Path = Path()
    """Its run folder."""


def trial_folder(folder: Path, number: int) -> Path:
    """Return where a trial keeps its run."""
    return folder / TRIALS / f"{number:04d}"


def trial_of(entry: Entry, folder: Path) -> Trial:
    """Return the trial that an entry of the ledger tells of."""
    closed, where = entry.closed, trial_folder(folder, entry.number)
    if closed is None:
        reason = entry.ended[-1].reason if entry.ended else ""
        return Trial(
            entry.number, entry.proposed.values, "running", None, attempts=len(entry.started), reason=reason,
            folder=where,
        )  # fmt: skip
    return Trial(
        entry.number,
        entry.proposed.values,
        closed.state,
        closed.metric,
        {name: float(value) for name, value in closed.metrics.items()},
        closed.seconds,
        len(entry.started),
        closed.reason,
        where,
    )


def read_trials(folder: Path) -> list[Trial]:
    """Return the trials of a sweep in order; it may be running, in this process or another.

    Raises: SweepError, if the ledger is damaged.
    """
    return [trial_of(entry, folder) for entry in read_ledger(folder / LEDGER).values()]


def best_of(trials: Iterable[Trial], *, goal: str) -> Trial | None:
    """Return the complete trial with the best metric, of equals the first; `None` if none is complete.

    Args:
        goal: `minimize` or `maximize`.
    """
    sign = 1.0 if goal == "minimize" else -1.0
    there = [
        (sign * trial.metric, trial.number, trial)
        for trial in trials
        if trial.state == "complete" and trial.metric is not None
    ]
    return min(there, key=lambda one: one[:2])[2] if there else None


def final_metrics(folder: Path) -> dict[str, int | float] | None:
    """Return the metrics of a run folder that is complete; `None` if it is not, whatever state it is in."""
    try:
        return read_run(folder).metrics()
    except RunError:
        return None
