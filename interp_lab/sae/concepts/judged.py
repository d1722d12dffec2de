"""Whether a feature stands for a concept, and better than anything else: differences on the same texts."""

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

import numpy as np
from jaxtyping import Float

from interp_lab.claims import Split
from interp_lab.sae.concepts.config import ConceptsConfig
from interp_lab.sae.concepts.measured import Measured, Scores
from interp_lab.sae.concepts.sides import Kind
from interp_lab.stats import (
    Intervals,
    PairedDifference,
    bootstrap_interval,
    difference_from_several,
    paired_difference,
)
from interp_lab.types import UNMEASURED, Interval

_CHANCE = ("random", "shuffled")


class Beside(StrEnum):
    """What is said of a concept's best feature beside the best unit of another side."""

    BETTER = "better"
    UNCLEAR = "no clear difference"
    WORSE = "worse"


@dataclass(frozen=True)
class Judged:
    """One concept, measured and compared. Units are texts on the report split, templates on the held-out ones."""

    measured: Measured
    config: ConceptsConfig

    @property
    def rival(self) -> str:
        """What a feature has to beat: the best neuron, or the best coordinate where there are no neurons."""
        return Kind.NEURON if Kind.NEURON in self.measured.sides else Kind.COORDINATE

    @property
    def splits(self) -> tuple[Split, ...]:
        """Splits on which there are scores."""
        return tuple(self.measured.scores)

    def score(self, side: str, split: Split = Split.REPORT) -> Interval:
        """Return the area under the ROC curve of the best unit of a side."""
        if split not in self.splits:
            return UNMEASURED
        return _as_area(self._best[split].at(self.measured.sides.index(side)))

    def probe(self, side: str, k: str, split: Split = Split.REPORT) -> Interval:
        """Return that of a probe that reads `k` units of a side."""
        if split not in self.splits:
            return UNMEASURED
        return _as_area(self._probes[split].at(self.measured.probed.index(side), self.measured.k.index(k)))

    def probe_beyond(self, k: str, side: str) -> Interval:
        """Return by how much a probe of `k` features exceeds one of as many units of another side (report split)."""
        return self._probes_beyond.at(self.measured.probed.index(side), self.measured.k.index(k))

    def beyond(self, side: str, split: Split = Split.REPORT) -> Interval:
        """Return by how much the best feature exceeds the best unit of another side, on the same texts.

        Raises: ValueError, for a side that is not there, or features themselves.
        """
        if split not in self.splits:
            return UNMEASURED
        if side not in self.measured.sides[1:]:
            raise ValueError(
                f"{str(side)!r} is no side to compare with; there are {', '.join(self.measured.sides[1:])}"
            )
        return self._beyond[split].intervals.at(self.measured.sides.index(side) - 1)

    @property
    def beyond_rival(self) -> Interval:
        """By how much it exceeds the best neuron, on the report split."""
        return self.beyond(self.rival)

    @property
    def others(self) -> tuple[str, ...]:
        """Sides of single units that a feature stands beside, in the order of `p_beyond`; `Kind.RANDOM` is the last."""
        return (*self.measured.sides[1:], str(Kind.RANDOM))

    def beyond_other(self, side: str, split: Split = Split.REPORT) -> Interval:
        """Return by how much the best feature exceeds another side, random dictionaries among them."""
        return self.beyond_chance("random", split) if side == Kind.RANDOM else self.beyond(side, split)

    @cached_property
    def p_beyond(self) -> Float[np.ndarray, " other"]:
        """Of the differences from other sides, not corrected."""
        return np.append(self._beyond[Split.REPORT].p, self._chance("random", Split.REPORT).p)

    def beyond_chance(self, name: str, split: Split = Split.REPORT) -> Interval:
        """Return by how much the best feature exceeds `random` dictionaries, or what is left of `shuffled` labels."""
        return self._chance(name, split).intervals.at(0) if split in self.splits else UNMEASURED

    def _chance(self, name: str, split: Split) -> PairedDifference:
        part, c = self.measured.scores[split], self.config
        drawn = getattr(part, name)
        return difference_from_several(part.best[:1], [drawn], _clusters(part, split), level=c.level, seed=c.seed)

    def is_found(self, split: Split = Split.REPORT) -> bool:
        """Whether the best feature tells the concept apart, taken alone: see `p_found`."""
        return (
            self.score(Kind.FEATURE, split).low > self.config.least_area
            and self.beyond_chance("random", split).low > 0
            and self.beyond_chance("shuffled", split).low > 0
        )

    @property
    def p_found(self) -> float:
        """Of what has to hold together, the largest p: an area above the least of interest, and more than chance makes.

        Chance is the best of random dictionaries, and features that shuffled labels chose. Not corrected.
        """
        own, c = self.measured.scores[Split.REPORT].best[:1], self.config
        above = paired_difference(own, np.full_like(own, c.least_area), level=c.level, seed=c.seed)
        return max(float(one.p.max()) for one in (above, *(self._chance(name, Split.REPORT) for name in _CHANCE)))

    @cached_property
    def _best(self) -> dict[Split, Intervals]:
        return {split: self._intervals(part.best, split) for split, part in self.measured.scores.items()}

    @cached_property
    def _beyond(self) -> dict[Split, PairedDifference]:
        return {split: self._compared(part, split) for split, part in self.measured.scores.items()}

    def _compared(self, part: Scores, split: Split) -> PairedDifference:
        others, c = part.best[1:], self.config
        own = np.broadcast_to(part.best[:1], others.shape)
        return paired_difference(own, others, _clusters(part, split), level=c.level, seed=c.seed)

    @cached_property
    def _probes(self) -> dict[Split, Intervals]:
        return {split: self._intervals(part.probes, split) for split, part in self.measured.scores.items()}

    @cached_property
    def _probes_beyond(self) -> Intervals:
        read = self.measured.scores[Split.REPORT].probes
        return self._intervals(read[:1] - read, Split.REPORT)

    def _intervals(self, values: Float[np.ndarray, "*site document"], split: Split) -> Intervals:
        c, clusters = self.config, _clusters(self.measured.scores[split], split)
        return bootstrap_interval(values, clusters, level=c.level, seed=c.seed)


def _as_area(interval: Interval) -> Interval:
    """Cut an interval off where areas end: that of shares by text may reach beyond."""
    return replace(interval, low=max(interval.low, 0.0), high=min(interval.high, 1.0))


def _clusters(part: Scores, split: Split) -> np.ndarray | None:
    """Return the units of intervals: texts (`None`), or templates that nothing was chosen on."""
    return part.templates if split is Split.HELD_OUT else None
