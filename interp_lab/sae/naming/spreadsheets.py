"""CSV that people fill in with spreadsheet programs: no cell is computed, and what comes back is read."""

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

_FORMULA = re.compile(r"(^|[;\t])(?=[\s\ufeff]*[=+\-@|%\uff1d\uff0b\uff0d\uff20])")
"""Where a spreadsheet would start to compute: at the beginning of a cell, or behind a character that a program set to
another language divides cells at, quoted or not. Full-width signs count."""
BYTE_ORDER_MARK = "\ufeff"
"""Without it, programs take UTF-8 for the machine's own encoding."""


def as_csv(rows: Sequence[Mapping[str, object]]) -> str:
    """Return rows as CSV, every cell quoted, with a byte order mark."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows([{name: cell(value) for name, value in row.items()} for row in rows])
    return BYTE_ORDER_MARK + text.getvalue()


def cell(value: object) -> str:
    """Return a cell that no spreadsheet takes for a formula: an apostrophe stands before what would begin one."""
    text = "" if value is None else str(value).replace("\r", "␍").replace("\n", "↵")
    return _FORMULA.sub(r"\1'", text)


def rated_frame(path: Path) -> pd.DataFrame:
    """Read the items, ratings and comments of a sheet as text, from JSON or from CSV divided by `,`, `;` or tabs.

    Raises: ValueError, naming the file, for one that cannot be read or lacks a column.
    """
    try:
        text = path.read_text("utf-8-sig")
        if path.suffix.lower() == ".json":
            frame = pd.DataFrame(json.loads(text)["rows"])
        else:
            frame = pd.DataFrame(list(csv.DictReader(io.StringIO(text), delimiter=_delimiter(text))))
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, csv.Error, FileNotFoundError) as error:
        raise ValueError(
            f"{path} is no rating sheet ({error}); send the file that write_sheets made, saved as UTF-8"
        ) from error
    missing = [name for name in ("item", "rating") if name not in frame]
    if missing:
        raise ValueError(f"{path} has no column {missing[0]!r}; it needs item and rating, as write_sheets made them")
    return frame


def _delimiter(text: str) -> str:
    """Return what divides the cells of the heading, whose names hold none of these."""
    heading = text.partition("\n")[0]
    return max(",;\t", key=heading.count)
