"""What a mitigation does, and what it costs."""

import math
from collections.abc import Iterator, Mapping, Sequence

from interp_lab.experiment import Result
from interp_lab.investigation.answer import Answer, Points, count, lines, named_by
from interp_lab.investigation.found import Decided, Investigated, StepRun
from interp_lab.investigation.outcomes import MITIGATING, is_mitigation

_REMOVES: Mapping[str, str] = {
    "gap_removed": "it removes {0:.0%} of the gap",
    "held_out_gap_removed": "{0:.0%} of it on held-out templates",
}
"""Metrics of a test of steering that say what it does, by what comes before the side."""
_PRICES: Mapping[str, str] = {
    "deciding_change": "the gap by what should decide changes by {0:+.3f}",
    "kl": "predictions on neutral text move by {0:.4f} nats a token (KL)",
    "capability_loss": "accuracy falls by at most {0:.1%} on any capability that was tried",
}
"""The same that say what it costs."""
_GONE: Mapping[str, str] = {
    "gap_removed_": "{0:.0%} of the gap by {1} is gone",
    "removed_": "{0:.0%} of the effect of {1} is gone",
}
"""Metrics of what is measured under a mitigation, by how their names begin: what is left of the behaviour."""
_LOST: Mapping[str, str] = {
    "accuracy_change_": "accuracy on {1} by {0:+.3f}",
    "accuracy_change": "the share of decisions as declared by {0:+.3f}",
}
"""The same: by how much everything else changes."""

_GROWS: Mapping[str, str] = {
    "gap_removed_": "the gap by {1} grows by {0:.0%}",
    "removed_": "the effect of {1} grows by {0:.0%}",
}
"""The same where more is there than before."""
_NOTHING = 0.005
"""What rounds to no per cent."""
BEYOND_BUDGET = "at a price beyond the budget"
"""How what was observed of a mitigation begins that costs more than it may (`steering`)."""


def fixes(found: Investigated) -> Answer:
    """Return which mitigations hold, what they do, and what was measured under them afterwards."""
    own, holding = _mitigations(found)
    does = tuple(line for run in _tests_of(holding) for line in _by_side(found, run, _REMOVES))
    named = tuple(f"{named_by(one)}{_beyond_budget(one)}." for one in holding)
    after = tuple(
        f"By step {step.name}, on held-out examples: {told}."
        for step in found.steps
        if step.phase == "held_out" and (told := _measured_under(step, _GONE))
    )
    return Answer("What fixes it?", (_sentence(found, own, holding), *named, *does, *after), _points(found))


def _points(found: Investigated) -> tuple[Points, ...]:
    return tuple(afterwards(found)) if steers(found) else ()


def steers(found: Investigated) -> bool:
    """Whether any step tried to change the behaviour."""
    return any(step.experiment in MITIGATING for step in found.steps)


def price(found: Investigated) -> Answer:
    """Return what the mitigations that hold cost."""
    question, (_, holding) = "What did that cost?", _mitigations(found)
    if not holding:
        return Answer(question, ("There is no price to tell, since nothing is shown to fix it.",))
    costs = [line for run in _tests_of(holding) for line in _by_side(found, run, _PRICES)]
    costs += [
        f"By step {step.name}, on held-out examples, this changes: {told}."
        for step in found.steps
        if step.phase == "held_out" and (told := _measured_under(step, _LOST))
    ]
    observed = tuple(
        f"{one.hypothesis.id}: {one.claim.observed}." for one in holding if one.claim and one.claim.observed
    )
    points = (Points("price of each mitigation, with its budget", observed),) if observed else ()
    return Answer(question, tuple(costs) or ("Not measured.",), points)


def _mitigations(found: Investigated) -> tuple[list[Decided], list[Decided]]:
    own = [one for one in found.decided if is_mitigation(one.hypothesis)]
    return own, [one for one in own if one.holds]


def _tests_of(holding: Sequence[Decided]) -> list[str]:
    return list(dict.fromkeys(one.run for one in holding))


def _beyond_budget(one: Decided) -> str:
    """Say what the sentence of a mitigation does not: that it holds is no word on its price."""
    beyond = one.claim is not None and one.claim.observed.startswith(BEYOND_BUDGET)
    return ", at a price beyond the budget" if beyond else ""


def _sentence(found: Investigated, own: Sequence[Decided], holding: Sequence[Decided]) -> str:
    tried = [step.name for step in found.steps if step.experiment in MITIGATING]
    if holding:
        holds = "holds" if len(holding) == 1 else "hold"
        return f"{len(holding)} of {count(len(own), 'mitigation', 'mitigations')} {holds} on held-out examples:"
    if own:
        number = count(len(own), "mitigation", "mitigations")
        return f"Nothing that was tried: of {number} none holds on held-out examples."
    if tried:
        return f"Nothing is shown to: step {', '.join(tried)} tried, and came to no hypothesis that was tested."
    return "Nothing was tried: no step steers the model."


def afterwards(found: Investigated) -> Iterator[Points]:
    """Yield what steps after the tests say: what they measured under a mitigation, else beside what was before."""
    for step in found.steps:
        if step.phase == "held_out":
            under = tuple(one for one in step.result.summary().splitlines() if one.startswith("under "))
            same = [one for one in found.steps if one.phase == "search" and one.experiment == step.experiment]
            if same and not under:
                yield Points(f"before, by step {same[-1].name} on the search fold", lines(same[-1]))
            yield Points(f"what step {step.name} says, on held-out examples", under or lines(step))


def _measured_under(step: StepRun, wanted: Mapping[str, str]) -> str:
    """Return what a step that measures under a mitigation says is gone, or lost, as far as it measured it."""
    metrics, told = step.result.metrics(), []
    if wanted is _GONE and {"total_effect", "steered_effect"} <= set(metrics):
        before, after = metrics["total_effect"], metrics["steered_effect"]
        told.append(f"what the change of the prompt costs goes from {before:.3f} to {after:.3f}")
    for name, value in metrics.items():
        kind = next((one for one in wanted if name.startswith(one)), None)
        what = name.removeprefix(kind or "").replace("_", " ")
        if kind and " for " not in what:
            grows = kind in _GROWS and value < -_NOTHING
            there = max(value, 0.0) if kind in _GROWS else value
            told.append(_GROWS[kind].format(-value, what) if grows else wanted[kind].format(there, what))
    return "; ".join(told)


def _by_side(found: Investigated, run: str, wanted: Mapping[str, str]) -> Iterator[str]:
    """Yield for each side of a test of steering what it says, as far as it was measured."""
    result: Result | None = found.tests.get(run)
    metrics = {} if result is None else result.metrics()
    said = {}
    for side in ("positive", "negative"):
        said[side] = [
            words.format(metrics[f"{name}_{side}"])
            for name, words in wanted.items()
            if math.isfinite(metrics.get(f"{name}_{side}", math.nan))
        ]
    for side, told in said.items():
        if told:
            only = "" if not all(said.values()) else f", {side} side"
            yield f"On held-out examples{only}: {', '.join(told)}."
