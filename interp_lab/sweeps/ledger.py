"""The ledger of a sweep: one JSON line for whatever was decided or happened, forced to the disk before it counts.

It is the whole truth of a sweep. Optuna's journal, the tables and the page are made from it.
"""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, TypeAdapter, ValidationError

from interp_lab.config import Config
from interp_lab.runs.trackers import drop_torn_row
from interp_lab.sweeps.space import SweepError

State = Literal["complete", "failed", "stopped early"]
"""How a trial ended for good."""


def now() -> str:
    """Return the time, UTC, ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Proposed(Config):
    """A trial was given its values; it keeps them whatever happens."""

    event: Literal["proposed"] = "proposed"
    trial: NonNegativeInt
    values: dict[str, Any]
    """By dotted key path."""
    raw: dict[str, Any] = {}  # noqa: RUF012 - pydantic copies defaults
    """The same as the search sees them; empty where the search needs no memory."""


class Started(Config):
    """A trial was handed to a worker."""

    event: Literal["started"] = "started"
    trial: NonNegativeInt
    attempt: PositiveInt
    at: str
    """UTC, ISO 8601."""


class Ended(Config):
    """A worker came back; an attempt without this line was cut off together with the driver."""

    event: Literal["ended"] = "ended"
    trial: NonNegativeInt
    attempt: PositiveInt
    how: str
    """`done`, `failed`, `timed out`, `stopped` or `lost`."""
    seconds: float
    reason: str = ""


class Closed(Config):
    """A trial needs no more attempts."""

    event: Literal["closed"] = "closed"
    trial: NonNegativeInt
    state: State
    metric: float | None = None
    """Of a trial that was stopped early, the last that it logged."""
    metrics: dict[str, int | float] = {}  # noqa: RUF012 - pydantic copies defaults
    """Every final metric."""
    seconds: float
    """Of its last attempt."""
    reason: str = ""


Line = Proposed | Started | Ended | Closed
_LINE: TypeAdapter[Line] = TypeAdapter(Annotated[Line, Field(discriminator="event")])


@dataclass(frozen=True)
class Entry:
    """One trial, as far as the ledger knows it."""

    proposed: Proposed
    started: tuple[Started, ...] = ()
    ended: tuple[Ended, ...] = ()
    closed: Closed | None = None

    @property
    def number(self) -> int:
        """Place in the order of proposals, from 0."""
        return self.proposed.trial

    def count(self, *hows: str) -> int:
        """How many attempts ended in one of these ways."""
        return sum(end.how in hows for end in self.ended)

    def after(self, line: Line) -> "Entry":
        """Return what is known once `line` has happened; a trial that is started again is open again."""
        match line:
            case Started():
                return replace(self, started=(*self.started, line), closed=None)
            case Ended():
                return replace(self, ended=(*self.ended, line))
            case Closed():
                return replace(self, closed=line)
            case Proposed():
                raise SweepError(f"trial {self.number} was proposed twice; the ledger was changed: remove one line")


@dataclass(frozen=True)
class Ledger:
    """The file, open for one writer."""

    path: Path

    def __post_init__(self) -> None:
        drop_torn_row(self.path)

    def append(self, line: Line) -> None:
        """Write one line; when this returns it is on the disk.

        Raises: SweepError, if the disk is full or the folder was taken away: nothing may happen unrecorded.
        """
        try:
            with self.path.open("ab") as file:
                file.write(encode_line(line))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise SweepError(
                f"cannot write {self.path} ({error.strerror}); make room, then the same command with --resume goes on"
            ) from error


def read_ledger(path: Path) -> dict[int, Entry]:
    """Return every trial by its number; a last line that a kill has torn never happened.

    Raises: SweepError, naming the line, for any other that cannot be read.
    """
    entries: dict[int, Entry] = {}
    lines = path.read_bytes().split(b"\n")[:-1] if path.is_file() else []
    for nth, text in enumerate(lines, start=1):
        try:
            line = _LINE.validate_python(json.loads(text))
        except (ValueError, ValidationError) as error:
            raise SweepError(f"{path}, line {nth} is no line of a ledger ({text[:60]!r}); restore the file") from error
        if isinstance(line, Proposed) and line.trial not in entries:
            entries[line.trial] = Entry(line)
        elif line.trial in entries:
            entries[line.trial] = entries[line.trial].after(line)
        else:
            raise SweepError(f"{path}, line {nth} is of trial {line.trial}, which was never proposed; restore the file")
    return dict(sorted(entries.items()))


def encode_line(line: Line) -> bytes:
    """Return one line as JSON, in which every finite number keeps its bits."""
    return (json.dumps(_spelt(line.model_dump()), allow_nan=False) + "\n").encode("utf-8")


def _spelt(value: Any) -> Any:  # noqa: ANN401 - plain data of any depth
    """Return plain data with `NaN` and infinities, which JSON does not have, as text; pydantic reads them back."""
    if isinstance(value, Mapping):
        return {name: _spelt(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_spelt(each) for each in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
