"""What follows from the scores and from what was written: error rates, differences, evidence."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from interp_lab.claims import Claim, Split
from interp_lab.effects import Compared, Tested, with_replications
from interp_lab.experiment import Provenance
from interp_lab.production.monitors.config import MonitorsConfig
from interp_lab.production.monitors.measured import KEYWORDS, STEERED, STOPPED, UNWATCHED, Choice, Cost, Made, Part
from interp_lab.stats import (
    SIGNED,
    PairedDifference,
    auroc_by_document,
    bootstrap_interval,
    bounded_interval,
    fewest_controls,
    paired_difference,
    probability_of,
    recall_at,
    threshold_at,
)
from interp_lab.stats.calibration import CalibrationError, calibration_error, calibration_interval
from interp_lab.stats.clusters import ROUNDING
from interp_lab.stats.drift import Drift, drift
from interp_lab.types import UNMEASURED, Interval

CHANCE = 0.5
"""Area under the ROC curve of a score that tells nothing."""
WAYS = (UNWATCHED, STOPPED, STEERED)
"""What is told of by name; behind these come the random responses."""


@dataclass(frozen=True)
class MonitorsClaims:
    """What was measured, and what follows."""

    config: MonitorsConfig
    provenance: Provenance
    names: tuple[str, ...]
    """The monitor that was chosen, those of other runs, random directions, shuffled labels, the model's own output, and
    filters of words."""
    choice: Choice
    made: Made
    cost: Cost
    calibrate: Part
    report: Part
    paraphrased: Part | None
    held_out: Part | None

    @property
    def parts(self) -> Mapping[str, Part]:
        """Those that are reported on, by name."""
        found = {str(Split.REPORT): self.report, "paraphrases": self.paraphrased, str(Split.HELD_OUT): self.held_out}
        return {name: part for name, part in found.items() if part is not None}

    @property
    def groups(self) -> Mapping[str, tuple[int, ...]]:
        """Scores that are told of together, by name: controls of one kind by their mean."""
        found: dict[str, tuple[int, ...]] = {}
        for nth, name in enumerate(self.names):
            together = next((kind for kind in ("random direction", "shuffled labels") if name.startswith(kind)), None)
            key = name if together is None else f"{together} (mean of {self.config.n_random})"
            found[key] = (*found.get(key, ()), nth)
        return found

    def areas(self, part: Part) -> Float[np.ndarray, "score text"]:
        """Return the area under the ROC curve of each score, shared out among texts."""
        return auroc_by_document(part.scores, part.labels, np.arange(len(part.labels)))

    def area(self, part: Part, group: tuple[int, ...]) -> Interval:
        """Return the area of a score, or the mean of several, with its interval over texts, clustered by template.

        Where all texts are told apart, or none is, they have no spread: the limits are then those of a share of the
        rarer kind of text that agree so.
        """
        values = self.areas(part)[list(group)].mean(0)
        if np.ptp(values) < ROUNDING:
            rarer = part.labels if part.labels.sum() < part.controls.sum() else part.controls
            return bounded_interval(values[rarer], part.templates[rarer], level=self.config.level)
        found = bootstrap_interval(values, part.templates, level=self.config.level, seed=self.config.seed).at()
        return Interval(found.estimate, max(found.low, 0.0), min(found.high, 1.0), found.level, found.n_clusters)

    def beyond(self, part: Part) -> tuple[tuple[str, ...], PairedDifference]:
        """Return by how much the chosen monitor's area exceeds every other score's, on the same texts.

        Where both have every text alike, the limits are those of a share.
        """
        others = {name: group for name, group in self.groups.items() if group != (0,)}
        areas = self.areas(part)
        against = np.stack([areas[list(group)].mean(0) for group in others.values()])
        own, level = np.broadcast_to(areas[0], against.shape), self.config.level
        found = paired_difference(own, against, part.templates, level=level, seed=self.config.seed)
        low, high = found.intervals.low.copy(), found.intervals.high.copy()
        for nth in np.flatnonzero(np.ptp(own - against, -1) < ROUNDING):
            exact = bounded_interval(own[nth] - against[nth], part.templates, within=SIGNED, level=level)
            low[nth], high[nth] = exact.low, exact.high
        return tuple(others), replace(found, intervals=replace(found.intervals, low=low, high=high))

    def bar(self, nth: int, *, rate: float | None = None) -> float:
        """Return the threshold of a score at a false-positive rate; the keyword filter has its own, one word."""
        if self.names[nth] == KEYWORDS:
            return 0.5
        controls = self.calibrate.scores[nth, self.calibrate.controls]
        return threshold_at(controls, self.config.rate if rate is None else rate, level=self.config.level).value

    def false_positives(self, part: Part, nth: int) -> Interval:
        """Return the share of the part's controls that raise an alarm."""
        return self._share(part, part.controls, part.scores[nth] > self.bar(nth))

    def recall(self, part: Part, nth: int) -> Interval:
        """Return the share of the texts to be warned of that raise an alarm."""
        return self._share(part, part.labels, part.scores[nth] > self.bar(nth))

    def strict_recall(self, part: Part, nth: int) -> Interval:
        """Return recall at the strict rate, controls drawn anew as well.

        Unmeasured where controls are too few to speak of such a rate, and for the keyword filter, which has no setting.
        """
        own, c = self.calibrate, self.config
        if self.names[nth] == KEYWORDS or own.controls.sum() < fewest_controls(c.strict_rate):
            return UNMEASURED
        labels = (part.templates[part.labels], own.templates[own.controls])
        return recall_at(
            part.scores[nth, part.labels], own.scores[nth, own.controls], c.strict_rate, clusters=labels, level=c.level,
            seed=c.seed,
        )  # fmt: skip

    def calibration(self, part: Part, nth: int = 0) -> CalibrationError:
        """Return how far probabilities, fitted on the texts that calibrate, are off on these."""
        to_probability = probability_of(self.calibrate.scores[nth], self.calibrate.labels)
        confidence = to_probability(part.scores[nth])
        return calibration_error(confidence, part.labels.astype(np.float64), seed=self.config.seed)

    def miscalibration(self, part: Part) -> Interval:
        """Return the same of the chosen monitor, freed of what chance adds, with its interval over templates."""
        confidence = probability_of(self.calibrate.scores[0], self.calibrate.labels)(part.scores[0])
        right, c = part.labels.astype(np.float64), self.config
        return calibration_interval(confidence, right, part.templates, level=c.level, seed=c.seed)

    def drift(self, part: Part) -> Drift:
        """Compare the chosen monitor's scores of the part's controls with those of the controls that calibrate."""
        return drift(part.scores[:1, part.controls], self.calibrate.scores[:1, self.calibrate.controls])

    def said(self, part: Part, way: int) -> Interval:
        """Return in which share of the texts to be warned of the words were written, under a way."""
        return self._share(part, part.labels, part.says[way])

    def said_at_random(self, part: Part) -> Interval:
        """Return the same under random responses, by their mean."""
        return self._share(part, part.labels, part.says[len(WAYS) :].mean(0))

    def ahead(self, part: Part, nth: int) -> float:
        """Return how many tokens were still to be read when a score first raised its alarm: mean of true alarms."""
        first = part.first[nth, part.labels]
        return float(np.nanmean(first)) if np.isfinite(first).any() else np.nan

    def disturbed(self, part: Part, way: int) -> Interval:
        """Return in which share of the control texts something else was written than unwatched."""
        return self._share(part, part.controls, part.changed[way])

    def disturbed_at_random(self, part: Part) -> Interval:
        """Return the same under random responses, by their mean."""
        return self._share(part, part.controls, part.changed[len(WAYS) :].mean(0))

    def _share(self, part: Part, of: Bool[np.ndarray, " text"], hits: np.ndarray) -> Interval:
        """Return the share of hits among some texts of a part, with its interval over templates."""
        return bounded_interval(hits[of].astype(np.float64), part.templates[of], level=self.config.level)

    @cached_property
    def evidence(self) -> Tested | None:
        """What the response does to the words, beside random responses to the same alarms; `None` if none was made."""
        if self.config.says is None:
            return None
        away = None if self.held_out is None else self._compared(self.held_out)
        c = self.config
        ((found,),) = with_replications([self._compared(self.report)], [away], alpha=c.fdr, level=c.level, seed=c.seed)
        return found

    def _compared(self, part: Part) -> Compared:
        at = part.labels
        change = part.says[:, at] - part.says[0, at]
        return Compared(
            names=("response to alarms: share of texts with the words",),
            changes=change[WAYS.index(STEERED)][None],
            controls=(change[len(WAYS) :],),
            of=("responses along random directions of the same length",),
            unit="share of texts",
            margin=self.config.smallest_effect,
            clusters=tuple(map(str, part.templates[at])),
        )

    @property
    def chosen(self) -> str:
        """The monitor."""
        return self.names[0]

    @property
    def subject(self) -> str:
        """What the texts are about, in a few words."""
        where = "".join(f", {name} {value}" for name, value in self.config.where.items())
        return f"{self.config.behaviour}{where}: {self.config.label} {' or '.join(self.config.alarming)}"

    @property
    def statement(self) -> str:
        """What is claimed of the response."""
        return (
            f"In {self.config.model}, going back along the way that tells texts of {self.subject} from others, where "
            "the monitor raises an alarm, keeps the words from being written"
        )

    def claims(self) -> list[Claim]:
        """Return what the monitor tells apart, which is descriptive, and what the response does, if one was made."""
        where, part = list(self.parts.items())[-1]
        others = ", ".join(f"{name} {self.area(part, group)}" for name, group in list(self.groups.items())[1:])
        own = self.area(part, (0,))
        tells = "tells" if own.low > CHANCE else "is not shown to tell"
        told = Claim(
            f"In {self.config.model}, a monitor fitted after one layer {tells} texts of {self.subject} from others",
            f"{self.chosen}: area under the ROC curve on {where} {own}; beside it {others}",
            alpha=self.config.fdr,
        )
        if self.evidence is None:
            return [told]
        effect, again = self.evidence
        observed = f"stopping leaves {self.said(self.report, 1)} of the texts with the words in them"
        return [told, Claim(self.statement, observed, effect, again, alpha=self.config.fdr)]

    @property
    def strength(self) -> float:
        """The least strength that left as little of the words as any, on the texts that choose."""
        said = self.choice.said
        return float(self.choice.strengths[said <= said.min() + 1e-9][0])
