"""The smallest edits that flip an answer: every single edit is read, then sets that grow from the best of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from interp_lab import folds
from interp_lab.production.counterfactuals.cases import Case
from interp_lab.production.counterfactuals.reading import Reader
from interp_lab.production.counterfactuals.words import Edit, State, go_together, written


@dataclass(frozen=True)
class Problem:
    """A text, the single edits that may be made of it, and what each should do to first order."""

    case: Case
    edits: tuple[Edit, ...]
    estimates: Float[np.ndarray, " edit"]
    """Of the turn (nats)."""
    answer: int
    """The one that the model prefers, by its number."""
    turn: float
    """Before anything is edited (nats), not above 0."""

    def text(self, state: State) -> str:
        """Return the text with some edits made."""
        return written(self.case.words, [self.edits[nth] for nth in state])

    def told(self, state: State) -> str:
        """Return some edits in words."""
        return "; ".join(self.edits[nth].told for nth in state)

    def estimate(self, state: State) -> float:
        """Return by how much edits together should move the turn, to first order (nats)."""
        return float(self.estimates[list(state)].sum())


@dataclass(frozen=True)
class Reach:
    """How far a search goes."""

    most_edits: int = 3
    beam: int | None = 4
    """Sets of edits that are kept to grow from; `None` keeps all."""
    n_tried: int | None = 16
    """Single edits that each of them grows by, those that move the turn most by themselves; `None` tries all."""
    by_estimate: bool = False
    """Whether the turn is foretold to first order and never read: what a search is worth that trusts its gradient."""


EXHAUSTIVE = Reach(beam=None, n_tried=None)
"""Every set of edits, until the smallest are found."""


@dataclass(frozen=True)
class Searched:
    """What a search found for one text."""

    problem: Problem
    singles: Float[np.ndarray, " edit"]
    """The turn after each single edit (nats); NaN where that text may not be seen (see `folds`)."""
    flips: tuple[State, ...]
    """Sets of edits that flip the answer, the smallest only, the largest turn first."""
    turns: tuple[float, ...]
    """Of each."""
    n_tried: int
    """Sets of edits that were asked about."""

    @property
    def size(self) -> int | None:
        """Edits of the smallest flip; `None` if none was found."""
        return len(self.flips[0]) if self.flips else None


def searched(reader: Reader, problems: Sequence[Problem], reach: Reach) -> list[Searched]:
    """Search all texts side by side: what is tried of each size is read in common batches.

    Raises: as `Reader.read`.
    """
    first = [[(nth,) for nth in range(len(problem.edits))] for problem in problems]
    turns = _turns(reader, problems, first, reach)
    singles = [
        np.array([known.get((nth,), np.nan) for nth in range(len(problem.edits))], dtype=np.float64)
        for problem, known in zip(problems, turns, strict=True)
    ]
    n_tried = [len(known) for known in turns]
    for _ in range(1, reach.most_edits):
        asked = [
            [] if any(turn > 0 for turn in known.values()) else grown(problem, known, own, reach)
            for problem, known, own in zip(problems, turns, singles, strict=True)
        ]
        if not any(asked):
            break
        new = _turns(reader, problems, asked, reach)
        n_tried = [n + len(found) for n, found in zip(n_tried, new, strict=True)]
        turns = [found if states else known for found, states, known in zip(new, asked, turns, strict=True)]
    return [
        _searched(problem, own, known, n)
        for problem, own, known, n in zip(problems, singles, turns, n_tried, strict=True)
    ]


def grown(
    problem: Problem, known: dict[State, float], singles: Float[np.ndarray, " edit"], reach: Reach
) -> list[State]:
    """Return sets of one edit more: the best that are known, each with those single edits that do most alone."""
    order = sorted(known, key=lambda state: -known[state])[: reach.beam]
    alone = [int(nth) for nth in np.argsort(-np.nan_to_num(singles, nan=-np.inf), kind="stable")]
    alone = [nth for nth in alone if np.isfinite(singles[nth])]
    made: dict[State, None] = {}
    for state in order:
        fitting = [nth for nth in alone if all(go_together(problem.edits[nth], problem.edits[one]) for one in state)]
        made.update(dict.fromkeys(tuple(sorted((*state, nth))) for nth in fitting[: reach.n_tried]))
    return list(made)


def _turns(
    reader: Reader, problems: Sequence[Problem], asked: Sequence[Sequence[State]], reach: Reach
) -> list[dict[State, float]]:
    """Return the turn after sets of edits, of those whose texts may be seen."""
    if reach.by_estimate:
        return [
            {state: problem.turn + problem.estimate(state) for state in states}
            for problem, states in zip(problems, asked, strict=True)
        ]
    return read_turns(reader, problems, asked)


def read_turns(
    reader: Reader, problems: Sequence[Problem], asked: Sequence[Sequence[State]]
) -> list[dict[State, float]]:
    """Read sets of edits of many texts in common batches; those whose texts may not be seen are left out."""
    every = [
        (nth, state, text)
        for nth, states in enumerate(asked)
        for state in states
        if folds.shows(text := problems[nth].text(state))
    ]
    reads = reader.read([(problems[nth].case, text) for nth, _, text in every])
    found: list[dict[State, float]] = [{} for _ in problems]
    for (nth, state, _), read in zip(every, reads, strict=True):
        found[nth][state] = read.turn(problems[nth].answer)
    return found


def _searched(
    problem: Problem, singles: Float[np.ndarray, " edit"], known: dict[State, float], n_tried: int
) -> Searched:
    flips = sorted((state for state, turn in known.items() if turn > 0), key=lambda state: -known[state])
    return Searched(problem, singles, tuple(flips), tuple(known[state] for state in flips), n_tried)


def needed(reader: Reader, found: Sequence[Searched], *, n: int = 1) -> list[Searched]:
    """Undo every edit of the best flips: one without which the answer flips as well is taken away, until none is left.

    Returns: of each text the `n` best flips, each edit of which is needed; where the smallest became smaller, those.
    """
    problems = [one.problem for one in found]
    flips = [dict(zip(one.flips[:n], one.turns[:n], strict=True)) for one in found]
    asked = [{part for state in own for part in without_one(state)} for own in flips]
    while any(asked):
        turns = read_turns(reader, problems, [sorted(states) for states in asked])
        smaller = [{state: turn for state, turn in known.items() if turn > 0} for known in turns]
        flips = [own | less for own, less in zip(flips, smaller, strict=True)]
        asked = [{part for state in less for part in without_one(state)} for less in smaller]
    return [
        _searched(
            one.problem, one.singles, {state: own[state] for state in own if len(state) == _least(own)}, one.n_tried
        )
        for one, own in zip(found, flips, strict=True)
    ]


def without_one(state: State) -> list[State]:
    """Return a set of edits with each of them undone; nothing of a single one, without which there is no edit."""
    return [state[:nth] + state[nth + 1 :] for nth in range(len(state))] if len(state) > 1 else []


def _least(flips: dict[State, float]) -> int:
    return min(map(len, flips), default=0)
