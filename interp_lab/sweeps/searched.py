"""The trials of a sweep as arrays: what was tried, how it ended, and what it came to."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from interp_lab.sweeps.config import Searchable
from interp_lab.sweeps.trial import Trial

STATES = ("complete", "stopped early", "failed", "running")
"""Of trials, by the number that stands for them; `running` is whatever has not ended."""
COMPLETE, STOPPED, FAILED, RUNNING = range(len(STATES))


@dataclass(frozen=True)
class Searched:
    """Every trial, in the order of proposals."""

    numbers: Int[np.ndarray, " trial"]
    states: Int[np.ndarray, " trial"]
    """Places in `STATES`."""
    values: Float[np.ndarray, "trial parameter"]
    """What the sweep set: numbers, and places among choices; NaN where a trial was not given one."""
    metric: Float[np.ndarray, " trial"]
    """NaN where there is none; of a trial that was stopped early, the last that it logged."""
    others: Float[np.ndarray, "trial metric"]
    """Every final metric, NaN where a trial has none."""
    other_names: tuple[str, ...]
    seconds: Float[np.ndarray, " trial"]
    attempts: Int[np.ndarray, " trial"]
    reasons: tuple[str, ...]
    """Why a trial failed or was stopped; empty where all is well."""

    @classmethod
    def of(cls, trials: Sequence[Trial], parameters: Sequence[Searchable]) -> "Searched":
        """Return trials as arrays.

        Args:
            parameters: of the definition, which say what numbers stand for.
        """
        names = tuple(sorted({name for one in trials for name in one.metrics}))
        values = [[_coded(known, one) for known in parameters] for one in trials]
        others = [[float(one.metrics.get(name, np.nan)) for name in names] for one in trials]
        return cls(
            numbers=np.array([one.number for one in trials], dtype=np.int64),
            states=np.array([STATES.index(one.state) for one in trials], dtype=np.int64),
            values=np.array(values, dtype=np.float64).reshape(len(trials), len(parameters)),
            metric=np.array([np.nan if one.metric is None else one.metric for one in trials], dtype=np.float64),
            others=np.array(others, dtype=np.float64).reshape(len(trials), len(names)),
            other_names=names,
            seconds=np.array([one.seconds for one in trials], dtype=np.float64),
            attempts=np.array([one.attempts for one in trials], dtype=np.int64),
            reasons=tuple(one.reason for one in trials),
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what `from_arrays` takes."""
        return {
            "trials": self.numbers,
            "states": self.states,
            "values": self.values,
            "metric": self.metric,
            "others": self.others,
            "other_names": np.array(self.other_names, dtype=str),
            "seconds": self.seconds,
            "attempts": self.attempts,
            "reasons": np.array(self.reasons, dtype=str),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "Searched":
        """Rebuild from what `arrays` returned."""
        return cls(
            numbers=arrays["trials"],
            states=arrays["states"],
            values=arrays["values"],
            metric=arrays["metric"],
            others=arrays["others"],
            other_names=tuple(map(str, arrays["other_names"])),
            seconds=arrays["seconds"],
            attempts=arrays["attempts"],
            reasons=tuple(map(str, arrays["reasons"])),
        )

    @property
    def comparable(self) -> Bool[np.ndarray, " trial"]:
        """Which trials ran to their end and have a finite metric: only these are ranked."""
        return (self.states == COMPLETE) & np.isfinite(self.metric)

    @property
    def n_comparable(self) -> int:
        """How many trials the best was chosen among."""
        return int(self.comparable.sum())

    def count(self, state: int) -> int:
        """How many trials are in a state."""
        return int((self.states == state).sum())

    def ended(self, state: int) -> Int[np.ndarray, " _"]:
        """Return the rows that count as a state: a run that ended without a finite metric has failed."""
        odd = (self.states == COMPLETE) & ~self.comparable
        return np.flatnonzero((self.states == state) & ~odd | (odd if state == FAILED else False))

    def best(self, *, sign: float) -> int | None:
        """Return the row of the best comparable trial, of equals the first; `None` if there is none.

        Args:
            sign: what the metric is multiplied by so that higher is better.
        """
        if not self.n_comparable:
            return None
        return int(np.argmax(np.where(self.comparable, sign * np.nan_to_num(self.metric), -np.inf)))

    def measured(self, name: str) -> Float[np.ndarray, " trial"]:
        """Return a final metric, or the seconds that trials took unless a metric has that name.

        Raises: ValueError, for a name that no trial has.
        """
        if name in self.other_names:
            return self.others[:, self.other_names.index(name)]
        if name != "seconds":
            raise ValueError(f"no trial has a metric {name!r}; there are {', '.join(self.other_names) or 'none'}")
        return self.seconds

    def varied(self) -> Bool[np.ndarray, " parameter"]:
        """Which parameters were tried at more than one value."""
        held = [set(column[~np.isnan(column)].tolist()) for column in self.values.T]
        return np.array([len(values) > 1 for values in held], dtype=bool)


def _coded(known: Searchable, one: Trial) -> float:
    return known.coded(one.values[known.name]) if known.name in one.values else float("nan")
