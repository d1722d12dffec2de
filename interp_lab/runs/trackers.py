"""Trackers of floor 1: JSON lines in a folder, and several trackers at once."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import SupportsFloat

import pandas as pd

from interp_lab.experiment import Tracker
from interp_lab.runs.files import write_atomic
from interp_lab.runs.folder import ARTEFACTS, METRICS, TABLES
from interp_lab.runs.formats import Row, encode_row, encode_table, require_table_name, scalars


@dataclass(frozen=True)
class JsonlTracker:
    """Rows to `metrics.jsonl` and tables to `tables/` of a folder.

    Every row has left the process when `log` returns, so that killing it loses none. No file is kept open.
    """

    directory: Path
    attempt: int = 1
    """Noted in every row from the second start on, so that steps logged again can be told apart."""

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        drop_torn_row(self.directory / METRICS)

    def log(self, values: Mapping[str, SupportsFloat], *, step: int | None = None) -> None:
        """Append one row.

        Raises: ValueError, naming the metric, if one is no number or takes a reserved name.
        """
        place = {} if step is None else {"step": step}
        resumed = {"attempt": self.attempt} if self.attempt > 1 else {}
        self._append({**place, **scalars(values), **resumed})

    def log_table(self, name: str, table: pd.DataFrame) -> None:
        """Write one table; a later one of the same name replaces it.

        Raises: ValueError, if the name is no file name or a column has no parquet type.
        """
        require_table_name(name)
        folder = self.directory / TABLES
        folder.mkdir(exist_ok=True)
        write_atomic(folder / f"{name}.parquet", encode_table(name, table))

    def log_artefact(self, name: str, folder: Path, *, kind: str) -> None:
        """Note the folder, which is on disk already, in `artefacts.json`; a later one of the same name replaces it.

        A folder inside this one is noted by its path from here, so that the whole can be moved.
        """
        path = self.directory / ARTEFACTS
        noted = json.loads(path.read_bytes()) if path.is_file() else {}
        here, there = self.directory.resolve(), folder.resolve()
        place = there.relative_to(here) if there.is_relative_to(here) else there
        noted[name] = {"kind": kind, "folder": place.as_posix()}
        write_atomic(path, json.dumps(noted, indent=1).encode("utf-8"))

    def finish(self) -> None:
        """Do nothing: all is on disk already."""

    def _append(self, row: Row) -> None:
        with (self.directory / METRICS).open("ab") as file:
            file.write(encode_row(row))


def drop_torn_row(path: Path) -> None:
    """Cut off what a killed process left behind the last newline."""
    if not path.is_file():
        return
    with path.open("rb+") as file:
        whole = file.read().rpartition(b"\n")
        file.truncate(len(whole[0]) + len(whole[1]))


@dataclass(frozen=True)
class Trackers:
    """Several trackers as one; none at all is a tracker that keeps nothing."""

    each: tuple[Tracker, ...] = ()

    def log(self, values: Mapping[str, SupportsFloat], *, step: int | None = None) -> None:
        """Record scalars with every tracker."""
        for tracker in self.each:
            tracker.log(values, step=step)

    def log_table(self, name: str, table: pd.DataFrame) -> None:
        """Record a table with every tracker."""
        for tracker in self.each:
            tracker.log_table(name, table)

    def log_artefact(self, name: str, folder: Path, *, kind: str) -> None:
        """Record a folder with every tracker."""
        for tracker in self.each:
            tracker.log_artefact(name, folder, kind=kind)

    def finish(self) -> None:
        """Finish every tracker."""
        for tracker in self.each:
            tracker.finish()
