"""What is said of all concepts together: corrected for their number."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from interp_lab.claims import Claim, Split
from interp_lab.experiment import Provenance
from interp_lab.sae.concepts.config import ConceptsConfig
from interp_lab.sae.concepts.judged import Beside, Judged
from interp_lab.sae.concepts.measured import FULL, Measured
from interp_lab.sae.concepts.sides import Kind
from interp_lab.stats import benjamini_hochberg, mean_interval
from interp_lab.types import UNMEASURED, Interval


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
    def found(self) -> Bool[np.ndarray, " concept"]:
        """Whether each concept has a feature; false discoveries are kept below their rate over all concepts."""
        p = benjamini_hochberg(np.array([one.p_found for one in self.judged]))
        return np.array([one.is_found() for one in self.judged]) & (p < self.config.fdr)

    @cached_property
    def p_adjusted(self) -> Float[np.ndarray, "concept other"]:
        """Of the best feature beside the best of every other side, corrected over concepts and sides together."""
        return benjamini_hochberg(np.stack([one.p_beyond for one in self.judged]))

    @property
    def rival(self) -> str:
        """The side that a feature has to beat first."""
        return self.judged[0].rival

    @property
    def one_unit_sides(self) -> tuple[str, ...]:
        """What else could be read one unit at a time: neurons, coordinates, principal components."""
        return self.judged[0].others[:-1]

    def beside(self, nth: int, side: str) -> Beside:
        """Return what is said of a feature beside the best of another side, whether or not it was found."""
        one = self.judged[nth]
        difference, p = one.beyond_other(side), self.p_adjusted[nth, one.others.index(side)]
        if p >= self.config.fdr or not difference.excludes(0.0):
            return Beside.UNCLEAR
        return Beside.BETTER if difference.estimate > 0 else Beside.WORSE

    def counted(self, side: str) -> dict[Beside, int]:
        """Return how many features are better, worse, or not clearly either, beside the best of a side."""
        told = [self.beside(nth, side) for nth in range(len(self.judged))]
        return {kind: told.count(kind) for kind in Beside}

    def beats_all(self, nth: int) -> bool:
        """Whether a concept has a feature that is clearly better than the best unit of every other side."""
        sides = self.judged[nth].others
        return bool(self.found[nth]) and all(self.beside(nth, side) is Beside.BETTER for side in sides)

    def seen_again(self, nth: int) -> bool | None:
        """Whether what is said of a concept is so on held-out templates; `None` where that cannot be asked."""
        one, told = self.judged[nth], self.beside(nth, self.rival)
        if Split.HELD_OUT not in one.splits or not self.found[nth]:
            return None
        difference = one.beyond(one.rival, Split.HELD_OUT)
        side = {Beside.BETTER: difference.low > 0, Beside.WORSE: difference.high < 0, Beside.UNCLEAR: True}
        return one.is_found(Split.HELD_OUT) and side[told]

    def over_concepts(self, values: Float[np.ndarray, " concept"]) -> Interval:
        """Return the mean over concepts, labels being the units; without limits for fewer than two labels."""
        labels = [one.measured.label for one in self.judged]
        if len(set(labels)) < 2:
            return replace(UNMEASURED, estimate=float(values.mean()))
        return mean_interval(values, labels, level=self.config.level, seed=self.config.seed, method="t")

    def claims(self) -> list[Claim]:
        """Return one sentence per concept; nothing was intervened upon, so that none is more than descriptive."""
        return [self._claim(nth, one) for nth, one in enumerate(self.judged)]

    def _claim(self, nth: int, one: Judged) -> Claim:
        measured, told = one.measured, "no feature found"
        if self.found[nth]:
            goes = "goes with it" if measured.signs[0] > 0 else "goes with its absence"
            told = f"feature {measured.feature} {goes}"
        sides = [f"{self.beside(nth, side)} beside the best {side} ({one.beyond_other(side)})" for side in one.others]
        return Claim(
            f"{measured.concept}: {told}",
            f"area under the ROC curve {one.score(Kind.FEATURE)} on the report split; {'; '.join(sides)}; a probe of "
            f"all coordinates {one.probe(Kind.COORDINATE, FULL)}",
            alpha=self.config.fdr,
        )
