"""How likely the answer to one prompt is to be right, by probabilities fitted before, in numbers and words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from interp_lab.folds import require_made_in
from interp_lab.models import identity_of
from interp_lab.production.confidence.asked import Question, question
from interp_lab.production.confidence.claimed import ConfidenceClaims
from interp_lab.production.confidence.levels import level_of, told
from interp_lab.production.confidence.names import GROUNDING, UNITS
from interp_lab.production.confidence.signals import Reader
from interp_lab.stats import share_interval
from interp_lab.tasks.encoding import tokenizer_of
from interp_lab.types import UNMEASURED, HookedModel, Interval


@dataclass(frozen=True)
class Reason:
    """A signal that is among the lowest or the highest of the answers that calibrate."""

    signal: str
    value: float
    unit: str
    percentile: float
    """Share of the answers that calibrate whose signal is lower; of equal ones half (0 to 1)."""

    def __str__(self) -> str:
        """`margin 0.12 (logits), lower than 97% of the answers that calibrate`."""
        low = self.percentile < 0.5
        share = 1 - self.percentile if low else self.percentile
        side = "lower" if low else "higher"
        return f"{self.signal} {self.value:.2f} ({self.unit}), {side} than {share:.0%} of the answers that calibrate"


@dataclass(frozen=True)
class Assessment:
    """An answer, and how far to go by it."""

    prompt: str
    answer: str
    stated: float
    """The model's own probability of the answer."""
    probability: float
    """Of being right, as calibrated."""
    level: str | None
    """In words; `None` where that is refused."""
    refused: str | None
    """Why there are no words."""
    seen: Interval
    """Share right of the answers of the same level among prompts that nothing was fitted on."""
    reasons: tuple[Reason, ...]
    """What speaks for the probability that is given, the most telling first; only signals that tell right answers from
    wrong ones on prompts that nothing was fitted on."""
    usual: float
    """Share of the prompts that calibrate that are as strange or more."""

    def __str__(self) -> str:
        """A few lines."""
        said = f"no level: {self.refused}" if self.level is None else self.level
        known = "" if np.isnan(self.seen.estimate) else f"; of such answers {self.seen} were right"
        lines = [
            f"{self.answer.strip()!r}: {said}",
            f"  probability {self.probability:.2f}, own {self.stated:.2f}{known}",
        ]
        return "\n".join([*lines, *(f"  {one}" for one in self.reasons)])


def assess(model: HookedModel, prompt: str, *, by: ConfidenceClaims, sources: Sequence[str] = ()) -> Assessment:
    """Answer one prompt, and say how likely the answer is to be right; see `assess_all`.

    Args:
        sources: texts that stand in the prompt, word for word.
    """
    return assess_all(model, [question(prompt, sources=sources)], by=by)[0]


def assess_all(model: HookedModel, asked: Sequence[Question], *, by: ConfidenceClaims) -> list[Assessment]:
    """Answer prompts, and say how likely each answer is to be right.

    Words are refused where probabilities were not shown to be calibrated, and for a prompt whose activations are
    stranger than those of nearly all prompts that calibrate.

    Args:
        by: what the experiment found, or `saved.load_calibration` read.

    Raises: ValueError, for another model than the one that was calibrated, a prompt without sources where grounding is
        among the signals, or as `signals.Reader`; FoldError, for a calibration that may not be used in this fold.
    """
    identity_of(model).require_same(by.provenance.model, what="the calibration")
    require_made_in(by.provenance.fold, what="the calibration")
    grounded = GROUNDING in by.names
    without = next((one.prompt for one in asked if grounded and not one.spans), None)
    if without is not None:
        raise ValueError(f"the calibration goes by sources too, and {without!r} is given without; name its sources")
    reader = Reader(model, by.config)
    answered = reader.answered(asked, hooks=(by.usual.hook,))
    x = answered.last[:, 0]
    found = reader.signals(asked, answered, x, by.usual, grounded=grounded)
    signals = np.stack([found[name] for name in by.names])
    probability = by.given(by.config.primary, signals)[0]
    usual, texts = (
        by.usual_share(by.usual.strangeness(x)),
        [tokenizer_of(model).decode(list(one)) for one in answered.answers],
    )
    telling, seen = by.informative(), seen_by_level(by)
    made = []
    for nth, one in enumerate(asked):
        level = level_of(float(probability[nth]), by.config.levels)
        refused = _refused(by, float(usual[nth]))
        made.append(
            Assessment(
                prompt=one.prompt, answer=texts[nth], stated=float(expit(signals[0, nth])),
                probability=float(probability[nth]), level=None if refused else told(level, by.config.levels),
                refused=refused, seen=UNMEASURED if refused else seen.get(level, UNMEASURED),
                reasons=_reasons(by, signals[:, nth], float(probability[nth]), telling), usual=float(usual[nth]),
            )
        )  # fmt: skip
    return made


def seen_by_level(by: ConfidenceClaims) -> dict[str, Interval]:
    """Return by level the share right among the prompts that report; levels that none had are left out."""
    said = np.array(
        [level_of(float(one), by.config.levels) for one in by.given(by.config.primary, by.report.signals)[0]]
    )
    own = {name: by.report.right[said == name] for name in by.config.levels}
    return {name: share_interval(right, level=by.config.level) for name, right in own.items() if len(right)}


def _refused(by: ConfidenceClaims, usual: float) -> str | None:
    if by.uncalibrated is not None:
        return by.uncalibrated
    if usual < by.config.strange:
        return (
            f"activations are stranger than those of all but {usual:.1%} of the prompts that calibrate; probabilities "
            "may not hold here"
        )
    return None


def _reasons(
    by: ConfidenceClaims, signals: np.ndarray, probability: float, telling: Sequence[str]
) -> tuple[Reason, ...]:
    """Return signals at the end to which the probability lies: low ones for a low probability, high ones for a high."""
    own, high = by.calibrate.signals, probability >= by.calibrate.right.mean()
    found = []
    for nth, name in enumerate(by.names):
        below, same = (own[nth] < signals[nth]).mean(), (own[nth] == signals[nth]).mean()
        percentile = float(below + same / 2)
        far = 1 - percentile if high else percentile
        if name in telling and far <= by.config.telling:
            found.append((far, Reason(name, float(signals[nth]), UNITS[name], percentile)))
    return tuple(reason for _, reason in sorted(found, key=lambda one: one[0]))
