"""Which trials are beaten by no other in everything at once."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

SECONDS = "seconds"
"""How long a trial took: an objective that every sweep has."""
SPARSITY = "l0"
"""Last part of the name of a metric that counts active latents: what a reconstruction is weighed against."""
_ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class Objective:
    """What trials are weighed by, and which way is better."""

    name: str
    """A metric, or `seconds`."""
    goal: Literal["min", "max"] = "min"

    @classmethod
    def named(cls, text: str) -> "Objective":
        """Return what `name`, `name:min` or `name:max` names; without a goal less is better.

        Raises: ValueError, for an empty name or another goal.
        """
        name, colon, goal = text.rpartition(":")
        if not colon:
            name, goal = text, "min"
        if not name or goal not in ("min", "max"):
            raise ValueError(
                f"{text!r} names no objective; write 'name', 'name:min' or 'name:max', such as 'seconds:min'"
            )
        return cls(name, "max" if goal == "max" else "min")

    @property
    def sign(self) -> float:
        """What its values are multiplied by so that higher is better."""
        return 1.0 if self.goal == "max" else -1.0

    def __str__(self) -> str:
        """Name and direction."""
        return f"{self.name} ({'more' if self.goal == 'max' else 'less'} is better)"


def usual_objectives(names: tuple[str, ...], *, metric: str) -> tuple[Objective, ...]:
    """Return what a metric is weighed against unless told otherwise: sparsity, if there is one, and time.

    Args:
        names: of all metrics of the trials.
        metric: what they are ranked by, which is not weighed against itself.
    """
    sparse = [name for name in names if name.rpartition(".")[2] == SPARSITY and name != metric]
    beside = [name for name in sparse if name.rpartition(".")[0] == metric.rpartition(".")[0]]
    return tuple(Objective(name) for name in (*(beside or sparse)[:1], SECONDS))


def on_front(gains: Float[np.ndarray, "trial objective"]) -> Bool[np.ndarray, " trial"]:
    """Return which trials no other beats: as good in every objective, and better in one.

    Equal trials stand on the front together. A trial with a value missing is neither on it nor beats another.

    Args:
        gains: higher is better; NaN where it was not measured.
    """
    whole = np.isfinite(gains).all(1)
    kept = gains[whole]
    beaten = np.zeros(len(kept), dtype=bool)
    for start in range(0, len(kept), _ROWS_AT_ONCE):
        own = kept[start : start + _ROWS_AT_ONCE, None]
        beats = (kept >= own).all(-1) & (kept > own).any(-1)
        beaten[start : start + _ROWS_AT_ONCE] = np.any(beats, axis=1)
    front = np.zeros(len(gains), dtype=bool)
    front[np.flatnonzero(whole)[~beaten]] = True
    return front
