"""Reading a run folder: complete, or visibly not; checked, or refused."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import PositiveInt, TypeAdapter, ValidationError

from interp_lab.config import Config, read_yaml
from interp_lab.runs.files import Fingerprint, RunError, read_checked
from interp_lab.runs.formats import RESERVED, Row, decode_arrays, decode_rows, decode_table, without_superseded
from interp_lab.types import nearest

FORMAT = 1
"""Version of the layout of a run folder; raised when an older interp_lab could not read a newer folder."""

RECORD, CONFIG, PROVENANCE, METRICS = "run.json", "config.yaml", "provenance.json", "metrics.jsonl"
TABLES, ARRAYS = "tables", "arrays.safetensors"
ARTEFACTS = "artefacts.json"
"""Of runs that made more than numbers: what, and where. The files themselves are checked by whoever reads them."""


class RunRecord(Config):
    """Content of `run.json`."""

    format: PositiveInt = FORMAT
    experiment: str
    """Name in the registry."""
    status: Literal["running", "complete"] = "running"
    """`complete` is written last, when every file is."""
    created: str
    """UTC, ISO 8601."""
    attempt: PositiveInt = 1
    """How often the run was started; above 1 it was resumed."""
    files: dict[str, Fingerprint] = {}  # noqa: RUF012 - pydantic copies defaults
    """Of a complete run: every file by its path within the folder."""


@dataclass(frozen=True)
class RunFolder:
    """A run on disk. Tables and arrays are read, and checked, when they are asked for."""

    directory: Path
    record: RunRecord
    config: Mapping[str, Any]
    """Nested, as `Config.from_mapping` takes it."""
    rows: tuple[Row, ...]
    """What was logged while it ran, in order; the metrics of the result are in `metrics`."""

    @property
    def experiment(self) -> str:
        """Name in the registry."""
        return self.record.experiment

    @property
    def is_complete(self) -> bool:
        """Whether the run finished."""
        return self.record.status == "complete"

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Plain data for `Provenance.from_dict`.

        Raises: RunError, if the run is incomplete or the file is not what was written.
        """
        return json.loads(self._read(PROVENANCE))

    def metrics(self) -> dict[str, int | float]:
        """Return the scalars of the result.

        Raises: RunError, if the run is incomplete or the file is not what was written.
        """
        final = [row for row in decode_rows(self._read(METRICS), path=self.directory / METRICS) if "final" in row]
        return {name: value for name, value in final[-1].items() if name not in RESERVED}

    @property
    def table_names(self) -> tuple[str, ...]:
        """Names of the tables of a complete run."""
        paths = (Path(name) for name in self.record.files)
        return tuple(sorted(path.stem for path in paths if path.parent.name == TABLES))

    def table(self, name: str) -> pd.DataFrame:
        """Return one table.

        Raises: RunError, if there is none of that name, the run is incomplete, or the file is not what was written.
        """
        self._require_complete()
        if name not in self.table_names:
            known = ", ".join(self.table_names) or "none"
            raise RunError(f"no table {name!r} in {self.directory}{nearest(name, self.table_names)}; it has {known}")
        return decode_table(self._read(f"{TABLES}/{name}.parquet"))

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return every table by name.

        Raises: RunError, if the run is incomplete or a file is not what was written.
        """
        self._require_complete()
        return {name: self.table(name) for name in self.table_names}

    def arrays(self) -> dict[str, np.ndarray]:
        """Return every array by name.

        Raises: RunError, if the run is incomplete or the file is not what was written.
        """
        return decode_arrays(self._read(ARRAYS))

    def array(self, name: str) -> np.ndarray:
        """Return one array.

        Raises: RunError, if there is none of that name, the run is incomplete, or the file is not what was written.
        """
        arrays = self.arrays()
        if name not in arrays:
            known = ", ".join(arrays) or "none"
            raise RunError(f"no array {name!r} in {self.directory}{nearest(name, arrays)}; it has {known}")
        return arrays[name]

    def _read(self, name: str) -> bytes:
        self._require_complete()
        return read_checked(self.directory / name, self.record.files[name])

    def _require_complete(self) -> None:
        if not self.is_complete:
            raise RunError(f"{self.directory} holds an incomplete run: it has no result yet; resume it first")


def read_run(directory: str | Path, *, allow_incomplete: bool = False) -> RunFolder:
    """Open a run folder for reading.

    Args:
        allow_incomplete: look at the config and the rows of a run that is still going on or was killed.

    Raises: RunError, if there is no such folder, it is no run, was written by a newer version, is incomplete, or a
        file in it is missing or not what was written.
    """
    directory = Path(directory)
    record = read_record(directory)
    if record.status == "running" and not allow_incomplete:
        raise RunError(
            f"{directory} holds an incomplete run of {record.experiment} (started {record.created}; killed, or still "
            "going on); resume it with run(run_dir=..., resume=True), or look with read_run(..., allow_incomplete=True)"
        )
    for name, expected in record.files.items():
        _require_size(directory / name, expected)
    rows = decode_rows(_read_now(directory, METRICS, record), path=directory / METRICS)
    logged = without_superseded(row for row in rows if "final" not in row)
    return RunFolder(directory, record, _read_config(directory, record), tuple(logged))


def read_record(directory: Path) -> RunRecord:
    """Read `run.json`.

    Raises: RunError, if there is no such folder, it is no run, or was written by a newer version.
    """
    path = directory / RECORD
    if not directory.is_dir():
        raise RunError(f"there is no run folder {directory}")
    if not path.is_file():
        raise RunError(f"{directory} is no run folder: it has no {RECORD}; name the folder that a run was kept in")
    try:
        data = TypeAdapter(dict[str, Any]).validate_json(path.read_bytes())
        version = TypeAdapter(int).validate_python(data.get("format"))
        if version > FORMAT:
            raise RunError(
                f"{directory} was written in run format {version}, and this interp_lab reads formats up to {FORMAT}; "
                "upgrade it with: pip install --upgrade interp_lab"
            )
        return RunRecord.model_validate(data)
    except ValidationError as error:
        raise RunError(
            f"{path} is damaged ({error.errors()[0]['msg']}); restore it from a copy, or run again"
        ) from error


def _require_size(path: Path, expected: Fingerprint) -> None:
    """Notice a missing or truncated file at once; contents are compared when they are read."""
    if not path.is_file() or path.stat().st_size != expected.n_bytes:
        read_checked(path, expected)


def _read_now(directory: Path, name: str, record: RunRecord) -> bytes:
    path = directory / name
    if record.status == "complete":
        return read_checked(path, record.files[name])
    return path.read_bytes() if path.is_file() else b""


def _read_config(directory: Path, record: RunRecord) -> dict[str, Any]:
    if not _read_now(directory, CONFIG, record):
        raise RunError(f"the run in {directory} was killed before it wrote {CONFIG}; resume it, or remove the folder")
    return {name: value for name, value in read_yaml(directory / CONFIG).items() if name != "experiment"}
