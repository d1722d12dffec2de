"""What follows from signals and outcomes: probabilities, how good they are, and where they may be put into words."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import expit

from interp_lab.claims import Claim, Split
from interp_lab.experiment import Provenance
from interp_lab.production.confidence.combining import Combined, combined
from interp_lab.production.confidence.config import ConfidenceConfig
from interp_lab.production.confidence.names import BASE_RATE, COMBINED, FITS, PROBABILITY, SHUFFLED
from interp_lab.production.confidence.signals import Part, Usual
from interp_lab.stats import (
    Intervals,
    PairedDifference,
    auroc_by_document,
    bootstrap_interval,
    paired_difference,
    probability_of,
    share_interval,
)
from interp_lab.stats.calibration import CalibrationError, calibration_error, calibration_interval
from interp_lab.stats.drift import Drift, drift
from interp_lab.stats.recalibration import ToProbability
from interp_lab.stats.risk_coverage import aurc_by_example, excess_aurc_by_example
from interp_lab.types import UNMEASURED, Interval, nearest

REPORT = str(Split.REPORT)
MEASURES = ("brier", "aurc", "excess_aurc", "auroc")
"""Means over answers: squared error, risk over coverage, the same beyond the least, right answers told from wrong."""


@dataclass(frozen=True)
class ConfidenceClaims:
    """What was measured, and what follows."""

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

    def per_answer(self, measure: str, part: Part, confidence: Float[np.ndarray, "draw example"]) -> np.ndarray:
        """Return values whose mean is one of `MEASURES`, mean over draws; NaN for an area without both kinds."""
        right = part.right.astype(np.float64)
        if measure == "brier":
            return np.square(confidence - right).mean(0)
        if measure == "auroc":
            if part.right.all() or not part.right.any():
                return np.full(len(right), np.nan)
            return auroc_by_document(confidence, part.right, np.arange(len(right))).mean(0)
        by_example = aurc_by_example if measure == "aurc" else excess_aurc_by_example
        return np.stack([by_example(one, right) for one in confidence]).mean(0)

    @cached_property
    def _known(self) -> dict[tuple[str, int], Any]:
        """What was asked before, by what and of which part: tables, figures and texts ask the same again."""
        return {}

    def measured(self, measure: str, part: Part) -> tuple[Interval, ...]:
        """Return one of `MEASURES` of every probability, with its interval over answers, clustered by template."""
        key = (measure, id(part))
        if key not in self._known:
            self._known[key] = self._measured(measure, part)
        return self._known[key]

    def _measured(self, measure: str, part: Part) -> tuple[Interval, ...]:
        values = np.stack([self.per_answer(measure, part, self.given(name, part.signals)) for name in self.confidences])
        if np.isnan(values).any():
            return (UNMEASURED,) * len(values)
        found: Intervals = bootstrap_interval(values, part.clusters, level=self.config.level, seed=self.config.seed)
        return tuple(_cut(found.at(nth)) for nth in range(len(values)))

    def share_right(self, part: Part) -> Interval:
        """Return the share of answers that is right."""
        c = self.config
        return _cut(bootstrap_interval(part.right.astype(float), part.clusters, level=c.level, seed=c.seed).at())

    def calibration(self, name: str, part: Part) -> tuple[CalibrationError, Interval]:
        """Return the calibration error beside chance's, and what is left of it without chance, with its interval."""
        key = (f"calibration of {name}", id(part))
        if key not in self._known:
            self._known[key] = self._calibration(name, part)
        return self._known[key]

    def _calibration(self, name: str, part: Part) -> tuple[CalibrationError, Interval]:
        right, c = part.right.astype(np.float64), self.config
        draws = self.given(name, part.signals)
        errors = [calibration_error(one, right, n_bins=c.n_bins, seed=c.seed) for one in draws]
        inner = [
            calibration_interval(one, right, part.clusters, n_bins=c.n_bins, level=c.level, seed=c.seed)
            for one in draws
        ]
        low, mid, high = (float(np.mean([getattr(one, at) for one in inner])) for at in ("low", "estimate", "high"))
        error = CalibrationError(
            float(np.mean([one.ece for one in errors])), float(np.mean([one.of_calibrated for one in errors]))
        )
        return error, Interval(mid, low, high, c.level, inner[0].n_clusters)

    def beyond(self, measure: str, part: Part, *, against: str) -> tuple[tuple[str, ...], PairedDifference | None]:
        """Return by how much a measure of every other probability exceeds that of one, on the same answers.

        `None`, where the measure cannot be taken.
        """
        others = tuple(name for name in self.confidences if name != against)
        own = np.stack([self.per_answer(measure, part, self.given(name, part.signals)) for name in others])
        control = self.per_answer(measure, part, self.given(against, part.signals))[None]
        if np.isnan(own).any() or np.isnan(control).any():
            return others, None
        return others, self._difference(own, control, part)

    def without(self, part: Part) -> tuple[tuple[str, ...], PairedDifference]:
        """Return by how much the Brier score rises when each signal is left out of the combination, fitted again."""
        right = part.right.astype(np.float64)
        whole = np.square(self.all_signals(part.signals) - right)
        rest = []
        for nth in range(len(self.names)):
            kept = np.arange(len(self.names)) != nth
            fitted = combined(self.calibrate.signals[kept], self.calibrate.right)
            rest.append(np.square(fitted(part.signals[kept]) - right))
        return self.names, self._difference(np.stack(rest), whole[None], part)

    def _difference(self, treated: np.ndarray, control: np.ndarray, part: Part) -> PairedDifference:
        return paired_difference(treated, control, part.clusters, level=self.config.level, seed=self.config.seed)

    def shift(self, part: Part) -> Drift:
        """Compare strangeness, and the primary probability, with those of the prompts that calibrate."""
        live, own = (
            np.stack([one.strangeness, self.given(self.config.primary, one.signals)[0]])
            for one in (part, self.calibrate)
        )
        return drift(live, own)

    @cached_property
    def uncalibrated(self) -> str | None:
        """Why no level is said at all: probabilities were not shown to be near enough on the prompts that report."""
        _, inner = self.calibration(self.config.primary, self.report)
        if inner.high <= self.config.largest_error:
            return None
        return (
            f"the calibration error of {self.config.primary!r} on other prompts is {inner}, and so not shown to be at "
            f"most {self.config.largest_error:g}"
        )

    def refused(self, part: Part) -> str | None:
        """Return why no level is said in a part; `None` where levels are said."""
        if self.uncalibrated is not None:
            return self.uncalibrated
        found = self.shift(part)
        if part is not self.report and found.p_adjusted[0] < self.config.strange:
            return (
                f"activations are not like those of the prompts that calibrate (distance {found.distance[0]:.2f}, "
                f"p {found.p_adjusted[0]:.2g})"
            )
        return None

    def usual_share(self, strangeness: Float[np.ndarray, " example"]) -> Float[np.ndarray, " example"]:
        """Return the share of the prompts that calibrate which are as strange or more, this one among them: a p-value.

        Source: conformal p-values (any text on conformal prediction).
        """
        own = np.sort(self.calibrate.strangeness)
        return (1 + len(own) - np.searchsorted(own, strangeness, side="left")) / (1 + len(own))

    def strange(self, part: Part) -> Interval:
        """Return the share of a part's prompts that would each be refused a level by themselves."""
        return share_interval(self.usual_share(part.strangeness) < self.config.strange, level=self.config.level)

    def informative(self) -> tuple[str, ...]:
        """Return the signals that tell right answers from wrong ones on the prompts that report, clear of chance."""
        values = auroc_by_document(self.report.signals, self.report.right, np.arange(len(self.report.right)))
        found = bootstrap_interval(values, self.report.clusters, level=self.config.level, seed=self.config.seed)
        return tuple(name for name, low in zip(self.names, found.low, strict=True) if low > 0.5)

    def claims(self) -> list[Claim]:
        """Return one claim, which is descriptive: no answer was intervened on."""
        where, part = list(self.parts.items())[-1]
        c, nth = self.config, self.confidences.index(self.config.primary)
        error, inner = self.calibration(c.primary, part)
        area = self.measured("auroc", part)[nth]
        stated, _ = self.calibration(PROBABILITY, part)
        return [
            Claim(
                f"In {c.model}, the probability {c.primary!r} of an answer to {c.task} to be right is what it says",
                f"on {where}: calibration error {error.ece:.3f} (chance alone up to {error.of_calibrated:.3f}; without "
                f"it {inner}; of the model's own probability {stated.ece:.3f}); right answers told from wrong ones, "
                f"area under the ROC curve, {area}",
                alpha=c.fdr,
            )
        ]


def _cut(found: Interval) -> Interval:
    return replace(found, low=max(found.low, 0.0), high=min(found.high, 1.0))
