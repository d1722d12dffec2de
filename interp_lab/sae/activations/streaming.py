"""Activations made by the model as they are asked for: nothing but tokens is kept, and any batch can be the first."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int32, Int64
from torch import Tensor

from interp_lab.experiment import Progress, silent
from interp_lab.identity import ModelIdentity
from interp_lab.sae.activations.config import ActivationsConfig
from interp_lab.sae.activations.manifest import Manifest, describe
from interp_lab.sae.activations.order import permuted
from interp_lab.sae.activations.reading import activations_at, pieces
from interp_lab.sae.activations.shuffled import Batch, require_batches
from interp_lab.tasks import Document
from interp_lab.types import HookedModel, nearest


@dataclass(frozen=True)
class StreamedActivations:
    """A model and the windows it will read; activations are made when they are asked for.

    In every epoch all windows are put in another order and read in blocks; the rows of a block are mixed. So a batch
    holds tokens from all over the text, and every token is served once per epoch.
    """

    reader: HookedModel
    manifest: Manifest
    tokens: Int32[Tensor, "window pos"]
    kept: Bool[Tensor, "window pos"]
    documents: Int64[np.ndarray, " document"]
    """Digests of the documents, sorted."""
    mixed: int
    """Windows of a block, which is held in memory."""

    @property
    def hooks(self) -> tuple[str, ...]:
        """Hook points that are read."""
        return self.manifest.config.hooks

    @property
    def n_rows(self) -> int:
        """Rows of an epoch."""
        return int(self.kept.sum())

    def digests(self) -> Int[np.ndarray, " document"]:
        """Return the digest of every document once, sorted; see `require_disjoint`."""
        return self.documents

    def source(self, hook: str) -> "StreamedSource":
        """Return the activations of one hook point to train on.

        Raises: ValueError, for a hook point that is not read.
        """
        if hook not in self.hooks:
            raise ValueError(
                f"{hook!r} is not read{nearest(hook, self.hooks)}; of {', '.join(self.hooks)} there are some"
            )
        return StreamedSource(self, hook)

    def batches(self, batch_size: int, *, seed: int, first: int = 0) -> Iterator[Batch]:
        """Yield batches of all hook points without end, from one pass of the model, row by row of the same tokens.

        Batch `n` depends on `batch_size`, `seed` and `n` alone, to the last bit; to begin at one, no more is read
        than the block it begins in.

        Raises: ValueError, for a batch size that is not between 1 and the number of rows, or a negative `first` or
            seed; NonFiniteActivationError, naming epoch, block, hook point and layer.
        """
        require_batches(batch_size, self.n_rows, first=first, seed=seed)
        return _rebatched(self._rows_from(first * batch_size, seed=seed), batch_size)

    def _rows_from(self, place: int, *, seed: int) -> Iterator[Batch]:
        """Yield rows, in pieces of any size, from a place in the endless sequence of epochs on."""
        epoch, skipped = divmod(place, self.n_rows)
        while True:
            order = permuted(np.arange(len(self.tokens)), len(self.tokens), key=(seed, epoch, 0))
            for nth, begin in enumerate(range(0, len(order), self.mixed)):
                block = torch.from_numpy(order[begin : begin + self.mixed])
                n_here = int(self.kept[block].sum())
                if skipped < n_here:
                    mixed = permuted(np.arange(n_here), n_here, key=(seed, epoch, 1, nth))
                    chosen = torch.from_numpy(mixed[skipped:])
                    rows = self._read(block, what=f"epoch {epoch}, block {nth}")
                    yield {name: activation[chosen].float() for name, activation in rows.items()}
                skipped = max(0, skipped - n_here)
            epoch += 1

    def _read(self, block: Int64[Tensor, " window"], *, what: str) -> dict[str, Float[Tensor, "row _"]]:
        config = self.manifest.config
        read = [
            activations_at(self.reader, self.tokens[part], self.kept[part], config=config, what=what)
            for part in block.split(config.windows_at_once)
        ]
        return {name: torch.cat([rows[name] for rows in read]) for name in config.hooks}


@dataclass(frozen=True)
class StreamedSource:
    """One hook point of a stream; an `ActivationSource`."""

    stream: StreamedActivations
    hook: str

    @property
    def d_in(self) -> int:
        """Entries of an activation."""
        return self.stream.manifest.widths[self.hook]

    @property
    def model(self) -> ModelIdentity:
        """What they are read from."""
        return self.stream.manifest.identity

    @property
    def n_rows(self) -> int:
        """Activations of an epoch."""
        return self.stream.n_rows

    def batches(self, batch_size: int, *, seed: int, first: int = 0) -> Iterator[Float[Tensor, "batch d_in"]]:
        """Yield batches without end; see `StreamedActivations.batches`."""
        return (batch[self.hook] for batch in self.stream.batches(batch_size, seed=seed, first=first))


def _rebatched(pieces_of: Iterable[Mapping[str, Tensor]], batch_size: int) -> Iterator[Batch]:
    """Yield the same rows in batches of one size."""
    waiting: list[Mapping[str, Tensor]] = []
    n_waiting = 0
    for rows in pieces_of:
        waiting.append(rows)
        n_waiting += len(next(iter(rows.values())))
        if n_waiting < batch_size:
            continue
        joined = {name: torch.cat([one[name] for one in waiting]) for name in rows}
        n_full = n_waiting // batch_size
        for nth in range(n_full):
            yield {name: column[nth * batch_size : (nth + 1) * batch_size] for name, column in joined.items()}
        waiting = [{name: column[n_full * batch_size :] for name, column in joined.items()}]
        n_waiting -= n_full * batch_size


def stream_activations(
    model: HookedModel,
    config: ActivationsConfig,
    *,
    documents: Sequence[Document] | None = None,
    mixed: int = 256,
    progress: Progress = silent,
) -> StreamedActivations:
    """Read the text into windows, to make activations of later.

    Memory: five bytes per token of the text, and the activations of one block.

    Args:
        mixed: windows whose tokens are mixed; more mix better and take more memory.

    Raises: as `write_store`, but for what concerns the disk; ValueError, for `mixed` below 1.
    """
    if mixed < 1:
        raise ValueError(f"mixed={mixed} must be at least 1 window")
    manifest = describe(model, config, documents=documents)
    tokens, kept, digests, n_rows = [], [], set(), 0
    for piece in pieces(model, config, documents=documents):
        tokens.append(piece.tokens)
        kept.append(piece.kept)
        digests.update(piece.digests.values())
        n_rows += len(piece.labels)
        progress(n_rows, config.n_tokens or n_rows, "reading text")
    some = torch.cat(kept).any(1)
    known = np.array(sorted(digests), dtype=np.int64)
    return StreamedActivations(model, manifest, torch.cat(tokens)[some], torch.cat(kept)[some], known, mixed)
