"""What follows from signals and outcomes: probabilities, how good they are, and where they may be put into words."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float

from interp_lab.claims import Claim
from interp_lab.production.confidence.combining import combined
from interp_lab.production.confidence.names import PROBABILITY
from interp_lab.production.confidence.probabilities import REPORT, Probabilities
from interp_lab.production.confidence.signals import Part
from interp_lab.stats import (
    Intervals,
    PairedDifference,
    auroc_by_document,
    bootstrap_interval,
    bounded_interval,
    paired_difference,
    share_interval,
)
from interp_lab.stats.calibration import CalibrationError, calibration_error, calibration_interval
from interp_lab.stats.drift import Drift, drift
from interp_lab.stats.risk_coverage import aurc_by_example, excess_aurc_by_example
from interp_lab.types import UNMEASURED, Interval

_WHERE = {REPORT: "other prompts of its templates"}
MEASURES = ("brier", "aurc", "excess_aurc", "auroc")
"""Means over answers: squared error, risk over coverage, the same beyond the least, right answers told from wrong."""


@dataclass(frozen=True)
class ConfidenceClaims(Probabilities):
    """What was measured, and what follows."""

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
        return bounded_interval(part.right.astype(float), part.clusters, level=self.config.level)

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

    def is_what_it_says(self, part: Part) -> bool:
        """Whether chance alone explains the calibration error of the primary probability."""
        error, _ = self.calibration(self.config.primary, part)
        return error.ece <= error.of_calibrated

    def claims(self) -> list[Claim]:
        """Return one claim, which is descriptive: no answer was intervened on."""
        c, nth = self.config, self.confidences.index(self.config.primary)
        said, observed = [], []
        for where, part in self.parts.items():
            error, inner = self.calibration(c.primary, part)
            own, _ = self.calibration(PROBABILITY, part)
            said.append(
                f"{'is' if self.is_what_it_says(part) else 'is not'} what it says on {_WHERE.get(where, where)}"
            )
            observed.append(
                f"{where}: calibration error {error.ece:.3f} (chance alone up to {error.of_calibrated:.3f}; without it "
                f"{inner}; of the model's own probability {own.ece:.3f}); right answers told from wrong ones, area "
                f"under the ROC curve, {self.measured('auroc', part)[nth]}"
            )
        statement = (
            f"In {c.model}, the probability {c.primary!r} of an answer to {c.task} to be right {' and '.join(said)}"
        )
        return [Claim(statement, ". ".join(observed), alpha=c.fdr)]


def _cut(found: Interval) -> Interval:
    return replace(found, low=max(found.low, 0.0), high=min(found.high, 1.0))
