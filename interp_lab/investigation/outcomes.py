"""What became of a hypothesis, in one word, and what kind of thing it is about."""

import re
from enum import StrEnum

from interp_lab.claims import Claim, Evidence, Grade
from interp_lab.hypotheses import Hypothesis
from interp_lab.investigation.found import Decided, Investigated
from interp_lab.reports.reasons import Reason, short_of_causal, short_of_replicated
from interp_lab.types import Interval


class Outcome(StrEnum):
    """What the test made of a hypothesis; the most supported first."""

    REPLICATED = "replicated"
    CAUSAL = "causal"
    UNDECIDED = "undecided"
    REFUTED = "refuted"
    UNTESTED = "not tested"


MEANINGS: dict[Outcome, str] = {
    Outcome.REPLICATED: "holds on held-out examples, and on templates that the search never saw",
    Outcome.CAUSAL: "holds on held-out examples: beyond its control and the smallest effect of interest",
    Outcome.UNDECIDED: "does not hold by the rule written in advance, though an effect of interest is not ruled out",
    Outcome.REFUTED: "does not hold: the sentence turned, or whatever there is of an effect is too small to matter",
    Outcome.UNTESTED: "the test could not ask, or measured nothing that speaks for or against the sentence",
}
"""On the page, below the number of each."""

MITIGATING = frozenset({"steering"})
"""Experiments whose hypotheses say what changes a behaviour, not which part of the model carries it."""

OBSERVING = frozenset({"behaviour", "audit"})
"""Experiments whose hypotheses say what the model does with its input, not by which part."""

_KINDS = (
    ("attention head", "attention heads", r"\d+\.\d+(?:@.*)?"),
    ("stand-in for something hidden", "stand-ins for something hidden", r"attribute \S+ for .*"),
    ("pair of attributes", "pairs of attributes", r"attribute \S+ with .*"),
    ("attribute of the input", "attributes of the input", r"attribute .*"),
    ("latent", "latents", r".*#\d+.*"),
    ("role in the prompt", "roles in the prompt", r"role .*"),
    ("direction", "directions", r"direction .*"),
    ("MLP", "MLPs", r"mlp_.*|.*\bmlp_out\b.*"),
    ("place of the residual stream", "places of the residual stream", r".*resid_.*"),
    ("circuit", "circuits", r"circuit.*"),
)


def kind_of(component: str, *, several: bool = False) -> str:
    """Return what kind of part a component is, as a noun; `0.1 + 2.3` is a set of what its members are."""
    if " + " in component:
        return f"{'sets' if several else 'set'} of {kind_of(component.partition(' + ')[0], several=True)}"
    found = ((one, many) for one, many, pattern in _KINDS if re.fullmatch(pattern, component))
    return next(found, ("other part", "other parts"))[several]


def is_behaviour(hypothesis: Hypothesis) -> bool:
    """Whether it says what the model does, not by which part."""
    return hypothesis.experiment in OBSERVING


def is_mitigation(hypothesis: Hypothesis) -> bool:
    """Whether it says what changes the behaviour."""
    return hypothesis.experiment in MITIGATING


def outcome_of(decided: Decided) -> Outcome:
    """Return what the test made of a hypothesis.

    A claim that is not causal is refuted where its interval, or that of the difference to the control, leaves out every
    effect that would be of interest in the direction that was seen where it was searched for; else it is undecided.
    """
    return _outcome(decided.claim, decided.hypothesis, turned=decided.turned)


def outcome_beside(decided: Decided) -> Outcome:
    """Return the same for the model that stands beside: what does not hold there is gone only where it is refuted."""
    return _outcome(decided.beside, decided.hypothesis, turned=decided.turned_beside)


def _outcome(claim: Claim | None, hypothesis: Hypothesis, *, turned: bool) -> Outcome:
    if claim is None:
        return Outcome.REFUTED if turned else Outcome.UNTESTED
    if claim.grade >= Grade.CAUSAL:
        return Outcome.REPLICATED if claim.grade >= Grade.REPLICATED else Outcome.CAUSAL
    if claim.effect is None:
        return Outcome.UNTESTED
    side = 1 if hypothesis.observed.estimate >= 0 else -1
    return Outcome.REFUTED if _leaves_nothing(claim.effect, side) else Outcome.UNDECIDED


def outcome_counts(found: Investigated) -> dict[Outcome, int]:
    """Return how many hypotheses came to each outcome; every outcome is there."""
    counts = dict.fromkeys(Outcome, 0)
    for one in found.decided:
        counts[outcome_of(one)] += 1
    return counts


def _leaves_nothing(evidence: Evidence, side: int) -> bool:
    def farthest(one: Interval) -> float:
        return one.high if side > 0 else -one.low

    return any(farthest(one) <= evidence.margin for one in (evidence.effect, evidence.versus_control))


def reason_of(found: Investigated, decided: Decided) -> str:
    """Return why a hypothesis holds no further than it does, with the numbers; nothing where it is replicated."""
    claim = decided.claim
    if claim is None:
        return decided.why
    return "; ".join(f"{one.kind} ({one.detail})" if one.detail else one.kind for one in missing(claim))


def missing(claim: Claim) -> list[Reason]:
    """Return what a claim lacks for the next grade."""
    return short_of_causal(claim) or short_of_replicated(claim)
