"""Alarms, and the log of them: one JSON object a line, rotated by size."""

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

SCHEMA = 1
"""Of a line of the log; it rises when a field changes its meaning or goes."""


@dataclass(frozen=True)
class Alarm:
    """A monitor's aggregate has passed its threshold; raised once per row and monitor."""

    row: int
    """Which of the prompts."""
    request: str
    """What the caller calls it; the number of the row where it has no name."""
    monitor: str
    hook: str
    action: str
    route: str | None
    """Who is to answer instead, of the action `route`."""
    position: int
    """Of the token that raised it: absolute, in the row's own sequence."""
    generated: int | None
    """Which of the generated tokens that is, from 0; `None` for one of the prompt."""
    token: int
    score: float
    """Of that token alone."""
    aggregate: float
    """Of all tokens up to it, as `over` says."""
    over: str
    threshold: float


OnAlarm = Callable[[Alarm], None]


class EventLog:
    """Writes alarms to a file: a line each, with the fields of `Alarm`, `schema`, `time` (UTC, ISO 8601) and `prompt`.

    `prompt` is there only where the log was told to keep it; without it a line holds of the text a single token's id.
    When the file would grow beyond `max_bytes`, it becomes `NAME.1`, that one `NAME.2`, and so on up to `n_kept`.
    """

    def __init__(self, path: Path, *, max_bytes: int = 10_000_000, n_kept: int = 5, keep_prompts: bool = False) -> None:
        if max_bytes < 1 or n_kept < 1:
            raise ValueError(
                f"max_bytes={max_bytes} and n_kept={n_kept}: a log that rotates needs room for a line and a file to "
                "go to; use 1 or more"
            )
        if not path.parent.is_dir():
            raise ValueError(f"there is no folder {path.parent} for the log {path.name}; make it first")
        self.keep_prompts = keep_prompts
        self._handler = _Strict(path, maxBytes=max_bytes, backupCount=n_kept, encoding="utf-8")
        self._handler.setFormatter(logging.Formatter("%(message)s"))

    def write(self, alarm: Alarm, *, prompt: str | None = None) -> None:
        """Write a line; the prompt is dropped unless the log keeps prompts.

        Raises: OSError, if it cannot be written: an alarm that is lost without a word is worse.
        """
        line: dict[str, Any] = {"schema": SCHEMA, "time": datetime.now(UTC).isoformat(timespec="milliseconds")}
        line |= asdict(alarm)
        if self.keep_prompts and prompt is not None:
            line["prompt"] = prompt
        text = json.dumps(line, ensure_ascii=False, allow_nan=False)
        self._handler.handle(logging.LogRecord("interp_lab", logging.INFO, "", 0, text, None, None))

    def close(self) -> None:
        """Close the file."""
        self._handler.close()

    def __enter__(self) -> "EventLog":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class _Strict(RotatingFileHandler):
    """Raises what the standard handler would print."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name that logging calls
        """Raise the error under way."""
        raise
