"""Writing a run folder: marked as running first, as complete last."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from interp_lab.config import Config, ConfigError
from interp_lab.experiment import Result
from interp_lab.runs.files import PARTIAL, Fingerprint, RunError, fingerprint, remove_leftovers, write_atomic
from interp_lab.runs.folder import (
    ARRAYS,
    ARTEFACTS,
    CONFIG,
    METRICS,
    PROVENANCE,
    RECORD,
    TABLES,
    RunFolder,
    RunRecord,
    read_record,
    read_run,
)
from interp_lab.runs.formats import decode_rows, encode_arrays, encode_row, scalars
from interp_lab.runs.trackers import JsonlTracker


@dataclass(frozen=True)
class RunWriter:
    """A run folder that is open for writing: log through `tracker`, then `finish` once."""

    directory: Path
    record: RunRecord

    @property
    def is_complete(self) -> bool:
        """Whether there is nothing left to do: the folder was resumed and held a complete run."""
        return self.record.status == "complete"

    @property
    def tracker(self) -> JsonlTracker:
        """Rows and tables into this folder."""
        return JsonlTracker(self.directory, self.record.attempt)

    def finish(self, result: Result) -> RunFolder:
        """Write the result; the run is complete when the last file, `run.json`, has been renamed.

        Raises: RunError, if it is complete already; ValueError, if a metric, table or array cannot be stored.
        """
        if read_record(self.directory).status == "complete":
            raise RunError(f"{self.directory} holds a complete run, which is never changed; take another directory")
        for name, table in result.tables().items():
            self.tracker.log_table(name, table)
        self._write(ARRAYS, encode_arrays(result.arrays()))
        self._write(PROVENANCE, json.dumps(result.provenance.as_dict(), indent=2).encode("utf-8"))
        self._write(METRICS, self._logged_rows() + encode_row({**scalars(result.metrics()), "final": True}))
        done = self.record.model_copy(update={"status": "complete", "files": self._fingerprints()})
        write_record(self.directory, done)
        return read_run(self.directory)

    def discard(self) -> None:
        """Take back a first attempt that failed before it logged anything: the folder is as empty as it was.

        Anything that was kept (rows, checkpoints, an earlier attempt) stays, and with it the incomplete run.
        """
        mine = {RECORD, CONFIG}
        if self.record.attempt == 1 and {path.name for path in self.directory.iterdir()} <= mine:
            for name in mine:
                (self.directory / name).unlink(missing_ok=True)

    def _write(self, name: str, data: bytes) -> None:
        write_atomic(self.directory / name, data)

    def _logged_rows(self) -> bytes:
        """Return the rows so far, without the final one of a `finish` that was killed."""
        path = self.directory / METRICS
        data = path.read_bytes() if path.is_file() else b""
        return b"".join(encode_row(row) for row in decode_rows(data, path=path) if "final" not in row)

    def _fingerprints(self) -> dict[str, Fingerprint]:
        tables = sorted(path.name for path in (self.directory / TABLES).glob("[!.]*.parquet"))
        made = [ARTEFACTS] if (self.directory / ARTEFACTS).is_file() else []
        names = [CONFIG, PROVENANCE, METRICS, ARRAYS, *made, *(f"{TABLES}/{name}" for name in tables)]
        return {name: fingerprint((self.directory / name).read_bytes()) for name in names}


def open_run(directory: Path, *, experiment: str, config: Config, resume: bool = False) -> RunWriter:
    """Start a run in a new or empty folder, or go on with the one in it.

    Args:
        resume: go on with an incomplete run; one that is complete is returned as such; where there is none, start it.

    Raises: RunError, if the folder holds a run and `resume` is not set, holds another run or something else, or its
        run was started with other values (each is named, old -> new).
    """
    if (directory / RECORD).is_file():
        record = read_record(directory)
        if not resume:
            state = "a complete" if record.status == "complete" else "an incomplete"
            raise RunError(
                f"{directory} already holds {state} run of {record.experiment}; "
                "pass resume=True to go on with it, or take another directory"
            )
        return _go_on(directory, record, experiment=experiment, config=config)
    _require_empty(directory)
    directory.mkdir(parents=True, exist_ok=True)
    remove_leftovers(directory)
    record = RunRecord(experiment=experiment, created=datetime.now(UTC).isoformat(timespec="seconds"))
    write_record(directory, record)
    write_config(directory, config, experiment=experiment)
    return RunWriter(directory, record)


def _go_on(directory: Path, record: RunRecord, *, experiment: str, config: Config) -> RunWriter:
    if record.experiment != experiment:
        raise RunError(f"{directory} holds a run of {record.experiment}, not of {experiment}; take another directory")
    if (directory / CONFIG).is_file():
        _require_same_config(read_run(directory, allow_incomplete=True).config, config, directory=directory)
    if record.status == "complete":
        return RunWriter(directory, record)
    remove_leftovers(directory)
    again = record.model_copy(update={"attempt": record.attempt + 1})
    write_record(directory, again)
    write_config(directory, config, experiment=experiment)
    return RunWriter(directory, again)


def write_record(directory: Path, record: RunRecord) -> None:
    """Write `run.json`."""
    write_atomic(directory / RECORD, record.model_dump_json(indent=2).encode("utf-8"))


def write_config(directory: Path, config: Config, *, experiment: str) -> None:
    """Write `config.yaml`, a file that `interp-lab run` takes.

    Raises: RunError, if the config has a field named `experiment`: the file's first key is that.
    """
    values = config.as_dict()
    if "experiment" in values:
        raise RunError(f"{type(config).__name__} has a field 'experiment', which {CONFIG} needs for itself; rename it")
    text = yaml.safe_dump({"experiment": experiment, **values}, sort_keys=False)
    write_atomic(directory / CONFIG, text.encode("utf-8"))


def _require_same_config(stored: Mapping[str, Any], given: Config, *, directory: Path) -> None:
    try:
        old, new = type(given).from_mapping(stored).flat(), given.flat()
    except ConfigError as error:
        raise RunError(
            f"the config of the run in {directory} no longer fits ({error}); take another directory"
        ) from error
    changed = [f"{key}: {old.get(key)!r} -> {new.get(key)!r}" for key in {**old, **new} if old.get(key) != new.get(key)]
    if changed:
        raise RunError(
            f"{directory} holds a run with another config ({'; '.join(changed)}); "
            "resume it with the old values, or take another directory"
        )


def _require_empty(directory: Path) -> None:
    if directory.exists() and not directory.is_dir():
        raise RunError(f"{directory} is a file; a run needs a folder of its own")
    held = [path.name for path in directory.glob("*") if not path.match(PARTIAL)]
    if held:
        raise RunError(
            f"{directory} is not empty and holds no run (it has {sorted(held)[0]}); take a new or empty directory"
        )
