"""From a measurement to a run: what every experiment's `run` is made of."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from interp_lab.config import Config
from interp_lab.experiment import Provenance, Result, Tracker
from interp_lab.runs.folder import RunFolder, read_run
from interp_lab.runs.trackers import Trackers
from interp_lab.runs.writer import open_run

ConfigT = TypeVar("ConfigT", bound=Config)
ResultT = TypeVar("ResultT", bound=Result)
Rebuild = Callable[[ConfigT, Provenance, dict[str, np.ndarray]], ResultT]
"""A result from its config, its provenance and what `arrays` returned: the `from_arrays` of its class."""


def run_experiment(
    name: str,
    config: ConfigT,
    *,
    measure: Callable[[Tracker], ResultT],
    rebuild: Rebuild[ConfigT, ResultT],
    tracker: Tracker | None = None,
    run_dir: Path | None = None,
    resume: bool = False,
) -> ResultT:
    """Measure, keep the result in `run_dir` if given, then tell `tracker`; a complete run is read, not made again.

    Args:
        name: of the experiment, in the registry.
        measure: the long work; what it logs goes to the folder and to `tracker`.
        rebuild: makes the result of a complete run that is resumed.

    Raises: RunError, if the folder holds something else (see `open_run`); ValueError, for `resume` without a folder.
    """
    told = () if tracker is None else (tracker,)
    if run_dir is None:
        if resume:
            raise ValueError("resume=True needs the folder of the run; pass run_dir=...")
        result = measure(Trackers(told))
    else:
        writer = open_run(run_dir, experiment=name, config=config, resume=resume)
        if writer.is_complete:
            run = read_run(run_dir)
            result = rebuild(config, Provenance.from_dict(run.provenance), run.arrays())
        else:
            try:
                result = measure(Trackers((writer.tracker, *told)))
            except (ValueError, OSError):  # a wrong name or value: the corrected call must find the folder free
                writer.discard()
                raise
            writer.finish(result)
    tell(result, Trackers(told))
    return result


def keep(result: ResultT, tracker: Tracker | None = None, run_dir: Path | None = None) -> ResultT:
    """Keep a result that is measured already, as `run_experiment` would have; returns it.

    Raises: RunError, if the folder is not new or empty; ValueError, if a metric, table or array cannot be stored.
    """
    if run_dir is not None:
        save_result(result, run_dir)
    if tracker is not None:
        tell(result, tracker)
    return result


def save_result(result: Result, run_dir: Path) -> RunFolder:
    """Write a result to a new or empty folder.

    Raises: RunError, if the folder is not new or empty; ValueError, if a metric, table or array cannot be stored.
    """
    return open_run(run_dir, experiment=result.provenance.experiment, config=result.config).finish(result)


def tell(result: Result, tracker: Tracker) -> None:
    """Log metrics and tables of a result."""
    tracker.log(result.metrics())
    for name, table in result.tables().items():
        tracker.log_table(name, table)
