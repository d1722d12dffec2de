"""A user's own file of examples: one JSON object a line, `#` before a comment, with keys that are known."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interp_lab.tasks.streams import json_object, numbered_lines
from interp_lab.types import nearest


@dataclass(frozen=True)
class KeyedLine:
    """One object of a file."""

    number: int
    """Of its line, from 1."""
    place: str
    """File and line, for what is said of it."""
    entry: dict[str, Any]


def keyed_lines(path: Path, *, required: Sequence[str], optional: Sequence[str]) -> list[KeyedLine]:
    """Read all objects of a file; an empty line and a comment are none.

    Raises: ValueError, naming file and line, for malformed JSON, and a key that is unknown or missing.
    """
    read = [
        KeyedLine(number, f"{path}:{number}", json_object(line, place=f"{path}:{number}"))
        for number, line in numbered_lines(path)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    for one in read:
        _require_keys(one, required=required, optional=optional)
    return read


def _require_keys(line: KeyedLine, *, required: Sequence[str], optional: Sequence[str]) -> None:
    for key in line.entry:
        if key not in (*required, *optional):
            raise ValueError(
                f"{line.place}: unknown key {key!r}{nearest(key, (*required, *optional))}; use {', '.join(required)} "
                f"and, if need be, {', '.join(optional)}"
            )
    for key in required:
        if key not in line.entry:
            raise ValueError(f"{line.place}: no {key!r}; every line needs {', '.join(required)}")
