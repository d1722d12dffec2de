"""What the summary is made of: questions, each with sentences and lists."""

from dataclasses import dataclass

from interp_lab.claims import Evidence
from interp_lab.investigation.found import Decided, StepRun
from interp_lab.reports.cells import p_text

MOST_LINES = 6
"""Of a step's own summary."""


@dataclass(frozen=True)
class Points:
    """A list under a heading."""

    label: str
    items: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """One question of the summary."""

    question: str
    sentences: tuple[str, ...]
    points: tuple[Points, ...] = ()


def held(one: Decided) -> str:
    """Return a hypothesis that holds, with its numbers; a set with its members, which statements do not name."""
    effect = None if one.claim is None else one.claim.effect
    assert effect is not None, "what holds has an effect"
    hypothesis = one.hypothesis
    about = f" [{hypothesis.component}]" if " + " in hypothesis.component else ""
    return f"{hypothesis.id} ({one.grade}): {hypothesis.statement}{about}; {measured(effect)}."


def measured(evidence: Evidence) -> str:
    """Return effect, difference to the control, p and number of examples."""
    return (
        f"effect {evidence.effect} {evidence.unit}, {evidence.versus_control} beyond its control, p "
        f"{_p(evidence.p_adjusted)}, n = {evidence.n_examples}"
    )


def _p(value: float) -> str:
    text = p_text(value)
    return text if text.startswith("<") else f"= {text}"


def lines(step: StepRun) -> tuple[str, ...]:
    """Return the first lines of what a step says it found."""
    return tuple(line for line in step.result.summary().splitlines() if line.strip())[:MOST_LINES]


def count(n: int, one: str, many: str) -> str:
    """Return a number with its noun."""
    return f"{n} {one if n == 1 else many}"
