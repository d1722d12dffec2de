"""Continuations under each setting and under random directions, with every measure of each."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from jaxtyping import Float

from interp_lab.effects import Compared
from interp_lab.stats import bootstrap_interval
from interp_lab.steering.reliability import rank_p
from interp_lab.types import UNMEASURED, Interval

ContinuationsT = TypeVar("ContinuationsT", bound="Continuations")

MEASURES = {
    "lexicon": "share of the range",
    "positive_words": "share of words",
    "negative_words": "share of words",
    "classifier": "score",
    "fluency": "nats per token",
    "distinct_2": "share of runs",
    "repeated_4": "share of runs",
    "length": "tokens",
    "touched": "share of tokens",
    "norm": "activation units",
    "first": "share of continuations",
}
"""Measure of a continuation: its unit.

`lexicon` is positive minus negative words as a share of both, from -1 to 1, 0 with neither; `fluency` the mean
log-probability under the unsteered model; `distinct_2` and `repeated_4` runs of tokens that are different, and that
stood there before; `touched` tokens whose activation was changed, `norm` by how much, and `first` whether anything was
changed before the first token was written."""


@dataclass(frozen=True)
class Continuations:
    """Continuations of the same openings, without steering, under each setting, and under its random directions."""

    trait: str
    names: tuple[str, ...]
    """Of the settings."""
    n_random: int
    """Random directions beside each setting."""
    openings: tuple[str, ...]
    templates: tuple[str, ...]
    """Of each opening: what intervals resample."""
    continuations: tuple[tuple[str, ...], ...]
    """By variant and opening: unsteered, each setting, then random directions of the first setting, the second..."""
    values: Mapping[str, Float[np.ndarray, "variant opening"]]
    """By measure (see `MEASURES`); NaN where a continuation is too short for it, no `classifier` where none was given.
    """
    level: float

    def __post_init__(self) -> None:
        n = 1 + len(self.names) * (1 + self.n_random)
        assert {array.shape for array in self.values.values()} == {(n, len(self.openings))}, "one number each"

    @property
    def target(self) -> str:
        """The measure that is to be moved: the user's classifier where there is one, else the words."""
        return "classifier" if "classifier" in self.values else "lexicon"

    def random(self, setting: int) -> range:
        """Return the variants that are random directions of a setting."""
        first = 1 + len(self.names) + setting * self.n_random
        return range(first, first + self.n_random)

    def own(self, measure: str) -> Float[np.ndarray, "variant opening"]:
        """Return a measure without steering, and under each setting."""
        return self.values[measure][: 1 + len(self.names)]

    def changes(self, measure: str) -> Float[np.ndarray, "variant opening"]:
        """Return a measure minus what it is without steering, opening by opening, for all variants but that."""
        return self.values[measure][1:] - self.values[measure][0]

    def interval(self, values: Float[np.ndarray, " opening"]) -> Interval:
        """Return the mean over openings that have a value, with its interval, clustered by template.

        The limits are NaN where all of these are of one template.
        """
        there = np.isfinite(values)
        if not there.any():
            return UNMEASURED
        clusters = np.array(self.templates)[there]
        if len(set(clusters)) < 2:
            return replace(UNMEASURED, estimate=float(values[there].mean()), level=self.level, n_clusters=1)
        return bootstrap_interval(values[there], clusters, level=self.level).at()

    def random_means(self, measure: str, setting: int) -> Float[np.ndarray, " draw"]:
        """Return the mean change under each random direction of a setting; NaN where no continuation has a value."""
        changes = self.changes(measure)[[nth - 1 for nth in self.random(setting)]]
        there = np.isfinite(changes)
        n = there.sum(-1)
        return np.where(n > 0, np.where(there, changes, 0.0).sum(-1) / np.maximum(n, 1), np.nan)

    def random_p(self, setting: int) -> float:
        """Return the p of the target's change under a setting by its rank among random directions; 1 without a value.

        Random directions under which no continuation has a value count as if they did as much.
        """
        changes = self.changes(self.target)[setting]
        there = changes[np.isfinite(changes)]
        drawn = np.nan_to_num(self.random_means(self.target, setting), nan=np.inf)
        return rank_p(float(there.mean()), drawn) if len(there) else 1.0

    def random_interval(self, measure: str, setting: int) -> Interval:
        """Return the mean change under random directions, with the quantiles between which those of single ones lie."""
        means = self.random_means(measure, setting)
        means = means[np.isfinite(means)]
        if not len(means):
            return UNMEASURED
        low, high = np.quantile(means, [(1 - self.level) / 2, (1 + self.level) / 2])
        return Interval(float(means.mean()), float(low), float(high), self.level)

    def compared(self, *, margin: float, measure: str | None = None) -> Compared:
        """Return the change of a measure under each setting beside its random directions, for evidence.

        Args:
            margin: smallest change of interest.
            measure: `None` is the target.
        """
        measure = self.target if measure is None else measure
        changes = self.changes(measure)
        n = len(self.names)
        return Compared(
            names=tuple(f"{name}: {measure.replace('_', ' ')} of continuations" for name in self.names),
            changes=changes[:n],
            controls=tuple(changes[[nth - 1 for nth in self.random(setting)]] for setting in range(n)),
            of=("random directions of the same length",) * n,
            unit=MEASURES[measure],
            margin=margin,
            clusters=self.templates,
        )

    def arrays(self, prefix: str) -> dict[str, np.ndarray]:
        """Return everything as arrays, under a prefix."""
        held = {
            "trait": np.array(self.trait),
            "names": np.array(self.names),
            "n_random": np.array(self.n_random),
            "openings": np.array(self.openings),
            "templates": np.array(self.templates),
            "continuations": np.array(self.continuations),
            "level": np.array(self.level),
        }
        measures = {f"value_{name}": array for name, array in self.values.items()}
        return {f"{prefix}_{name}": array for name, array in (held | measures).items()}

    @classmethod
    def from_arrays(cls: type[ContinuationsT], prefix: str, arrays: Mapping[str, np.ndarray]) -> ContinuationsT:
        """Rebuild from what `arrays` returned."""

        def of(name: str) -> np.ndarray:
            return arrays[f"{prefix}_{name}"]

        def listed(name: str) -> tuple[str, ...]:
            return tuple(map(str, of(name)))

        return cls(
            trait=str(of("trait")),
            names=listed("names"),
            n_random=int(of("n_random")),
            openings=listed("openings"),
            templates=listed("templates"),
            continuations=tuple(tuple(map(str, row)) for row in of("continuations")),
            values={name: of(f"value_{name}") for name in MEASURES if f"{prefix}_value_{name}" in arrays},
            level=float(of("level")),
        )
