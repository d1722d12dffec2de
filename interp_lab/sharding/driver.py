"""The driver of a map: jobs for the parts that are missing, then one that joins them."""

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from interp_lab.experiment import Progress, silent
from interp_lab.jobs import Ended, Executor, Job, Outcome, run_all
from interp_lab.runs.folder import RECORD, read_record
from interp_lab.runs.lock import held
from interp_lab.sharding.work import LOGS, PARTS, RUN, Plan, read_plan


@dataclass(frozen=True)
class Mapped:
    """What a map did."""

    folder: Path
    n_parts: int
    n_made: int
    """Of them, made now; the others were there."""
    outcomes: Mapping[str, Outcome]
    """Of the jobs, by name."""

    @property
    def run(self) -> Path:
        """Folder of the run that the parts were joined into."""
        return self.folder / RUN


def map_parts(
    command: Sequence[str],
    folder: Path,
    executor: Executor,
    *,
    per_job: int = 1,
    retries: int = 2,
    time_limit: float | None = None,
    progress: Progress = silent,
) -> Mapped:
    """Make the parts of an experiment by jobs, and join them; what is there already is not made again.

    Killed at any moment, driver or job, it is gone on with by the same call. The parts are removed when the run is
    whole. On several machines the folder must be on a disk that all of them see.

    Args:
        command: config file and overrides, as of `interp-lab run`.
        per_job: parts that follow each other in one job, which load the model once.
        retries: of a job that failed.
        time_limit: of a job (seconds).

    Raises: ValueError, for `per_job` below 1; RunError, if another driver is at work in the folder; RuntimeError, if a
        job failed for good: what the others made stays.
    """
    if per_job < 1:
        raise ValueError(f"per_job={per_job} must be at least 1")

    def job(step: str) -> Job:
        argv = ("interp-lab", "part", step, *command, "--folder", str(folder))
        return Job(
            step, argv, folder / LOGS / f"{step}.log", time_limit=time_limit, lock=folder / LOGS / f"{step}.lock"
        )

    def run(steps: Sequence[str], what: str) -> dict[str, Outcome]:
        told = lambda done, total, _: progress(done, total, what)  # noqa: E731
        outcomes = run_all([job(step) for step in steps], executor, retries=retries, progress=told)
        _require_done(outcomes, folder)
        return outcomes

    outcomes: dict[str, Outcome] = {}
    missing: list[int] = []
    with held(folder):
        if not is_joined(folder):
            outcomes |= run(["plan"], "planning")
            missing = _plan(folder).parts(folder).missing()
            outcomes |= run(ranges(missing, per_job), "parts")
        outcomes |= run(["join"], "joining")  # of a run that is whole: reads it, and refuses another config
        if (folder / PARTS).is_dir():
            shutil.rmtree(folder / PARTS)
    return Mapped(folder, _plan(folder).n_parts, len(missing), outcomes)


def _plan(folder: Path) -> Plan:
    plan = read_plan(folder)
    assert plan is not None, "the job that plans is done"
    return plan


def is_joined(folder: Path) -> bool:
    """Whether a map is done: its run is whole."""
    return (folder / RUN / RECORD).is_file() and read_record(folder / RUN).status == "complete"


def ranges(numbers: Sequence[int], size: int) -> list[str]:
    """Return numbers as ranges, `3-5` or `7`, of at most `size` that follow each other."""
    found: list[list[int]] = []
    for number in numbers:
        if found and len(found[-1]) < size and number == found[-1][-1] + 1:
            found[-1].append(number)
        else:
            found.append([number])
    return [str(one[0]) if len(one) == 1 else f"{one[0]}-{one[-1]}" for one in found]


def read_range(text: str) -> range:
    """Read what `ranges` wrote.

    Raises: ValueError, for anything else.
    """
    found = re.fullmatch(r"(\d+)(?:-(\d+))?", text)
    if found is None or int(found[2] or found[1]) < int(found[1]):
        raise ValueError(f"{text!r} is no range of parts; write 7, or 3-5")
    return range(int(found[1]), int(found[2] or found[1]) + 1)


def _require_done(outcomes: Mapping[str, Outcome], folder: Path) -> None:
    failed = {name: one for name, one in outcomes.items() if one.ended is not Ended.DONE}
    if failed:
        name, one = next(iter(failed.items()))
        raise RuntimeError(
            f"{len(failed)} of {len(outcomes)} jobs failed for good, such as {name} ({one.reason}; see "
            f"{folder / LOGS / name}.log); what the others made stays: the same command goes on"
        )
