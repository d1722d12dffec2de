"""Where latents are active among the rows of one batch: what every statistic is made of."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int, Int64, UInt64
from torch import Tensor

from interp_lab.sae.activations.reading import Labels


@dataclass(frozen=True)
class Events:
    """Active latents of a batch, in the order of the text; and the batch itself, for contexts."""

    row: Int64[np.ndarray, " event"]
    latent: Int64[np.ndarray, " event"]
    value: Float32[np.ndarray, " event"]
    """Above zero."""
    latents: Float32[np.ndarray, "row latent"]
    """All of them."""
    tokens: Int64[np.ndarray, " row"]
    documents: Int64[np.ndarray, " row"]
    places: Int64[np.ndarray, " row"]
    """In the document."""
    positions: Int64[np.ndarray, " row"]
    """In the window."""
    span: Int64[np.ndarray, " row"]
    """Number of the stretch of one document in one window: what a context may reach over."""

    @property
    def n_latents(self) -> int:
        """Width of the dictionary."""
        return self.latents.shape[1]

    @property
    def document(self) -> Int64[np.ndarray, " event"]:
        """Document of each event."""
        return self.documents[self.row]


def events_of(latents: Float[Tensor, "row latent"], labels: Labels) -> Events:
    """Return where latents are above zero."""
    dense = latents.detach().float().cpu()
    row, latent = dense.nonzero(as_tuple=True)
    tokens, documents, places, positions = (
        column.numpy().astype(np.int64) for column in (labels.tokens, labels.documents, labels.places, labels.positions)
    )
    new = np.ones(len(tokens), dtype=bool)
    new[1:] = (np.diff(positions) <= 0) | (np.diff(documents) != 0)
    value = dense[row, latent].numpy()
    return Events(row.numpy(), latent.numpy(), value, dense.numpy(), tokens, documents, places, positions, new.cumsum())


def mixed(*columns: Int[np.ndarray, "..."] | int) -> UInt64[np.ndarray, "..."]:
    """Return 64 bits that look random and depend on these numbers alone.

    What is drawn by them depends neither on batches nor on what else is drawn.

    Source: the finaliser of SplitMix64 (Steele and others 2014), applied to one column after the other.
    """
    state = np.zeros((), dtype=np.uint64)
    with np.errstate(over="ignore"):
        for column in columns:
            state = np.asarray(state + np.asarray(column).astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15))
            state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            state = state ^ (state >> np.uint64(31))
    return np.atleast_1d(state)
