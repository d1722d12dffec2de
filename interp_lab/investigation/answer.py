"""What the summary is made of: questions, each with sentences and lists."""

from dataclasses import dataclass

from interp_lab.investigation.found import Decided, StepRun

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
    """Folded on the page."""
    items: tuple[str, ...] = ()
    """A list that stands open below the sentences."""


def named_by(one: Decided) -> str:
    """Return the statement of a hypothesis with where it stands in the table, and its grade."""
    return f"{one.hypothesis.statement} ({one.hypothesis.id}, {one.grade})"


def lines(step: StepRun) -> tuple[str, ...]:
    """Return the first lines of what a step says it found."""
    return tuple(line for line in step.result.summary().splitlines() if line.strip())[:MOST_LINES]


def count(n: int, one: str, many: str) -> str:
    """Return a number with its noun."""
    return f"{n} {one if n == 1 else many}"
