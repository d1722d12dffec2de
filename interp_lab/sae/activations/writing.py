"""Writing a store: one pass over the text, in shards that are whole or absent, gone on with after any death."""

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from interp_lab.experiment import Progress, silent
from interp_lab.runs import write_atomic
from interp_lab.runs.files import PARTIAL, remove_leftovers
from interp_lab.sae.activations.manifest import (
    MANIFEST,
    Manifest,
    Shard,
    StoreError,
    differences,
    read_manifest,
    write_manifest,
)
from interp_lab.sae.activations.reading import Piece
from interp_lab.sae.activations.shards import (
    ANY_SHARD,
    LABELS,
    Buffer,
    entry,
    faults,
    label_columns,
    map_shard,
    shard_path,
    spans,
)
from interp_lab.types import HookedModel

JOURNAL = "shards.jsonl"
"""Shards of a store that is being written, a line each; replaced by the manifest at the end."""


@dataclass
class Writer:
    """A store that is being written."""

    folder: Path
    manifest: Manifest
    whole: dict[int, Shard]
    """Shards that are on disk, by number."""
    old: frozenset[int]
    """Of these, the ones that were there when it was opened."""
    buffer: Buffer
    n_rows: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether there is nothing left to write."""
        if not (self.folder / MANIFEST).is_file():
            return False
        stored = read_manifest(self.folder)
        same = stored.config == self.manifest.config and stored.shards == tuple(self.whole.values())
        return stored.status == "complete" and same

    def take(self, piece: Piece, model: HookedModel) -> None:
        """Write the rows of a piece; the model is run only if some are not on disk.

        Raises: StoreError, if rows on disk are of another text.
        """
        own = list(spans(self.n_rows, len(piece.labels), size=self.manifest.rows_per_shard))
        labels = label_columns(piece.labels)
        missing = any(number not in self.old for number, _, _ in own)
        columns = {**labels, **piece.activations(model, self.manifest.config)} if missing else labels
        for number, place, part in own:
            if number in self.old:
                self._require_same_text(number, place, labels, part)
                continue
            self.buffer.add(piece, columns, part)
            if self.buffer.n_rows == self.manifest.rows_per_shard:
                self._flush(number)
        self.n_rows += len(piece.labels)

    def finish(self) -> None:
        """Write what is left; the store is complete when its manifest has been renamed.

        Raises: StoreError, if there are rows on disk behind the end of the text.
        """
        size = self.manifest.rows_per_shard
        if self.buffer.n_rows:
            self._flush(self.n_rows // size)
        shards = [self.whole[number] for number in sorted(self.whole)]
        if sum(shard.n_rows for shard in shards) != self.n_rows:
            raise self._other_text(shards[-1].number)
        write_manifest(self.folder, self.manifest.model_copy(update={"status": "complete", "shards": tuple(shards)}))
        (self.folder / JOURNAL).unlink(missing_ok=True)

    def _flush(self, number: int) -> None:
        try:
            if not self.whole:
                start_folder(self.folder, self.manifest)
            self.whole[number] = self.buffer.flush(self.folder, number)
            append(self.folder / JOURNAL, self.whole[number])
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise OSError(
                error.errno,
                f"no room on the disk for shard {number} (about {self.manifest.config.shard_bytes} bytes); the shards "
                "before it are whole: make room, and call write_store as before with resume=True",
                str(self.folder),
            ) from error

    def _require_same_text(self, number: int, place: int, labels: Mapping[str, Tensor], part: slice) -> None:
        stored = map_shard(shard_path(self.folder, number))
        end = place + part.stop - part.start
        if not all(torch.equal(stored[name][place:end], labels[name][part]) for name in LABELS):
            raise self._other_text(number)

    def _other_text(self, number: int) -> StoreError:
        return StoreError(
            f"shard {number} of {self.folder} is of another text than this: the text was changed after it was written; "
            "take another folder, or restore the text"
        )


def append(path: Path, shard: Shard) -> None:
    """Add a line to the journal, on the disk when this returns."""
    with path.open("ab") as file:
        file.write(_line(shard))
        file.flush()
        os.fsync(file.fileno())


def _line(shard: Shard) -> bytes:
    return (shard.model_dump_json() + "\n").encode("utf-8")


def start_folder(folder: Path, manifest: Manifest) -> None:
    """Say what a folder will hold, and that it is being written."""
    write_manifest(folder, manifest.model_copy(update={"status": "writing", "shards": ()}))


def open_writer(folder: Path, manifest: Manifest, *, resume: bool, progress: Progress = silent) -> Writer:
    """Start a store in an empty folder, or go on with the one in it.

    Shards that are damaged are made again.

    Raises: StoreError, if the folder holds something else, or a store and `resume` is not set; the differences are
        named.
    """
    if not (folder / MANIFEST).is_file():
        _require_empty(folder)
        remove_leftovers(folder)
        return Writer(folder, manifest, {}, frozenset(), Buffer.like(manifest))
    if not resume:
        raise StoreError(f"{folder} holds activations already; pass resume=True to go on with them, or take another")
    stored = read_manifest(folder)
    changed = differences(stored, manifest)
    if changed:
        raise StoreError(
            f"{folder} holds other activations ({'; '.join(changed)}); ask for the old ones, or take another folder"
        )
    known = _known_shards(folder, stored, manifest)
    wrong = faults(folder, known, progress=progress)
    whole = {shard.number: shard for shard, fault in zip(known, wrong, strict=True) if fault is None}
    writer = Writer(folder, manifest, whole, frozenset(whole), Buffer.like(manifest))
    if writer.is_complete:
        (folder / JOURNAL).unlink(missing_ok=True)
        remove_leftovers(folder)
    else:
        _clear(writer)
    return writer


def _clear(writer: Writer) -> None:
    """Leave the shards that are whole, a journal of them, and nothing else."""
    folder = writer.folder
    write_atomic(folder / JOURNAL, b"".join(_line(shard) for _, shard in sorted(writer.whole.items())))
    start_folder(folder, writer.manifest)
    remove_leftovers(folder)
    kept = {shard_path(folder, number) for number in writer.whole}
    for path in folder.glob(ANY_SHARD):
        if path not in kept:
            path.unlink()


def _known_shards(folder: Path, stored: Manifest, wanted: Manifest) -> list[Shard]:
    """Return the shards that were finished; the last, short one only if the store is to end where it did.

    Raises: StoreError, if fewer rows are asked for than there are.
    """
    journal = folder / JOURNAL
    lines = journal.read_bytes().split(b"\n") if journal.is_file() else []
    found = {shard.number: shard for shard in (*stored.shards, *filter(None, map(entry, lines)))}
    full = [found[number] for number in sorted(found) if found[number].n_rows == wanted.rows_per_shard]
    n_wanted = wanted.config.n_tokens
    if n_wanted == stored.config.n_tokens:
        return [found[number] for number in sorted(found)]
    if n_wanted is not None and full and (full[-1].number + 1) * wanted.rows_per_shard > n_wanted:
        raise StoreError(f"{folder} holds more than n_tokens={n_wanted} rows already; take another folder for fewer")
    return full


def _require_empty(folder: Path) -> None:
    held = sorted(path.name for path in folder.glob("*") if not path.match(PARTIAL))
    if held:
        raise StoreError(f"{folder} holds something else (it has {held[0]}); take a new or empty folder")
