"""What becomes of each hypothesis: its claim on held-out examples, corrected over all hypotheses together.

One family for each model and each of two sentences: that an effect holds, and that it holds on held-out templates too.
Every family has all hypotheses that were written down, whatever came of them, so that its size stands in advance; the
false discovery rate is that of each family by itself (Benjamini and Hochberg 1995; for tests that are independent or
depend on each other positively).

- The p-value is that of the test alone (`Evidence.p`). Corrected within its test as well it would be corrected twice,
  and what Benjamini and Hochberg's procedure makes of p-values that it made itself is shown nowhere.
- What could not be asked, or turned its sign, has p = 1, in the model beside as well: that there is nothing to ask
  is seen on the held-out examples themselves, and a family without it would have been chosen by them.
- That an effect is replicated says that it holds on both kinds of examples; its p-value is the larger of both
  (Benjamini and Heller 2008), and one that was not asked about again has 1.
- What does not hold in the model beside is not shown to be gone there; that, the interval says (`outcomes`).

The rate is about effects that do not differ from their control; that they exceed the smallest of interest, their
intervals say, each by itself.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from interp_lab.claims import Claim, Grade
from interp_lab.hypotheses import Componential, Hypothesis
from interp_lab.investigation.found import Decided
from interp_lab.stats import benjamini_hochberg
from interp_lab.types import Interval

CONFIRM, BESIDE = "confirm", "confirm-beside"
"""Folders of the tests within that of the investigation, one run for each step."""
_KINDS = ("effect", "replication")
"""Of evidence; those of all hypotheses are one family each."""
_NOT_ASKED = 1.0
"""p-value of what there is no evidence of."""


@dataclass(frozen=True)
class Answer:
    """What a test says of one hypothesis, before anything is corrected."""

    claim: Claim | None
    why: str
    """Why there is no claim; empty if there is one."""
    turned: bool = False
    """Whether there is none because the effect has the other sign; else the test could not ask, or did not measure."""


def decide(
    hypotheses: Sequence[Hypothesis], tests: Mapping[str, Any], *, fdr: float, beside: str | None = None
) -> tuple[Decided, ...]:
    """Return what the tests make of all hypotheses.

    Args:
        tests: results by folder, `confirm/STEP` and `confirm-beside/STEP`; one that is missing was not asked.
        beside: the other model.
    """
    own = corrected([_answer(one, tests.get(f"{CONFIRM}/{one.step}")) for one in hypotheses], fdr=fdr)
    other: Sequence[Answer] = [Answer(None, "")] * len(hypotheses)
    if beside is not None:
        results = [tests.get(f"{BESIDE}/{one.step}") for one in hypotheses]
        other = corrected(
            [_answer(one, result, model=beside) for one, result in zip(hypotheses, results, strict=True)], fdr=fdr
        )
    return tuple(
        Decided(
            one,
            answer.claim,
            answer.why or _why(answer.claim, len(hypotheses)),
            f"{CONFIRM}/{one.step}",
            away.claim,
            turned=answer.turned,
            turned_beside=away.turned,
        )
        for one, answer, away in zip(hypotheses, own, other, strict=True)
    )


def corrected(answers: Sequence[Answer], *, fdr: float) -> list[Answer]:
    """Correct the p-values of effects over all answers, and those of replications over all answers; see the module."""
    if not answers:
        return []
    p = {kind: benjamini_hochberg(np.array([_p(one.claim, kind) for one in answers])) for kind in _KINDS}
    return [
        one if one.claim is None else replace(one, claim=_with_p(one.claim, {k: float(p[k][nth]) for k in _KINDS}, fdr))
        for nth, one in enumerate(answers)
    ]


def _p(claim: Claim | None, kind: str) -> float:
    if claim is None or claim.effect is None:
        return _NOT_ASKED
    if kind == "effect":
        return claim.effect.p_alone
    return _NOT_ASKED if claim.replication is None else max(claim.effect.p_alone, claim.replication.p_alone)


def _with_p(claim: Claim, p: Mapping[str, float], fdr: float) -> Claim:
    there = {kind: getattr(claim, kind) for kind in p if getattr(claim, kind) is not None}
    evidence: dict[str, Any] = {kind: replace(one, p=one.p_alone, p_adjusted=p[kind]) for kind, one in there.items()}
    return replace(claim, alpha=fdr, **evidence)


def _answer(hypothesis: Hypothesis, result: Any, *, model: str | None = None) -> Answer:  # noqa: ANN401 - a Result
    """Return what a test says.

    Args:
        model: that it was made in, if that is not the hypothesis's own.
    """
    if result is None:
        return Answer(None, "The test could not be made.")
    claims = {claim.statement: claim for claim in result.claims()}
    found = next((claims[said] for said in _wordings(hypothesis, model) if said in claims), None)
    before = hypothesis.observed
    if found is None or found.effect is None:
        return _without(hypothesis, result)
    seen = found.effect.effect
    if _turned(seen, before):
        return Answer(None, f"The effect turned its sign: {_told(seen, found.effect.unit)}.", turned=True)
    if model is not None:
        return Answer(found, "")
    there = {kind: getattr(found, kind) for kind in _KINDS if getattr(found, kind) is not None}
    stated: dict[str, Any] = {kind: replace(one, margin=hypothesis.margin) for kind, one in there.items()}
    return Answer(replace(found, **stated), "")


def _without(hypothesis: Hypothesis, result: Any) -> Answer:  # noqa: ANN401 - a Result
    """Return why a test does not make a statement: the sign may stand in its wording, and the effect has the other."""
    if not_asked := getattr(result, "not_asked", None):
        return Answer(None, f"The test could not ask: {not_asked}.")
    parts = result.components() if isinstance(result, Componential) else []
    about = [one for one in parts if one.causal and (one.name, one.unit) == (hypothesis.component, hypothesis.unit)]
    seen = next((one.effect for one in about if _turned(one.effect, hypothesis.observed)), None)
    if seen is not None:
        return Answer(None, f"The effect turned its sign: {_told(seen, hypothesis.unit)}.", turned=True)
    return Answer(None, "The test does not make this statement, and measured nothing that speaks against it.")


def _turned(seen: Interval, before: Interval) -> bool:
    return seen.high < 0 < before.estimate or before.estimate < 0 < seen.low


def _wordings(hypothesis: Hypothesis, model: str | None) -> list[str]:
    """Return how the statement may read in a model: its own name may stand in it as that of a task as well."""
    own = str(hypothesis.config.get("model"))
    if model is None:
        return [hypothesis.statement]
    parts = re.split(rf"(?<![\w./-]){re.escape(own)}(?![\w/-])", hypothesis.statement)
    choices = product((model, own), repeat=len(parts) - 1)
    return ["".join(word for pair in zip(parts, (*chosen, ""), strict=True) for word in pair) for chosen in choices]


def _why(claim: Claim | None, n: int) -> str:
    """Return in a sentence or two what decided it."""
    assert claim is not None, "who has no claim has a reason"
    assert claim.effect is not None, "as above"
    effect = claim.effect
    told = _told(effect.effect, effect.unit)
    if claim.grade >= Grade.CAUSAL:
        again = "; also on held-out templates" if claim.grade >= Grade.REPLICATED else _not_replicated(claim)
        return (
            f"The effect is {told}, {_told(effect.versus_control, effect.unit)} beyond {effect.control}, "
            f"p = {effect.p_adjusted:.2g} over {n} hypotheses{again}."
        )
    missing = [
        f"{what} {_told(interval, effect.unit)} does not lie beyond {effect.margin:.3g}"
        for what, interval in (
            ("the effect", effect.effect),
            ("its difference from the control", effect.versus_control),
        )
        if not (interval.low > effect.margin or interval.high < -effect.margin)
    ]
    if effect.p_adjusted >= claim.alpha:
        missing.append(f"p = {effect.p_adjusted:.2g} over {n} hypotheses is not below {claim.alpha:g}")
    said = "; ".join(missing) or f"effect and difference from the control lie on two sides: {told}"
    return f"{said[0].upper()}{said[1:]}."


def _not_replicated(claim: Claim) -> str:
    if claim.replication is None:
        return "; not tested on held-out templates"
    away = claim.replication
    return f"; not clear on held-out templates: {_told(away.effect, away.unit)}, p = {away.p_adjusted:.2g}"


def _told(interval: Interval, unit: str) -> str:
    return f"{interval.estimate:.3g} [{interval.low:.3g}, {interval.high:.3g}] {unit}"
