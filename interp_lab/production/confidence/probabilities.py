"""Probabilities of being right, fitted on the prompts that calibrate."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float
from scipy.special import expit

from interp_lab.claims import Split
from interp_lab.experiment import Provenance
from interp_lab.production.confidence.combining import Combined, combined
from interp_lab.production.confidence.config import ConfidenceConfig
from interp_lab.production.confidence.names import BASE_RATE, COMBINED, FITS, PROBABILITY, SHUFFLED
from interp_lab.production.confidence.signals import Part, Usual
from interp_lab.stats import probability_of
from interp_lab.stats.recalibration import ToProbability
from interp_lab.types import nearest

REPORT = str(Split.REPORT)


@dataclass(frozen=True)
class Probabilities:
    """What was measured, and every probability that follows from it."""

    config: ConfidenceConfig
    provenance: Provenance
    names: tuple[str, ...]
    """Of the signals."""
    usual: Usual
    calibrate: Part
    report: Part
    held_out: Part | None

    @property
    def parts(self) -> Mapping[str, Part]:
        """Those that are reported on, by name."""
        found = {REPORT: self.report}
        return found if self.held_out is None else found | {str(Split.HELD_OUT): self.held_out}

    @cached_property
    def fits(self) -> Mapping[str, ToProbability]:
        """Curves of single signals, fitted on the prompts that calibrate."""
        own, right = self.calibrate.signals, self.calibrate.right
        found = {f"{PROBABILITY}, {how}": probability_of(own[0], right, how=how) for how in FITS}
        return found | {name: probability_of(own[nth], right) for nth, name in enumerate(self.names) if nth}

    @cached_property
    def all_signals(self) -> Combined:
        """Every signal in one curve."""
        return combined(self.calibrate.signals, self.calibrate.right)

    @cached_property
    def shuffled(self) -> tuple[Combined, ...]:
        """The same, of outcomes that were dealt out among the answers."""
        rng = np.random.default_rng([self.config.seed, 94])
        own, right = self.calibrate.signals, self.calibrate.right
        return tuple(combined(own, rng.permutation(right)) for _ in range(self.config.n_shuffled))

    @property
    def confidences(self) -> tuple[str, ...]:
        """Every probability by name: the model's own first, controls last."""
        return (PROBABILITY, *self.fits, COMBINED, BASE_RATE, SHUFFLED)

    def given(self, name: str, signals: Float[np.ndarray, "signal example"]) -> Float[np.ndarray, "draw example"]:
        """Return the probability of answers to be right, of a control that is drawn several times all draws.

        Raises: ValueError, for a name that none has.
        """
        if name == PROBABILITY:
            return expit(signals[:1])
        if name in self.fits:
            return self.fits[name](signals[self.names.index(name.partition(",")[0])])[None]
        if name == COMBINED:
            return self.all_signals(signals)[None]
        if name == BASE_RATE:
            return np.full((1, signals.shape[1]), self.calibrate.right.mean())
        if name == SHUFFLED:
            return np.stack([one(signals) for one in self.shuffled])
        raise ValueError(f"no probability is called {name!r}{nearest(name, self.confidences)}; there are "
                         f"{', '.join(self.confidences)}")  # fmt: skip
