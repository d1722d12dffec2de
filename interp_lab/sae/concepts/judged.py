"""Whether a feature stands for a concept, and better than anything else: differences on the same texts."""

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

import numpy as np
from jaxtyping import Float

from interp_lab.claims import Claim, Split
from interp_lab.experiment import Provenance
from interp_lab.sae.concepts.config import ConceptsConfig
from interp_lab.sae.concepts.measured import FULL, Measured, Scores
from interp_lab.sae.concepts.sides import Kind
from interp_lab.stats import (
    Intervals,
    PairedDifference,
    benjamini_hochberg,
    bootstrap_interval,
    difference_from_several,
    mean_interval,
    paired_difference,
)
from interp_lab.types import UNMEASURED, Interval


class Verdict(StrEnum):
    """What is said of a concept's best feature."""

    BETTER = "better than the best neuron"
    AS_GOOD = "no clear difference from the best neuron"
    WORSE = "worse than the best neuron"
    NOT_FOUND = "no feature found"


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
        """Return by how much the best feature exceeds the best unit of another side, on the same texts."""
        if split not in self.splits:
            return UNMEASURED
        return self._beyond[split].intervals.at(self.measured.sides.index(side) - 1)

    @property
    def beyond_rival(self) -> Interval:
        """By how much it exceeds the best neuron, on the report split."""
        return self.beyond(self.rival)

    @property
    def p(self) -> float:
        """Of that difference, not corrected."""
        return float(self._beyond[Split.REPORT].p[self.measured.sides.index(self.rival) - 1])

    def beyond_chance(self, name: str, split: Split = Split.REPORT) -> Interval:
        """Return by how much the best feature exceeds `random` dictionaries, or what is left of `shuffled` labels."""
        part, c = self.measured.scores.get(split), self.config
        if part is None:
            return UNMEASURED
        drawn = getattr(part, name)
        found = difference_from_several(part.best[:1], [drawn], _clusters(part, split), level=c.level, seed=c.seed)
        return found.intervals.at(0)

    def is_found(self, split: Split = Split.REPORT) -> bool:
        """Whether the best feature tells the concept apart: above 0.5, random dictionaries, and shuffled labels."""
        return (
            self.score(Kind.FEATURE, split).low > 0.5
            and self.beyond_chance("random", split).low > 0
            and self.beyond_chance("shuffled", split).low > 0
        )

    def verdict(self, p_adjusted: float) -> Verdict:
        """Return what is said of it, given the p of the comparison with the best neuron, corrected over concepts."""
        if not self.is_found():
            return Verdict.NOT_FOUND
        beside = self.beyond_rival
        if p_adjusted >= self.config.fdr or not beside.excludes(0.0):
            return Verdict.AS_GOOD
        return Verdict.BETTER if beside.estimate > 0 else Verdict.WORSE

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


@dataclass(frozen=True)
class ConceptsClaims:
    """Everything that was measured, and what is said of it."""

    config: ConceptsConfig
    provenance: Provenance
    sae: str
    """Where the autoencoder was loaded from."""
    hook: str
    width: int
    measured: tuple[Measured, ...]
    left_out: tuple[tuple[str, str], ...]
    """Concepts and labels that were not measured, each with the reason."""

    @cached_property
    def judged(self) -> tuple[Judged, ...]:
        """Every concept, compared."""
        return tuple(Judged(one, self.config) for one in self.measured)

    @cached_property
    def p_adjusted(self) -> Float[np.ndarray, " concept"]:
        """Of the best feature against the best neuron, corrected over all concepts (Benjamini-Hochberg)."""
        return benjamini_hochberg(np.array([one.p for one in self.judged]))

    @cached_property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Of every concept."""
        return tuple(one.verdict(float(p)) for one, p in zip(self.judged, self.p_adjusted, strict=True))

    def seen_again(self, nth: int) -> bool | None:
        """Whether what is said of a concept is so on held-out templates; `None` where that cannot be asked."""
        one, verdict = self.judged[nth], self.verdicts[nth]
        if Split.HELD_OUT not in one.splits or verdict is Verdict.NOT_FOUND:
            return None
        if verdict is Verdict.AS_GOOD:
            return one.is_found(Split.HELD_OUT)
        beside = one.beyond(one.rival, Split.HELD_OUT)
        side = beside.low > 0 if verdict is Verdict.BETTER else beside.high < 0
        return one.is_found(Split.HELD_OUT) and side

    def over_concepts(self, values: Float[np.ndarray, " concept"]) -> Interval:
        """Return the mean over concepts, labels being the units; without limits for fewer than two labels."""
        labels = [one.measured.label for one in self.judged]
        if len(set(labels)) < 2:
            return replace(UNMEASURED, estimate=float(values.mean()))
        return mean_interval(values, labels, level=self.config.level, seed=self.config.seed, method="t")

    def claims(self) -> list[Claim]:
        """Return one sentence per concept; nothing was intervened upon, so that none is more than descriptive."""
        return [self._claim(one, verdict) for one, verdict in zip(self.judged, self.verdicts, strict=True)]

    def _claim(self, one: Judged, verdict: Verdict) -> Claim:
        measured = one.measured
        told = str(verdict)
        if verdict is not Verdict.NOT_FOUND:
            goes = "goes with it" if measured.signs[0] > 0 else "goes with its absence"
            told = f"feature {measured.feature} {goes}; {told}"
        score, beside = one.score(Kind.FEATURE), one.beyond_rival
        return Claim(
            f"{measured.concept}: {told}",
            f"area under the ROC curve {score} on the report split; beyond the best {one.rival} {beside}; a probe of "
            f"all coordinates {one.probe(Kind.COORDINATE, FULL)}",
            alpha=self.config.fdr,
        )
