"""Rows in shuffled epochs, read in groups so that a file is passed over once for many batches."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int64
from torch import Tensor

from interp_lab.identity import ModelIdentity
from interp_lab.sae.activations.manifest import Manifest
from interp_lab.sae.activations.order import rows_at

Batch = dict[str, Float[Tensor, "batch _"]]
"""Activations by hook point, of the same tokens."""
_GROUP = 16 * 2**20
"""Bytes read together."""


@runtime_checkable
class Rows(Protocol):
    """Activations that can be read by row."""

    @property
    def manifest(self) -> Manifest:
        """What they are."""
        ...

    @property
    def n_rows(self) -> int:
        """How many there are."""
        ...

    def column(self, name: str, rows: Int64[np.ndarray, " row"]) -> Tensor:
        """Return those of any rows, in the dtype they are kept in, by hook point."""
        ...


@dataclass(frozen=True)
class ShuffledActivations:
    """Activations of one hook point in shuffled epochs; an `ActivationSource`."""

    rows: Rows
    hook: str

    @property
    def d_in(self) -> int:
        """Entries of an activation."""
        return self.rows.manifest.widths[self.hook]

    @property
    def model(self) -> ModelIdentity:
        """What they were read from."""
        return self.rows.manifest.identity

    @property
    def n_rows(self) -> int:
        """Activations of an epoch."""
        return self.rows.n_rows

    def batches(self, batch_size: int, *, seed: int, first: int = 0) -> Iterator[Float[Tensor, "batch d_in"]]:
        """Yield batches without end; see `ActivationSource.batches`. A batch may span the end of an epoch.

        Raises: ValueError, for a batch size that is not between 1 and the number of rows, or a negative `first`
            or `seed`.
        """
        require_batches(batch_size, self.rows.n_rows, first=first, seed=seed)
        return self._batches(batch_size, seed, first)

    def _batches(self, batch_size: int, seed: int, first: int) -> Iterator[Float[Tensor, "batch d_in"]]:
        together = max(1, _GROUP // (batch_size * self.d_in * 2))
        while True:
            rows = rows_at(first * batch_size, together * batch_size, n=self.rows.n_rows, seed=seed)
            kept = self.rows.column(self.hook, rows)
            yield from (batch.float() for batch in kept.split(batch_size))
            first += together

    def rows_of(self, batch: int, batch_size: int, *, seed: int) -> Int64[np.ndarray, " row"]:
        """Return the rows of a batch by its number, for `ActivationStore.labels`.

        Raises: as `batches`.
        """
        require_batches(batch_size, self.rows.n_rows, first=batch, seed=seed)
        return rows_at(batch * batch_size, batch_size, n=self.rows.n_rows, seed=seed)


def require_batches(batch_size: int, n_rows: int, *, first: int, seed: int) -> None:
    """Refuse batches that cannot be made.

    Raises: ValueError.
    """
    if not 1 <= batch_size <= n_rows:
        raise ValueError(
            f"batch_size={batch_size} must be from 1 to the {n_rows} rows there are; lower it, or read more"
        )
    if first < 0 or seed < 0:
        raise ValueError(f"first={first} and seed={seed} must be 0 or above")
