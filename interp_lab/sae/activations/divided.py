"""Activations made shard by shard, by any number of processes: the same files as of one pass."""

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from interp_lab.runs.files import remove_leftovers
from interp_lab.runs.parts import Arrays, Parts
from interp_lab.sae.activations.lock import sole_writer
from interp_lab.sae.activations.manifest import MANIFEST, Manifest, Shard, StoreError, read_manifest, write_manifest
from interp_lab.sae.activations.reading import pieces
from interp_lab.sae.activations.shards import ANY_SHARD, LABELS, Buffer, label_columns, shard_path, spans
from interp_lab.sae.activations.store import ActivationStore, open_store
from interp_lab.sae.activations.writing import JOURNAL
from interp_lab.tasks import Document
from interp_lab.types import HookedModel


@dataclass(frozen=True)
class DividedStore:
    """The shards of a store as parts.

    Whoever makes a shard reads the text up to it, which is cheap, and runs the model on the windows that have rows in
    it alone; a window that lies across two shards is run for both. Windows are read in the same batches as in one pass,
    on which the last bits of an activation can depend.
    """

    model: HookedModel
    manifest: Manifest
    """What the store will say of itself, see `describe`."""
    documents: tuple[Document, ...] | None = None
    """Read these, in place of the text that the config names."""

    @cached_property
    def n_parts(self) -> int:
        """Shards; where the config says no number of tokens, the text is read once to count them."""
        wanted = self.manifest.config.n_tokens
        n_rows = sum(len(piece.labels) for piece in self._pieces()) if wanted is None else wanted
        return -(-n_rows // self.manifest.rows_per_shard)

    @property
    def inputs(self) -> str:
        """Checksum of the text, and of what is read of it."""
        return self.manifest.name

    def make(self, numbers: Sequence[int]) -> Iterator[tuple[int, Arrays]]:
        """Yield the columns of some shards; raises as `write_store`, but for what concerns the disk."""
        size, wanted, n_rows = self.manifest.rows_per_shard, set(numbers), 0
        buffer = Buffer.like(self.manifest)
        for piece in self._pieces():
            own = [span for span in spans(n_rows, len(piece.labels), size=size) if span[0] in wanted]
            columns = label_columns(piece.labels)
            columns |= piece.activations(self.model, self.manifest.config) if own else {}
            for number, _, part in own:
                buffer.add(piece, columns, part)
                if buffer.n_rows == size:
                    yield number, buffer.emptied()
            n_rows += len(piece.labels)
            if n_rows >= (max(wanted) + 1) * size:
                return
        if buffer.n_rows:
            yield n_rows // size, buffer.emptied()

    def joined(self, parts: Parts, folder: Path) -> ActivationStore:
        """Make the store of parts that are all there; the files are linked where the disk can do that, else copied.

        Killed at any moment, it is gone on with by the same call.

        Raises: RunError, if a part is missing or damaged; StoreError, if the folder holds something else.
        """
        with sole_writer(folder):
            there = read_manifest(folder) if (folder / MANIFEST).is_file() else None
            if there is not None and there.name != self.manifest.name:
                raise StoreError(f"{folder} holds other activations; take another folder")
            if there is None or there.status != "complete":
                if there is not None:
                    _begun_anew(folder, parts)
                remove_leftovers(folder)
                held = sorted(path.name for path in folder.iterdir() if not path.match(ANY_SHARD))
                if held:
                    raise StoreError(f"{folder} holds something else (it has {held[0]}); take a new or empty folder")
                shards = tuple(self._placed(parts, number, folder) for number in range(parts.n))
                write_manifest(folder, self.manifest.model_copy(update={"status": "complete", "shards": shards}))
        return open_store(folder, check=False)  # every part was checked as it was put there

    def _placed(self, parts: Parts, number: int, folder: Path) -> Shard:
        """Put one part into the folder."""
        n_rows = len(parts.read(number)[LABELS[0]])
        target = shard_path(folder, number)
        target.unlink(missing_ok=True)  # renaming one link of a file to another would leave both
        try:
            os.link(parts.path(number), target)
        except OSError:  # another disk, or one without links
            partial = target.with_name(f".{target.name}.partial")
            shutil.copyfile(parts.path(number), partial)
            partial.replace(target)
        return Shard(number=number, n_rows=n_rows, file=parts.fingerprint(number))

    def _pieces(self) -> Iterator:
        return pieces(self.model, self.manifest.config, documents=self.documents)


def _begun_anew(folder: Path, parts: Parts) -> None:
    """Remove what one process began to write and did not end, once all parts are known to be there.

    The manifest goes last: killed before, what is left is still known for what it is.
    """
    for number in range(parts.n):
        parts.fingerprint(number)
    for path in (*folder.glob(ANY_SHARD), folder / JOURNAL, folder / MANIFEST):
        path.unlink(missing_ok=True)
