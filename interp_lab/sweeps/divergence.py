"""How far the values of one parameter among chosen trials are distributed otherwise than among all: PED-ANOVA.

Both distributions are smoothed on the same cells, and the Pearson divergence between them is taken. Only counts per
cell matter, so that a thousand choices of trials cost about what one does.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.special import ndtr

N_STEPS = 50
"""Cells between the smallest and the largest value of numbers."""
_NARROWEST = 0.5 / 1.64
"""Standard deviation of the smoothing (cells) at which 90% of a value's weight stay in its cell."""
_FLOOR = 1e-12


@dataclass(frozen=True)
class Cells:
    """One parameter's trials, by the cell that each is in."""

    of_trial: Int[np.ndarray, " trial"]
    n: int
    ordered: bool
    """Whether neighbouring cells are alike, as of numbers, rather than choices."""

    @classmethod
    def of(cls, values: Float[np.ndarray, " trial"], n_choices: int | None) -> "Cells":
        """Sort values into cells: choices each have their own, numbers are rounded to the nearest of `N_STEPS`."""
        if n_choices is not None:
            return cls(values.astype(np.int64), n_choices, ordered=False)
        low, high = values.min(), values.max()
        if low == high:
            return cls(np.zeros(len(values), dtype=np.int64), 1, ordered=False)
        nearest = np.ceil((values - low) / ((high - low) / (N_STEPS - 1)) - 0.5)
        return cls(np.clip(nearest, 0, N_STEPS - 1).astype(np.int64), N_STEPS, ordered=True)

    def counts(self, chosen: Int[np.ndarray, " _"]) -> Int[np.ndarray, " cell"]:
        """Return how many of some trials are in each cell."""
        return np.bincount(self.of_trial[chosen], minlength=self.n)

    def divergence(self, chosen: Int[np.ndarray, "choice cell"]) -> Float[np.ndarray, " choice"]:
        """Return the Pearson divergence of each choice of trials from all of them: 0 is none, without upper bound.

        Args:
            chosen: how many trials of each choice are in each cell; at least one.

        Source: Watanabe, Bansal and Hutter 2023, arXiv 2304.10255, with the smoothing that Optuna 5 has: Scott's rule
            with quartiles for numbers, a prior that weighs as much as one trial.
        """
        smooth = _smooth_ordered if self.ordered else _smooth_choices
        everything = np.bincount(self.of_trial, minlength=self.n)[None]
        whole, top = smooth(everything) + _FLOOR, smooth(chosen) + _FLOOR
        return ((top / whole - 1) ** 2 * whole).sum(-1)


def _smooth_choices(counts: Int[np.ndarray, "choice cell"]) -> Float[np.ndarray, "choice cell"]:
    """Return shares of choices; each trial gives some of its weight to all, and the prior gives all alike."""
    n_cells = counts.shape[-1]
    own = 1 / (1 + (counts > 0).sum(-1, keepdims=True))
    total = counts.sum(-1, keepdims=True)
    spread = (counts + own * total) / (1 + own * n_cells)
    return (spread + 1 / n_cells) / (total + 1)


def _smooth_ordered(counts: Int[np.ndarray, "choice cell"]) -> Float[np.ndarray, "choice cell"]:
    """Return a mixture of normal distributions, one per trial and a wide one, in shares per cell."""
    cells, total = np.arange(counts.shape[-1]), counts.sum(-1, keepdims=True)
    choice, cell = np.nonzero(counts)
    kernels = _normal(cells, cell[:, None], _scott(counts)[choice, None])
    weighted = counts[choice, cell][:, None] * kernels
    prior = _normal(cells, np.array([[cells[-1] / 2]]), float(len(cells)))
    return (np.add.reduceat(weighted, np.flatnonzero(np.diff(choice, prepend=-1))) + prior) / (total + 1)


def _scott(counts: Int[np.ndarray, "choice cell"]) -> Float[np.ndarray, " choice"]:
    cells, total = np.arange(counts.shape[-1]), counts.sum(-1)
    below = counts.cumsum(-1)
    lower = (below >= np.maximum(total // 4, 1)[:, None]).argmax(-1)
    upper = (below > (total * 3 // 4)[:, None]).argmax(-1)
    mean = (counts @ cells) / total
    squares = (counts * (cells - mean[:, None]) ** 2).sum(-1)
    spread = np.minimum((upper - lower) / 1.34, np.sqrt(squares / np.maximum(1, total - 1)))
    return np.maximum(1.059 * spread * total**-0.2, _NARROWEST)


def _normal(cells: np.ndarray, middle: np.ndarray, width: np.ndarray | float) -> np.ndarray:
    """Return a normal distribution's share of every cell, cut off at the outer edges."""
    edges = np.append(cells, len(cells)) - 0.5
    under = ndtr((edges - middle) / width)
    return np.diff(under, axis=-1) / (under[..., -1:] - under[..., :1])


def share_of_best(gains: Float[np.ndarray, " trial"], share: float) -> Int[np.ndarray, " _"]:
    """Return the trials among the best share, ties included."""
    last = np.sort(gains)[::-1][math.ceil(share * len(gains)) - 1]
    return np.flatnonzero(gains >= last)
