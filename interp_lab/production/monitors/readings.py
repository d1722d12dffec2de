"""Scores of tokens, row by row, at their absolute positions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.decoding import Window


@dataclass(frozen=True)
class Note:
    """What the monitors of one hook point said of a window."""

    members: tuple[int, ...]
    window: Window
    scores: Float[Tensor, "batch pos monitor"]
    running: Float[Tensor, "batch pos monitor"]


@dataclass(frozen=True)
class Readings:
    """Every monitor's score of every token that it read, and the aggregate up to there; NaN elsewhere."""

    monitors: tuple[str, ...]
    scores: Float[np.ndarray, "row pos monitor"]
    running: Float[np.ndarray, "row pos monitor"]

    def of(self, monitor: str) -> Float[np.ndarray, "row pos"]:
        """Return the scores of one monitor.

        Raises: ValueError, for a name that none has.
        """
        if monitor not in self.monitors:
            raise ValueError(f"there is no monitor {monitor!r}; there are {', '.join(self.monitors)}")
        return self.scores[..., self.monitors.index(monitor)]

    @property
    def finals(self) -> Float[np.ndarray, "row monitor"]:
        """Aggregate of the whole row; NaN where nothing was read."""
        found = np.full((self.running.shape[0], self.running.shape[2]), np.nan)
        for at in range(self.running.shape[1]):
            found = np.where(np.isnan(self.running[:, at]), found, self.running[:, at])
        return found


def readings_of(monitors: Sequence[str], notes: Sequence[Note], *, n_rows: int) -> Readings:
    """Put notes into their places."""
    width = 1 + max((int(note.window.positions.max()) for note in notes), default=-1)
    scores, running = (torch.full((n_rows, width, len(monitors)), torch.nan) for _ in range(2))
    for note in notes:
        window, members = note.window, torch.tensor(note.members)
        batch, column = window.real.nonzero(as_tuple=True)
        rows, positions = window.rows[batch], window.positions[batch, column]
        for into, values in ((scores, note.scores), (running, note.running)):
            into[rows[:, None], positions[:, None], members] = values.cpu()[batch, column]
    return Readings(tuple(monitors), scores.numpy(), running.numpy())
