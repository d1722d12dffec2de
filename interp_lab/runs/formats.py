"""Rows, tables and arrays as bytes: JSON lines, parquet, safetensors; never pickle."""

import io
import json
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import safetensors.numpy
from safetensors import SafetensorError

from interp_lab.runs.files import RunError

Row = Mapping[str, Any]
"""One line of `metrics.jsonl`: scalars by name and, of the reserved keys, those that apply."""

RESERVED = ("step", "attempt", "final")
"""Keys of a row that are not metrics: where it stands, which start of the run wrote it, whether it is the result."""

_TABLE_NAME = re.compile(r"\w[\w .-]*")


def scalars(values: Mapping[str, Any]) -> dict[str, int | float]:
    """Return metrics as plain numbers (from NumPy or one-element tensors).

    Raises: ValueError, naming the metric, if one is no number or takes a reserved name.
    """
    for name in RESERVED:
        if name in values:
            raise ValueError(f"metric name {name!r} is reserved; give the step as log(values, step=...), or rename it")
    return {name: _scalar(name, value) for name, value in values.items()}


def _scalar(name: str, value: Any) -> int | float:  # noqa: ANN401 - whatever a caller logs
    if isinstance(value, int | float | np.integer):
        return float(value) if isinstance(value, float) else int(value)
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        kind = type(value).__name__
        raise ValueError(f"metric {name!r} is {value!r} ({kind}), not one number; log tables by log_table") from error


def encode_row(row: Row) -> bytes:
    """Return one JSON line; numbers that JSON does not have become "NaN", "Infinity" and "-Infinity"."""
    return (json.dumps({name: _spell(value) for name, value in row.items()}, allow_nan=False) + "\n").encode("utf-8")


def _spell(value: int | float) -> int | float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def decode_rows(data: bytes, *, path: Path) -> list[dict[str, Any]]:
    """Return the rows of `metrics.jsonl`; a last line without its newline was torn by a kill, and is left out.

    Raises: RunError, naming file and line, for any other line that is no row.
    """
    return [_decode_row(line, where=f"{path}, line {nth}") for nth, line in enumerate(data.split(b"\n")[:-1], start=1)]


def _decode_row(line: bytes, *, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
        return {name: float(value) if isinstance(value, str) else value for name, value in row.items()}
    except (ValueError, AttributeError) as error:
        shown = line[:60].decode("utf-8", "replace")
        raise RunError(f"{where}: {shown!r} is no row of metrics; the file was changed: remove the line") from error


def without_superseded(rows: Iterable[Row]) -> list[Row]:
    """Drop the steps that a resumed run logged again: of equal steps and names, the last attempt's rows stay."""
    rows = list(rows)
    latest: dict[Any, int] = {}
    for row in rows:
        latest[_place(row)] = max(row.get("attempt", 1), latest.get(_place(row), 1))
    return [row for row in rows if "step" not in row or row.get("attempt", 1) == latest[_place(row)]]


def _place(row: Row) -> tuple[Any, frozenset[str]]:
    return row.get("step"), frozenset(row).difference(RESERVED)


def require_table_name(name: str) -> None:
    """Refuse a name that is not safe as a file name.

    Raises: ValueError.
    """
    if not _TABLE_NAME.fullmatch(name):
        raise ValueError(f"table name {name!r} becomes a file name: use letters, digits, '_', '-', '.' and spaces")


def encode_table(name: str, table: pd.DataFrame) -> bytes:
    """Return a table as parquet, its index included.

    Raises: ValueError, naming the table, if a column has no parquet type.
    """
    buffer = io.BytesIO()
    try:
        table.to_parquet(buffer)
    except (TypeError, ValueError) as error:  # pyarrow's errors are these
        raise ValueError(f"table {name!r} cannot be stored: {error}; give every column one type") from error
    return buffer.getvalue()


def decode_table(data: bytes) -> pd.DataFrame:
    """Return the table that `encode_table` was given."""
    return pd.read_parquet(io.BytesIO(data))


def encode_arrays(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return arrays by name as safetensors; text goes into the header.

    Raises: ValueError, naming the arrays that hold neither numbers, booleans nor text.
    """
    texts = {name: array for name, array in arrays.items() if array.dtype.kind == "U"}
    try:
        # From a strided view safetensors 0.8 stores the wrong numbers, silently.
        numbers = {name: np.asarray(array, order="C") for name, array in arrays.items() if name not in texts}
        header = {name: json.dumps(array.tolist()) for name, array in texts.items()}
        return with_sorted_header(safetensors.numpy.save(numbers, metadata=header))
    except SafetensorError as error:
        kinds = ", ".join(f"{name}: {array.dtype}" for name, array in arrays.items())
        raise ValueError(f"arrays cannot be stored ({kinds}): {error}; put other things into tables()") from error


def with_sorted_header(data: bytes) -> bytes:
    """Return a safetensors file with the entries of its metadata in alphabetical order.

    safetensors writes them in the order of a hash map, which differs from file to file: equal content would have
    unequal checksums.
    """
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    if "__metadata__" not in header:
        return data
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    text += b" " * (-len(text) % 8)  # tensors begin at multiples of eight bytes
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


def decode_arrays(data: bytes) -> dict[str, np.ndarray]:
    """Return the arrays that `encode_arrays` was given, by name in alphabetical order."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length]).get("__metadata__", {})
    texts = {name: np.array(json.loads(text), dtype=np.str_) for name, text in header.items()}
    return dict(sorted({**safetensors.numpy.load(data), **texts}.items()))
