"""What a document says of every feature: its mean, its largest value, how often it is active, its last value."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from torch import Tensor

from interp_lab.experiment import Progress, silent
from interp_lab.hooks import capture
from interp_lab.sae.activations.reading import special_tokens
from interp_lab.sae.features.dictionary import Dictionary
from interp_lab.tasks import tokenize
from interp_lab.types import HookedModel

Pooling = Literal["mean", "max", "density", "last"]
BATCH_BYTES = 64 * 2**20
"""Latents of one batch, active or not."""


@dataclass(frozen=True)
class DocumentReadings:
    """Of every document, and every way of reading one."""

    latents: dict[str, Float32[np.ndarray, "document latent"]]
    activations: dict[str, Float32[np.ndarray, "document d_in"]]
    """The activations themselves, read in the same way (`density`: the share of positive entries)."""
    words: Int[np.ndarray, "document d_vocab"] | None
    """How often each token stands in each document; `None` unless it was asked for."""
    r2: float
    """Share of the variance of the activations that the dictionary reconstructs here."""


def read_per_document(
    model: HookedModel,
    dictionary: Dictionary,
    texts: Sequence[str],
    *,
    poolings: Sequence[Pooling],
    words: bool = False,
    batch_bytes: int = BATCH_BYTES,
    progress: Progress = silent,
) -> DocumentReadings:
    """Read documents, each by itself; special tokens are left out, which no feature should have to explain.

    The model runs once and the codec encodes once for every batch of documents; which document stands beside which
    does not matter.

    Raises: ValueError, for no texts, a document without tokens or longer than the context, or as `tokenize`.
    """
    if not len(texts):
        raise ValueError("no documents to read; give at least one")
    n_at_once = max(1, batch_bytes // (4 * dictionary.n_latents * int(model.cfg.n_ctx)))
    latents: dict[str, list[np.ndarray]] = {pooling: [] for pooling in poolings}
    activations: dict[str, list[np.ndarray]] = {pooling: [] for pooling in poolings}
    counted, fit, special = [], _Fit(), special_tokens(model)
    for begin in range(0, len(texts), n_at_once):
        batch = tokenize(model, list(texts[begin : begin + n_at_once]))
        mask = batch.mask & ~torch.isin(batch.tokens, special.to(batch.tokens.device))
        with torch.inference_mode():
            found = capture(model, batch.tokens, [dictionary.hook])[dictionary.hook].flatten(2).float()
            inside = found[mask]
            encoded = dictionary.encode(inside, what=f"documents from {begin} on")
            fit.take(inside, dictionary.codec.decode(encoded))
            for pooling in poolings:
                latents[pooling].append(pooled(encoded, mask, pooling).cpu().numpy())
                activations[pooling].append(pooled(inside, mask, pooling).cpu().numpy())
        if words:
            counted.append(_counted(batch.tokens, mask, d_vocab=int(model.cfg.d_vocab)))
        progress(min(begin + n_at_once, len(texts)), len(texts), "reading documents")
    joined = [{name: np.concatenate(parts) for name, parts in one.items()} for one in (latents, activations)]
    return DocumentReadings(joined[0], joined[1], np.concatenate(counted) if words else None, fit.r2)


def pooled(
    rows: Float[Tensor, "row entry"], mask: Bool[Tensor, "document pos"], pooling: Pooling
) -> Float[Tensor, "document entry"]:
    """Return one number for each document and entry, from rows that belong to the places where `mask` is true.

    Raises: ValueError, for a document without a token.
    """
    n_tokens = mask.sum(1)
    if not bool((n_tokens > 0).all()):
        raise ValueError("a document has no tokens; leave out empty ones")
    document = mask.nonzero()[:, 0]
    if pooling == "last":
        return rows[n_tokens.cumsum(0) - 1]
    start = rows.new_zeros(len(mask), rows.shape[1])
    if pooling == "max":
        index = document[:, None].expand_as(rows)
        return start.scatter_reduce(0, index, rows, "amax", include_self=False)
    summed = start.index_add(0, document, (rows > 0).to(rows) if pooling == "density" else rows)
    return summed / n_tokens[:, None]


def _counted(tokens: Tensor, mask: Tensor, *, d_vocab: int) -> Int[np.ndarray, "document d_vocab"]:
    found = torch.zeros(len(tokens), d_vocab, dtype=torch.int32, device=tokens.device)
    return found.scatter_add(1, tokens, mask.to(torch.int32)).cpu().numpy()


class _Fit:
    """Adds up what a reconstruction leaves, beside the variance."""

    def __init__(self) -> None:
        self.n, self.left = 0, 0.0
        self.total: Tensor | float = 0.0
        self.squares = 0.0

    def take(self, rows: Tensor, reconstructed: Tensor) -> None:
        wide = rows.double()
        self.n += len(rows)
        self.left += float((wide - reconstructed.double()).square().sum())
        self.total = self.total + wide.sum(0)
        self.squares += float(wide.square().sum())

    @property
    def r2(self) -> float:
        """Of all rows: 1 less the error over the variance around the mean."""
        mean = torch.as_tensor(self.total / max(self.n, 1))
        variance = self.squares - self.n * float(mean.square().sum())
        return 1.0 - self.left / variance if variance > 0 else float("nan")
