"""What a method comes to on many texts: problems made, searched, checked, and set beside random edits."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import spearmanr

from interp_lab.production.counterfactuals.cases import Case
from interp_lab.production.counterfactuals.proposals import FROM_THE_MODEL, Lexicon, MethodName, proposed, token_edits
from interp_lab.production.counterfactuals.reading import Reader, Slopes
from interp_lab.production.counterfactuals.search import Problem, Reach, Searched, needed, read_turns, searched
from interp_lab.production.counterfactuals.words import State, go_together, may_be_seen

_TRIES = 100
"""Draws for one set of random edits that go together."""


@dataclass(frozen=True)
class Flip:
    """The best of the smallest flips of a text."""

    told: str
    text: str
    n_edits: int
    turn: float
    """Log odds of the other answer over the one before (nats)."""
    estimated: float
    """The same, foretold to first order."""
    plausibility: float
    """Change of the mean log-probability of its tokens under the model (nats per token)."""
    member: bool | None
    """Whether a template could have written it; `None` where nothing is known of templates."""


def problems_of(
    reader: Reader,
    cases: Sequence[Case],
    slopes: Sequence[Slopes],
    method: MethodName,
    lexicon: Lexicon,
    *,
    n: int,
    rng: np.random.Generator,
) -> list[Problem]:
    """Return what a method tries of each text."""
    made = []
    for case, own, read in zip(cases, slopes, reader.read([(case, case.words.text) for case in cases]), strict=True):
        edits = proposed(reader, case, method, own, lexicon, n=n, rng=rng)
        edits = [edit for edit in edits if may_be_seen(case.words, [edit])]
        estimates = reader.estimates(case, edits, own)
        made.append(Problem(case, tuple(edits), estimates, read.answer, read.turn(read.answer)))
    return made


def random_problems(
    reader: Reader,
    problems: Sequence[Problem],
    slopes: Sequence[Slopes],
    method: MethodName,
    lexicon: Lexicon,
    *,
    n: int,
    rng: np.random.Generator,
) -> list[Problem]:
    """Return what random edits are drawn from: what the method tries, or where that is ranked already, any words."""
    if method not in FROM_THE_MODEL:
        return list(problems)
    made = []
    for problem, own in zip(problems, slopes, strict=True):
        edits = token_edits(reader, problem.case, own, lexicon, by="random", n=n, rng=rng)
        made.append(Problem(problem.case, tuple(edits), np.zeros(len(edits)), problem.answer, problem.turn))
    return made


def random_states(problem: Problem, *, size: int, n: int, rng: np.random.Generator) -> list[State]:
    """Draw sets of edits of a size whose texts may be seen; fewer, where there are hardly any."""
    found: list[State] = []
    for _ in range(_TRIES * n if problem.edits else 0):
        drawn: list[int] = []
        for nth in rng.permutation(len(problem.edits)):
            if len(drawn) < size and all(go_together(problem.edits[nth], problem.edits[one]) for one in drawn):
                drawn.append(int(nth))
        state = tuple(sorted(drawn))
        if len(drawn) == size and may_be_seen(problem.case.words, [problem.edits[nth] for nth in state]):
            found.append(state)
        if len(found) == n:
            break
    return found


def random_shares(
    reader: Reader, problems: Sequence[Problem], sizes: Sequence[int], *, n: int, rng: np.random.Generator
) -> Float[np.ndarray, " example"]:
    """Return the share of random sets of edits that flip the answer, by text; 0 where none of that size can be made."""
    asked = [random_states(one, size=size, n=n, rng=rng) for one, size in zip(problems, sizes, strict=True)]
    turns = read_turns(reader, problems, asked)
    return np.array(
        [
            np.mean([known[state] > 0 for state in states]) if states else 0.0
            for known, states in zip(turns, asked, strict=True)
        ]
    )


def agreement(found: Searched) -> float:
    """Return the rank correlation of what single edits should do to first order with what they do; NaN under 3."""
    known = np.isfinite(found.singles)
    own, told = found.singles[known], found.problem.estimates[known]
    if len(own) < 3 or np.ptp(own) == 0 or np.ptp(told) == 0:
        return float("nan")
    return float(spearmanr(own, told).statistic)


def flips_of(reader: Reader, found: Searched) -> list[Flip]:
    """Return the smallest flips of a text, the largest measured turn first."""
    problem, allowed = found.problem, found.problem.case.allowed()
    texts = [problem.text(state) for state in found.flips]
    before, *reads = reader.read([(problem.case, text) for text in (problem.case.words.text, *texts)])
    return [
        Flip(
            told=problem.told(state),
            text=text,
            n_edits=len(state),
            turn=turn,
            estimated=problem.turn + problem.estimate(state),
            plausibility=read.fluency - before.fluency,
            member=_member(problem, state, allowed),
        )
        for state, text, turn, read in zip(found.flips, texts, found.turns, reads, strict=True)
    ]


def _member(problem: Problem, state: State, allowed: dict[int, set[str]]) -> bool | None:
    """Whether what is put in may stand there by the vocabulary."""
    if not allowed:
        return None
    put = [place for nth in state for place in problem.edits[nth].places]
    return all(new in allowed.get(nth, set()) for nth, new in put)


def best_flips(reader: Reader, problems: Sequence[Problem], reach: Reach) -> tuple[list[Searched], list[Flip | None]]:
    """Search, and take of each text the best flip all of whose edits are needed."""
    every = searched(reader, problems, reach)
    if reach.by_estimate:
        return every, [None] * len(every)
    kept = needed(reader, every)
    flips = [flips_of(reader, one) for one in kept]
    return every, [own[0] if own else None for own in flips]
