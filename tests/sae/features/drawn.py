"""Latents and labels made up for these tests: values are multiples of 1/64, so that sums are exact."""

from dataclasses import dataclass

import numpy as np
import torch

from interp_lab.sae.activations import Labels
from interp_lab.sae.features.config import DescribeConfig
from interp_lab.sae.features.describe import joined
from interp_lab.sae.features.events import events_of
from interp_lab.sae.features.gathered import Gathered, gathered_from, gathering

CONFIG = DescribeConfig(n_top=3, n_quantiles=3, per_quantile=2, before=3, after=2, seed=5)


@dataclass(frozen=True)
class Drawn:
    latents: np.ndarray
    tokens: np.ndarray
    documents: np.ndarray
    places: np.ndarray
    positions: np.ndarray

    @property
    def spans(self) -> np.ndarray:
        """Number of the window and the document of every row, as one."""
        window = np.cumsum(np.diff(self.positions, prepend=0) <= 0)
        return window * 1000 + self.documents

    def labels(self, rows: slice) -> Labels:
        columns = (self.tokens, self.documents, self.places, self.positions)
        return Labels(*(torch.from_numpy(column[rows].astype(np.int32)) for column in columns))

    def gathered(self, cuts: list[int], config: DescribeConfig = CONFIG) -> Gathered:
        """Everything in batches that end at these rows, which are ends of windows."""
        found = gathering(self.latents.shape[1], config)
        for rows in _between(cuts, len(self.tokens)):
            found.take(events_of(torch.from_numpy(self.latents[rows]), self.labels(rows)), seed=config.seed)
        return found

    def joined(self, cuts: list[int], config: DescribeConfig = CONFIG) -> Gathered:
        """The same, each batch gathered by itself, written down, read back, and joined."""
        n_latents = self.latents.shape[1]
        parts = []
        for rows in _between(cuts, len(self.tokens)):
            own = gathering(n_latents, config)
            own.take(events_of(torch.from_numpy(self.latents[rows]), self.labels(rows)), seed=config.seed)
            parts.append(gathered_from(own.arrays(), n_latents, config))
        return joined(parts)


def _between(cuts: list[int], n: int) -> list[slice]:
    return [slice(begin, end) for begin, end in zip([0, *cuts], [*cuts, n], strict=True)]


def drawn(n_windows: int = 12, length: int = 16, n_latents: int = 7, seed: int = 0) -> Drawn:
    """Windows of packed documents of 5 tokens on average; latent 0 is never active, latent 1 always."""
    rng = np.random.default_rng(seed)
    n = n_windows * length
    new = rng.random(n) < 0.2
    documents = np.cumsum(new) * 2
    starts = np.maximum.accumulate(np.where(np.diff(documents, prepend=-1) != 0, np.arange(n), 0))
    latents = (
        rng.integers(1, 400, (n, n_latents)) / 64 * (rng.random((n, n_latents)) < np.linspace(0.05, 0.6, n_latents))
    )
    latents[:, 0], latents[:, 1] = 0.0, rng.integers(1, 9, n) / 64
    positions = np.tile(np.arange(1, length + 1), n_windows)
    return Drawn(latents.astype(np.float32), rng.integers(0, 9, n), documents, np.arange(n) - starts, positions)
