"""Claims and the one function that grades them.

A grade is computed from measured evidence and cannot be typed in: `Claim` has no field for it.
Descriptive evidence (attention, lenses, probes) alone never rises above `DESCRIPTIVE`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum

from interp_lab.types import Interval


class Grade(IntEnum):
    """How much a claim has been through."""

    DESCRIPTIVE = 0
    """Observed; no intervention on held-out examples supports it."""
    CAUSAL = 1
    """An intervention moved the behaviour on held-out examples of the same templates, more than its control did."""
    REPLICATED = 2
    """The same on held-out templates."""

    def __str__(self) -> str:
        """The lower-case word used in tables and reports."""
        return self.name.lower()


class Split(StrEnum):
    """Which part of the data a number was measured on."""

    SELECT = "select"
    """Used to choose heads, layers or coefficients: cannot support a causal claim."""
    REPORT = "report"
    """Other examples of the same templates."""
    HELD_OUT = "held-out templates"
    """Templates that selection never saw."""


@dataclass(frozen=True)
class Evidence:
    """The measured effect of one intervention on a behaviour, beside that of its control."""

    what: str
    """The intervention and the behaviour, such as `zero ablation of 1.3: rise of second-copy loss`."""
    unit: str
    effect: Interval
    """Mean effect over examples."""
    versus_control: Interval
    """Paired difference, effect minus the control's effect, example by example."""
    p_adjusted: float
    """Of the paired difference, corrected over everything that was tested beside it."""
    control: str
    """What the control was, such as `mean of 4 random heads`."""
    split: Split
    n_examples: int
    margin: float = 0.0
    """Smallest effect of interest, in the unit: with enough examples any effect is clear of zero, however small."""
    p: float | None = None
    """Of the paired difference by itself, before any correction; `None` where nothing was tested beside it."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.p_adjusted <= 1.0:
            raise ValueError(f"p_adjusted={self.p_adjusted} is no probability")
        if self.p is not None and not 0.0 <= self.p <= self.p_adjusted:
            raise ValueError(f"p={self.p} lies outside [0, {self.p_adjusted}]: correction makes no p-value smaller")

    @property
    def p_alone(self) -> float:
        """Before any correction, for who corrects it within another family."""
        return self.p_adjusted if self.p is None else self.p

    def no_surer_than(self, p: float, p_adjusted: float) -> "Evidence":
        """Return it with the larger p-values of two: its own, and those of another test that it must pass as well."""
        return replace(self, p=max(self.p_alone, p), p_adjusted=max(self.p_adjusted, p_adjusted))

    def is_clear(self, *, alpha: float) -> bool:
        """Whether effect and paired difference both lie beyond the margin, on the same side, after correction."""
        both = (self.effect, self.versus_control)
        above = all(interval.low > self.margin for interval in both)
        below = all(interval.high < -self.margin for interval in both)
        return (above or below) and self.p_adjusted < alpha


def as_unsure(found: Sequence[Evidence]) -> list[Evidence]:
    """Return evidence of one effect beside controls all of which it must exceed: the largest p-values count."""
    p, adjusted = max(one.p_alone for one in found), max(one.p_adjusted for one in found)
    return [one.no_surer_than(p, adjusted) for one in found]


def grade(effect: Evidence | None, replication: Evidence | None = None, *, alpha: float = 0.05) -> Grade:
    """Grade what the evidence supports.

    Args:
        effect: measured on the report split; `None` if no intervention was made.
        replication: the same intervention measured on held-out templates.
        alpha: level at which the corrected p-value of the paired difference must lie.

    Returns: CAUSAL if `effect` and its difference to the control lie beyond the margin on the report split;
        REPLICATED if besides `replication` does so on held-out templates, with the same sign; else DESCRIPTIVE.
    """
    if effect is None or effect.split is not Split.REPORT or not effect.is_clear(alpha=alpha):
        return Grade.DESCRIPTIVE
    if replication is None or replication.split is not Split.HELD_OUT or not replication.is_clear(alpha=alpha):
        return Grade.CAUSAL
    return Grade.REPLICATED if effect.effect.estimate * replication.effect.estimate > 0 else Grade.CAUSAL


def how_much_holds(grades: Sequence[Grade], *, not_asked: str | None, not_replicable: str | None) -> str:
    """Return how many claims an intervention supports, and how many also on held-out templates, in words.

    Args:
        not_asked: why nothing was claimed, if nothing was asked.
        not_replicable: why nothing could be replicated, if it could not.
    """
    if not_asked is not None:
        return f"not asked: {not_asked}"
    holding = f"{sum(map(bool, grades))} of {len(grades)} claims hold"
    if not_replicable is not None:
        return f"{holding}; not testable on held-out templates: {not_replicable}"
    return f"{holding}, {sum(one >= Grade.REPLICATED for one in grades)} also on held-out templates"


@dataclass(frozen=True)
class Claim:
    """A sentence about a model, with the evidence that it stands on."""

    statement: str
    observed: str
    """The descriptive finding, with its interval and its null."""
    effect: Evidence | None = None
    replication: Evidence | None = None
    alpha: float = 0.05

    @property
    def grade(self) -> Grade:
        """What the evidence supports; see `grade`."""
        return grade(self.effect, self.replication, alpha=self.alpha)
