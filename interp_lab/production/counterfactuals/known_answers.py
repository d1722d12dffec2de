"""Rows of `interp-lab verify`: what flips a loan in the organism, whose bank and its bias are known."""

from functools import partial

import numpy as np

from interp_lab.experiment import KnownAnswer
from interp_lab.models import load_model
from interp_lab.organisms.grammar.behaviours.loans import NAME
from interp_lab.production.counterfactuals.cases import grammar_cases
from interp_lab.production.counterfactuals.outcome import problems_of
from interp_lab.production.counterfactuals.proposals import Lexicon
from interp_lab.production.counterfactuals.reading import Reader
from interp_lab.production.counterfactuals.rule import Truth, truth
from interp_lab.production.counterfactuals.search import Reach, searched
from interp_lab.production.counterfactuals.tested import Fairness, fairness
from interp_lab.tasks.declared import DECLARED

MOST_EDITS = 2
LEAST = 0.8
"""Least precision, and least recall, of a search that reads true."""
BIASED, LEVEL = 0.3, 0.1
"""Least share of values that flip across groups, and the most that do within one."""


def rows() -> list[KnownAnswer]:
    """Return the rows of this folder."""
    return [
        KnownAnswer(
            "smallest flips of loans, organism",
            f"those of the planted rule: precision and recall at least {LEAST}",
            partial(finds_true_flips, by_estimate=False),
            partial(finds_true_flips, by_estimate=True),
        ),
        KnownAnswer(
            "fairness counterfactuals of loans, organism",
            "the neighbourhood flips decisions where it tells of another group, and else does not",
            partial(tells_who_is_biased, model="organism"),
            partial(tells_who_is_biased, model="organism-tuned"),
        ),
    ]


def finds_true_flips(*, by_estimate: bool) -> tuple[bool, str]:
    """Whether the smallest flips that a search finds are those of the rule that the organism learnt.

    Args:
        by_estimate: rank and judge by the gradient alone, which is a sabotage: the decision is no linear function.
    """
    found = compared(Reach(most_edits=MOST_EDITS, by_estimate=by_estimate))
    precision, recall = _mean(found.precision), _mean(found.recall)
    return min(precision, recall) >= LEAST, f"precision {precision:.2f}, recall {recall:.2f}"


def compared(reach: Reach, *, n: int = 8, seed: int = 0) -> Truth:
    """Return what a search finds by values of attributes, beside the rule."""
    reader = Reader(load_model("organism"))
    cases = grammar_cases(NAME, n, seed=[seed], reserved=False, without=set())
    problems = problems_of(
        reader, cases, reader.slopes(cases), "vocabulary", Lexicon.of(reader), n=1, rng=np.random.default_rng(seed)
    )
    return truth(searched(reader, problems, reach), rule=NAME, most_edits=reach.most_edits)


def tells_who_is_biased(*, model: str) -> tuple[bool, str]:
    """Whether changing only the neighbourhood flips decisions across groups, and not within them.

    Args:
        model: `organism-tuned` decides without regard to the neighbourhood, so that it is a sabotage.
    """
    found = only_protected(model)
    across, within = _mean(found.across), _mean(found.within)
    return across >= BIASED and within <= LEVEL, f"flips across groups {across:.2f}, within {within:.2f}"


def only_protected(model: str, *, n: int = 24, seed: int = 0) -> Fairness:
    """Return what changing only the neighbourhood does."""
    cases = grammar_cases(NAME, n, seed=[seed], reserved=False, without=set())
    declared = DECLARED[NAME]
    reader = Reader(load_model(model))
    return fairness(reader, None, cases, declared.protected, name=NAME, hidden=declared.hidden[0])


def _mean(values: np.ndarray) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else 0.0
