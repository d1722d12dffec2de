"""The folder of an investigation: begun or gone on with, and the record of what has run in it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import PositiveInt, ValidationError

from interp_lab.config import Config
from interp_lab.investigation.config import InvestigationConfig, StepConfig
from interp_lab.investigation.expected import Expected
from interp_lab.investigation.plan import InvestigationError, own_values
from interp_lab.runs import write_atomic
from interp_lab.runs.files import PARTIAL
from interp_lab.runs.lock import LOCK

CONFIG, RECORD = "investigation.yaml", "record.json"
FORMAT = 1
_MAY_CHANGE = ("investigation", "question", "effort", "steps")
"""Of the config, between the start and going on; steps that have run are compared one by one."""


class StepRecord(Config):
    """What became of one step, or one test."""

    experiment: str
    status: Literal["running", "complete", "failed", "refused"] = "running"
    """`refused`: the other model could not be asked."""
    seconds: float = 0.0
    error: str | None = None


class Record(Config):
    """Content of `record.json`."""

    format: PositiveInt = FORMAT
    status: Literal["running", "complete"] = "running"
    hypotheses_sha256: str | None = None
    """Of the file, since it was written."""
    stopped: str | None = None
    """Why a gate ended it."""
    expected: Expected | None = None
    """What it was expected to cost, before it began; `None` if nobody asked."""
    files: dict[str, str] = {}  # noqa: RUF012 - as below
    """SHA-256 of the files of lines that steps read, by path."""
    steps: dict[str, StepRecord] = {}  # noqa: RUF012 - pydantic copies defaults
    """By name; tests by their folder, such as `confirm/patch`."""

    def with_step(self, name: str, step: StepRecord) -> "Record":
        """Return the record with one step changed."""
        return self.model_copy(update={"steps": {**self.steps, name: step}})


def begin_or_go_on(
    folder: Path, config: InvestigationConfig, *, resume: bool, files: Mapping[str, str] | None = None
) -> Record:
    """Write the config and the record into a new or empty folder, or read the record of the one to go on with.

    Args:
        files: SHA-256 of the files of lines that steps read, by path.

    Raises: InvestigationError, if the folder holds an investigation and `resume` is not set, holds something else, or
        what has run in it was told something else, or read files that were changed since.
    """
    if (folder / RECORD).is_file():
        if not resume:
            raise InvestigationError(
                f"{folder} already holds an investigation; go on with it by --resume, or take another folder"
            )
        record = read_record(folder)
        _require_same(read_config(folder), config, record, folder=folder)
        _require_same_files(record, files or {})
    else:
        held = sorted(one.name for one in folder.glob("*") if one.name not in (LOCK, CONFIG) and not one.match(PARTIAL))
        if held:
            raise InvestigationError(
                f"{folder} is not empty and holds no investigation (it has {held[0]}); take a new or empty folder"
            )
        record = Record()
    record = record.model_copy(update={"files": {**record.files, **(files or {})}})
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / CONFIG, config.to_yaml().encode("utf-8"))
    write_record(folder, record)
    return record


def write_record(folder: Path, record: Record) -> None:
    """Write `record.json`."""
    write_atomic(folder / RECORD, record.model_dump_json(indent=2).encode("utf-8"))


def read_record(folder: Path) -> Record:
    """Read `record.json`.

    Raises: InvestigationError, if there is none, it is damaged, or of a newer version.
    """
    path = folder / RECORD
    if not path.is_file():
        raise InvestigationError(f"{folder} holds no investigation: it has no {RECORD}")
    try:
        record = Record.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise InvestigationError(f"{path} is damaged ({error.errors()[0]['msg']}); restore it from a copy") from error
    if record.format > FORMAT:
        raise InvestigationError(f"{path} is of format {record.format}, read up to {FORMAT}; upgrade interp_lab")
    return record


def read_config(folder: Path) -> InvestigationConfig:
    """Read the config that an investigation was begun with.

    Raises: ConfigError.
    """
    return InvestigationConfig.from_yaml(folder / CONFIG)


def _require_same(old: InvestigationConfig, new: InvestigationConfig, record: Record, *, folder: Path) -> None:
    """Let steps that have not run be mended, and nothing else."""
    before, now = old.as_dict(), new.as_dict()
    changed = [
        f"{key}: {before[key]!r} -> {now[key]!r}" for key in now if key not in _MAY_CHANGE and before[key] != now[key]
    ]
    done = [one for one in (*old.before, *old.after) if _has_run(one, record)]
    ours = {one.name: one for one in (*new.before, *new.after)}
    changed += [f"step {one.name!r}" for one in done if _told(one, old) != _told(ours.get(one.name), new)]
    order = [name for name in ours if name in {one.name for one in done}]
    if not changed and order != [one.name for one in done]:
        changed = ["the order of steps that have run"]
    if record.hypotheses_sha256 is not None and [one.name for one in old.before] != [one.name for one in new.before]:
        changed.append("the steps before the hypotheses, which are written")
    if record.hypotheses_sha256 is not None and not new.tests:
        changed.append("the hypotheses are written, and nothing tests them")
    if changed:
        raise InvestigationError(
            f"{folder} holds an investigation that was told something else ({'; '.join(changed)}); go on with the old "
            "values, or take another folder"
        )


def _require_same_files(record: Record, files: Mapping[str, str]) -> None:
    """Refuse lines that were changed once a step has read them: some that were searched might be held out now."""
    changed = [name for name, digest in files.items() if record.files.get(name, digest) != digest]
    if changed and any(one.status == "complete" for one in record.steps.values()):
        raise InvestigationError(
            f"{', '.join(changed)} was changed since the investigation began, and what was searched might be held out "
            "now; put it back as it was, or begin anew in another folder"
        )


def _told(step: StepConfig | None, config: InvestigationConfig) -> Any:  # noqa: ANN401 - to be compared
    """Return what a step is told at the effort of its investigation."""
    return None if step is None else (step.experiment, step.gate, own_values(step, config))


def _has_run(step: StepConfig, record: Record) -> bool:
    return step.name in record.steps and record.steps[step.name].status == "complete"


def seconds_of(record: Record) -> Mapping[str, float]:
    """Return how long everything took, by name."""
    return {name: one.seconds for name, one in record.steps.items()}
