"""What a rule of the grammar says of the same edits: which of them truly flip, and which flips are smallest."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float

from interp_lab.organisms.grammar import Latents, Value
from interp_lab.organisms.grammar.corpus import behaviour
from interp_lab.production.counterfactuals.search import Problem, Searched, without_one
from interp_lab.production.counterfactuals.words import Edit, State, go_together
from interp_lab.runs.fields import KeptFields

CLEAR = 0.05
"""How far the probability of an answer must be from one half: nearer, either answer is as right."""
KNOWS = "p_from_text"
"""The latent that a rule is known by: the probability of the positive answer, for one who reads the text only."""


@dataclass(frozen=True)
class Truth(KeptFields):
    """What was found by values of attributes, beside what the rule says, by text; NaN where it does not say it."""

    size: Float[np.ndarray, " example"]
    """Edits of the smallest true flip, up to as many as were searched for."""
    found_size: Float[np.ndarray, " example"]
    """Edits of the smallest flip that was found."""
    precision: Float[np.ndarray, " example"]
    """Share of the smallest flips found that flip by the rule, and no longer do with an edit undone."""
    recall: Float[np.ndarray, " example"]
    """Share of the true flips by a single edit that were found; NaN for texts without one."""


def knows(name: str) -> bool:
    """Whether the texts of a behaviour have a rule."""
    return not name.endswith(".jsonl") and KNOWS in behaviour(name).draw(np.random.default_rng(0))


@dataclass(frozen=True)
class Rule:
    """What a behaviour decides of one text, some of its attributes changed."""

    name: str
    """Of the behaviour: `loans`, or `loans_blind` for a model that was taught that one."""
    latents: Latents

    def _settled(self, changes: Latents) -> Latents:
        settle = behaviour(self.name).settle
        assert settle is not None, "a rule says what follows from the rest"
        return settle({**self.latents, **changes})

    def p(self, changes: Latents) -> float:
        """Return the probability of the positive answer."""
        return float(self._settled(changes)[KNOWS])

    def decision(self, changes: Latents) -> str | None:
        """Return the likelier answer; `None` where neither clearly is."""
        return str(self._settled(changes)["expected"]) if abs(self.p(changes) - 0.5) >= CLEAR else None

    def says(self, problem: Problem, state: State) -> bool | None:
        """Return whether edits flip the answer; `None` where the rule is undecided."""
        now = self.decision(changed(problem.edits[nth] for nth in state))
        return None if now is None else now != self.decision({})

    def reads(self, edits: Sequence[Edit]) -> frozenset[str]:
        """Return the attributes that the rule goes by here."""
        before = self.p({})
        return frozenset(edit.what for edit in edits if self.p(changed([edit])) != before)


def changed(edits: Iterable[Edit]) -> dict[str, Value]:
    """Return the attributes that edits change, with their values."""
    return {edit.what: edit.value for edit in edits if edit.value is not None}


def truth(found: Sequence[Searched], *, rule: str, most_edits: int) -> Truth:
    """Compare flips that were found with those that the rule has.

    Texts are left out (NaN) where the model does not decide by the rule to begin with, or the rule is undecided.
    """
    rows = [_row(one, Rule(rule, one.problem.case.latents), most_edits) for one in found]
    size, found_size, precision, recall = np.array(rows, dtype=np.float64).reshape(-1, 4).T
    return Truth(size, found_size, precision, recall)


def _row(found: Searched, rule: Rule, most_edits: int) -> tuple[float, float, float, float]:
    problem = found.problem
    if rule.decision({}) != problem.case.answers[problem.answer].strip():
        return np.nan, np.nan, np.nan, np.nan
    visible = [nth for nth in range(len(problem.edits)) if np.isfinite(found.singles[nth])]
    single = {(nth,) for nth in visible if rule.says(problem, (nth,))}
    size = 1.0 if single else _smallest(problem, rule, visible, most_edits)
    told = [(state, rule.says(problem, state)) for state in found.flips]
    true = [
        flips and not any(rule.says(problem, part) for part in without_one(state))
        for state, flips in told
        if flips is not None
    ]
    precision = float(np.mean(true)) if true else np.nan
    recall = len(single & set(found.flips)) / len(single) if single else np.nan
    return size, np.nan if found.size is None else float(found.size), precision, recall


def _smallest(problem: Problem, rule: Rule, visible: Sequence[int], most_edits: int) -> float:
    """Return the size of the smallest true flip of two edits or more; NaN if there is none so small."""
    read = rule.reads([problem.edits[nth] for nth in visible])
    useful = [nth for nth in visible if problem.edits[nth].what in read]
    for size in range(2, most_edits + 1):
        for state in combinations(useful, size):
            edits = [problem.edits[nth] for nth in state]
            if all(go_together(*both) for both in combinations(edits, 2)) and rule.says(problem, state):
                return float(size)
    return np.nan
