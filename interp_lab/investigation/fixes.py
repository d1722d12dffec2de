"""What a mitigation does, and what it costs."""

import math
from collections.abc import Iterator, Mapping, Sequence

from interp_lab.experiment import Result
from interp_lab.investigation.answer import Answer, Points, count, held, lines
from interp_lab.investigation.found import Decided, Investigated, StepRun
from interp_lab.investigation.outcomes import MITIGATING, is_mitigation

_PRICES: Mapping[str, str] = {
    "gap_removed": "it removes {0:.0%} of the gap",
    "held_out_gap_removed": "{0:.0%} of it on held-out templates",
    "deciding_change": "the gap by what should decide changes by {0:+.3f}",
    "kl": "predictions on neutral text move by {0:.4f} nats a token (KL)",
    "capability_loss": "accuracy falls by at most {0:.1%} on any capability that was tried",
}
"""Metrics of a test of steering, by what comes before the side."""
_CHANGES: Mapping[str, str] = {
    "gap_removed_": "{0:.0%} of the gap by {1} is gone",
    "removed_": "{0:.0%} of the effect of {1} is gone",
    "accuracy_change_": "accuracy on {1} changes by {0:+.3f}",
    "accuracy_change": "the share of decisions as declared changes by {0:+.3f}",
}
"""Metrics of what is measured under a mitigation, by how their names begin."""

_GROWS: Mapping[str, str] = {
    "gap_removed_": "the gap by {1} grows by {0:.0%}",
    "removed_": "the effect of {1} grows by {0:.0%}",
}
"""The same where more is there than before."""
_NOTHING = 0.005
"""What rounds to no per cent."""


def fixes(found: Investigated) -> Answer:
    """Return which mitigations hold, what they cost, and what was measured afterwards."""
    question = "What fixes it, and what does that cost?"
    own = [one for one in found.decided if is_mitigation(one.hypothesis)]
    holding = [one for one in own if one.holds]
    runs = dict.fromkeys(one.run for one in holding)
    prices = tuple(line for run in runs for line in _prices(found.tests.get(run)))
    points = [Points("what holds", tuple(f"{held(one)} {_observed(one)}" for one in holding)), Points("price", prices)]
    points += _before_and_after(found)
    return Answer(question, (_sentence(found, own, holding),), tuple(one for one in points if one.items))


def _sentence(found: Investigated, own: Sequence[Decided], holding: Sequence[Decided]) -> str:
    tried = [step.name for step in found.steps if step.experiment in MITIGATING]
    if holding:
        holds = "holds" if len(holding) == 1 else "hold"
        return f"{len(holding)} of {count(len(own), 'mitigation', 'mitigations')} {holds} on held-out examples."
    if own:
        number = count(len(own), "mitigation", "mitigations")
        return f"Nothing that was tried: of {number} none holds on held-out examples."
    if tried:
        return f"Nothing is shown to: step {', '.join(tried)} tried, and came to no hypothesis that was tested."
    return "Nothing was tried: no step steers the model."


def _before_and_after(found: Investigated) -> Iterator[Points]:
    """Yield what steps after the tests found: what they measured under a mitigation, else beside what was before."""
    for step in found.steps:
        if step.phase == "held_out":
            under = (*_changed(step), *(one for one in step.result.summary().splitlines() if one.startswith("under ")))
            same = [one for one in found.steps if one.phase == "search" and one.experiment == step.experiment]
            if same and not under:
                yield Points(f"before, by step {same[-1].name} on the search fold", lines(same[-1]))
            yield Points(f"afterwards, by step {step.name} on held-out examples", under or lines(step))


def _changed(step: StepRun) -> Iterator[str]:
    """Yield what a step that measures under a mitigation says is gone, and what is lost, as far as it measured it."""
    metrics, told = step.result.metrics(), []
    if {"total_effect", "steered_effect"} <= set(metrics):
        before, after = metrics["total_effect"], metrics["steered_effect"]
        told.append(f"what the change of the prompt costs goes from {before:.3f} to {after:.3f}")
    for name, value in metrics.items():
        kind = next((one for one in _CHANGES if name.startswith(one)), None)
        what = name.removeprefix(kind or "").replace("_", " ")
        if kind and " for " not in what:
            grows = kind in _GROWS and value < -_NOTHING
            there = max(value, 0.0) if kind in _GROWS else value
            told.append(_GROWS[kind].format(-value, what) if grows else _CHANGES[kind].format(there, what))
    if told:
        yield f"{'; '.join(told)}."


def _observed(one: Decided) -> str:
    assert one.claim is not None, "it holds"
    return f"Its price: {one.claim.observed}." if one.claim.observed else ""


def _prices(result: Result | None) -> Iterator[str]:
    """Yield for each side of a test of steering what it does and costs, as far as the test measured it."""
    metrics = {} if result is None else result.metrics()
    for side in ("positive", "negative"):
        told = [
            words.format(metrics[f"{name}_{side}"])
            for name, words in _PRICES.items()
            if math.isfinite(metrics.get(f"{name}_{side}", math.nan))
        ]
        if told:
            yield f"{side} side, on held-out examples: {', '.join(told)}."
