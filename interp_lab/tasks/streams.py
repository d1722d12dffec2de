"""Documents from local files, one at a time: text, JSONL, parquet and `datasets` folders, larger than memory."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from interp_lab.folds import Fold, seen_now, shows
from interp_lab.types import nearest

Unit = Literal["paragraph", "line", "file"]
"""What is one document in a text file: lines up to the next empty one, each line, or the whole file."""
_BATCH = 256
"""Rows of a table held in memory at once."""


@dataclass(frozen=True)
class Document:
    """A text, and where it came from."""

    id: int
    """Number in the stream, from 0; texts that are empty are not counted, those that may not be seen (`folds`) are."""
    name: str
    """File and place in it, such as `news.jsonl:12`."""
    text: str


def read_documents(path: Path, *, column: str = "text", unit: Unit = "paragraph") -> Iterator[Document]:
    """Read documents from a file or folder, always in the same order; nothing is fetched from a hub.

    A folder is one that `datasets` saved, or holds `.txt`, `.jsonl` and `.parquet` files (sorted by path). Files are
    read as the iterator moves; empty texts are left out.

    Args:
        column: where the text is in JSONL, parquet and `datasets`.
        unit: what is a document in text files.

    Raises: ValueError, for a path without text, a kind of file that is not known, or a place (file and line or row)
        where there is no text.
    """
    if not path.exists():
        raise ValueError(f"there is no {path}; give a file or a folder of .txt, .jsonl or .parquet files")
    found = _texts(path, column, unit)  # checked now, read later
    return _numbered(found, path, fold=seen_now())  # of now, whoever reads them


def _numbered(found: Iterator[tuple[str, str]], path: Path, *, fold: Fold) -> Iterator[Document]:
    nth, n_shown = -1, 0
    for nth, (name, text) in enumerate((name, text) for name, text in found if text.strip()):
        if shows(text, fold=fold):
            n_shown += 1
            yield Document(nth, name, text)
    if nth < 0:
        raise ValueError(f"{path} holds no text; every document in it is empty")
    if not n_shown:
        raise ValueError(f"{path} holds {nth + 1} documents, and none is in the fold {fold!r}; give more text")


def _texts(path: Path, column: str, unit: Unit) -> Iterator[tuple[str, str]]:
    if path.is_dir():
        if (path / "dataset_dict.json").is_file():
            splits = json.loads((path / "dataset_dict.json").read_text("utf-8"))["splits"]
            raise ValueError(f"{path} holds the splits {', '.join(splits)}; give the folder of one, {path / splits[0]}")
        if (path / "dataset_info.json").is_file() and (path / "state.json").is_file():
            return _from_saved_dataset(path, column)
        files = sorted(file for file in path.rglob("*") if file.suffix in _READERS and file.is_file())
        if not files:
            raise ValueError(f"{path} has no {', '.join(_READERS)} files and is no folder saved by `datasets`")
        return (found for file in files for found in _READERS[file.suffix](file, column, unit))
    if path.suffix not in _READERS:
        raise ValueError(f"{path} is of no known kind{nearest(path.suffix, _READERS)}; use {', '.join(_READERS)}")
    return _READERS[path.suffix](path, column, unit)


def _from_text(path: Path, column: str, unit: Unit) -> Iterator[tuple[str, str]]:
    if unit == "file":
        yield path.name, "".join(line for _, line in numbered_lines(path))
        return
    start, block = 1, []
    for number, line in numbered_lines(path):
        if unit == "line":
            yield f"{path.name}:{number}", line.rstrip("\n")
        elif line.strip():
            start = start if block else number
            block.append(line)
        elif block:
            yield f"{path.name}:{start}", "".join(block).rstrip("\n")
            block = []
    if block:
        yield f"{path.name}:{start}", "".join(block).rstrip("\n")


def _from_jsonl(path: Path, column: str, unit: Unit) -> Iterator[tuple[str, str]]:
    for number, line in numbered_lines(path):
        if line.strip():
            entry = json_object(line, place=f"{path}:{number}")
            yield f"{path.name}:{number}", _text_in(entry, column, place=f"{path}:{number}")


def _from_parquet(path: Path, column: str, unit: Unit) -> Iterator[tuple[str, str]]:
    import pyarrow
    from pyarrow.parquet import ParquetFile

    try:
        file = ParquetFile(path)
    except pyarrow.ArrowInvalid as error:
        raise ValueError(f"{path} is no readable parquet file: {error}") from error
    with file:
        _require_column(file.schema_arrow.names, column, place=str(path))
        row = 0
        for batch in file.iter_batches(batch_size=_BATCH, columns=[column]):
            for text in batch.column(0).to_pylist():
                yield f"{path.name}:{row}", _text_in({column: text}, column, place=f"{path}, row {row}")
                row += 1


def _from_saved_dataset(path: Path, column: str) -> Iterator[tuple[str, str]]:
    from datasets import Dataset, load_from_disk

    data = load_from_disk(path, keep_in_memory=False)
    assert isinstance(data, Dataset), "folders of several splits were refused"
    _require_column(data.column_names, column, place=str(path))
    row = 0
    for batch in data.select_columns([column]).iter(batch_size=_BATCH):
        for text in batch[column]:
            yield f"{path.name}:{row}", _text_in({column: text}, column, place=f"{path}, row {row}")
            row += 1


_READERS: dict[str, Callable[[Path, str, Unit], Iterator[tuple[str, str]]]] = {
    ".txt": _from_text,
    ".jsonl": _from_jsonl,
    ".parquet": _from_parquet,
}


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Read the lines of a UTF-8 file with their numbers, from 1.

    Raises: ValueError, naming the line after which the file is no UTF-8.
    """
    number = 0
    try:
        with path.open(encoding="utf-8-sig", newline=None) as file:
            for number, line in enumerate(file, start=1):
                yield number, line
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text somewhere after line {number}; convert it first") from error


def json_object(line: str, *, place: str) -> dict[str, Any]:
    """Read one line of JSON.

    Raises: ValueError, naming the place, if it is malformed or no object.
    """
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"{place}: no JSON, {error.msg} at column {error.colno}: {line.strip()[:80]!r}") from error
    if not isinstance(value, dict):
        raise ValueError(f"{place}: expected an object in braces, got {type(value).__name__}: {line.strip()[:80]!r}")
    return value


def _text_in(entry: dict[str, Any], column: str, *, place: str) -> str:
    _require_column(list(entry), column, place=place)
    if not isinstance(entry[column], str):
        raise ValueError(f"{place}: {column!r} must be text, got {entry[column]!r}")
    return entry[column]


def _require_column(names: list[str], column: str, *, place: str) -> None:
    if column not in names:
        raise ValueError(f"{place}: no {column!r}{nearest(column, names)}; there are {', '.join(names) or 'none'}")
