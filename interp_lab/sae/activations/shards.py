"""Shards: files of rows that are whole or absent, mapped into memory when they are read."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from interp_lab.experiment import Progress, silent
from interp_lab.runs import write_atomic
from interp_lab.runs.files import fingerprint
from interp_lab.runs.tensors import encode_tensors
from interp_lab.sae.activations.config import DTYPES
from interp_lab.sae.activations.manifest import Manifest, Shard, StoreError
from interp_lab.sae.activations.reading import Labels, Piece

LABELS = ("token", "document", "place", "position")
"""Columns of a shard, in the order of `Labels`; besides, one per hook point."""
IDS, DIGESTS = "documents", "digests"
"""Number and digest of each document that a shard holds rows of."""
ANY_SHARD = "shard-*.safetensors"
_DTYPES = {"F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32, "I32": torch.int32, "I64": torch.int64}
WAY_OUT = "make that shard again by calling write_store as before with resume=True, or restore it from a copy"
_AT_ONCE = 4
"""Shards checked at the same time, each wholly in memory."""


def shard_path(folder: Path, number: int) -> Path:
    """Return where a shard is."""
    return folder / f"shard-{number:05d}.safetensors"


def label_columns(labels: Labels) -> dict[str, Tensor]:
    """Return labels as columns of a shard."""
    return dict(zip(LABELS, (labels.tokens, labels.documents, labels.places, labels.positions), strict=True))


def document_columns(digests: Mapping[int, int]) -> dict[str, Tensor]:
    """Return documents, by number, as columns of a shard."""
    numbers = sorted(digests)
    values = (numbers, [digests[number] for number in numbers])
    return {name: torch.tensor(one, dtype=torch.int64) for name, one in zip((IDS, DIGESTS), values, strict=True)}


def write_shard(folder: Path, number: int, columns: Mapping[str, Tensor]) -> Shard:
    """Write one shard, whole or not at all.

    Raises: OSError, of the disk's own; what was there before stays.
    """
    data = encode_tensors(columns)
    write_atomic(shard_path(folder, number), data)
    return Shard(number=number, n_rows=len(columns[LABELS[0]]), file=fingerprint(data))


@dataclass
class Buffer:
    """Rows of one shard that is not yet full, in memory of fixed size."""

    columns: dict[str, Tensor]
    digests: dict[int, int] = field(default_factory=dict)
    n_rows: int = 0

    @classmethod
    def like(cls, manifest: Manifest) -> "Buffer":
        """Return an empty buffer for the shards of a store."""
        n, dtype = manifest.rows_per_shard, DTYPES[manifest.config.dtype]
        labels = {name: torch.empty(n, dtype=torch.int32) for name in LABELS}
        return cls({**labels, **{hook: torch.empty(n, d, dtype=dtype) for hook, d in manifest.widths.items()}})

    def add(self, piece: Piece, columns: Mapping[str, Tensor], part: slice) -> None:
        """Append some rows of a piece, given all its columns."""
        n = part.stop - part.start
        for name, column in self.columns.items():
            column[self.n_rows : self.n_rows + n] = columns[name][part]
        here = piece.labels.documents[part].unique().tolist()
        self.digests |= {document: piece.digests[document] for document in here if document >= 0}
        self.n_rows += n

    def flush(self, folder: Path, number: int) -> Shard:
        """Write what there is as one shard, and be empty again."""
        return write_shard(folder, number, self.emptied())

    def emptied(self) -> dict[str, Tensor]:
        """Return the columns of what there is, good until the next rows come, and be empty again."""
        columns = {name: column[: self.n_rows] for name, column in self.columns.items()}
        columns |= document_columns(self.digests)
        self.n_rows, self.digests = 0, {}
        return columns


def spans(first: int, n: int, *, size: int) -> Iterator[tuple[int, int, slice]]:
    """Yield the shards that `n` rows from row `first` of a store go to: number, place in it, and which of the rows."""
    begin = 0
    while begin < n:
        number, place = divmod(first + begin, size)
        end = min(n, begin + size - place)
        yield number, place, slice(begin, end)
        begin = end


def map_shard(path: Path) -> dict[str, Tensor]:
    """Return the columns of a shard as views of the file, of which nothing is read until it is used.

    Raises: StoreError, if the file's header is damaged.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length))
        whole = torch.from_file(str(path), shared=False, size=path.stat().st_size, dtype=torch.uint8)
        return {name: _column(whole, about, 8 + length) for name, about in header.items()}
    except (ValueError, KeyError, RuntimeError, OverflowError, MemoryError) as error:
        raise StoreError(f"{path} is damaged ({error}); {WAY_OUT}") from error


def _column(whole: Tensor, about: Mapping[str, Any], data_start: int) -> Tensor:
    begin, end = (data_start + offset for offset in about["data_offsets"])
    shape, dtype = about["shape"], _DTYPES[about["dtype"]]
    if end > len(whole) or end - begin != math.prod(shape) * dtype.itemsize:
        raise ValueError("the header does not fit the file")
    return whole[begin:end].view(dtype).view(shape)


def fault(folder: Path, shard: Shard, *, checksum: bool = True) -> str | None:
    """Return what is wrong with a shard; `None` if nothing is."""
    path = shard_path(folder, shard.number)
    if not path.is_file():
        return f"{path} is missing"
    if path.stat().st_size != shard.file.n_bytes:
        return f"{path} has {path.stat().st_size} bytes, not the {shard.file.n_bytes} that were written"
    if checksum and fingerprint(path.read_bytes()) != shard.file:
        return f"{path} was changed after it was written: its checksum is wrong"
    return None


def faults(
    folder: Path, shards: Sequence[Shard], *, checksum: bool = True, progress: Progress = silent
) -> Iterator[str | None]:
    """Yield what is wrong with each shard, in order."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = pool.map(lambda shard: fault(folder, shard, checksum=checksum), shards)
        for nth, one in enumerate(found, start=1):
            progress(nth, len(shards), "checking shards")
            yield one


def entry(line: bytes) -> Shard | None:
    """Return what a line of the journal says; `None` for one that was torn."""
    try:
        return Shard.from_mapping(json.loads(line))
    except ValueError:
        return None
