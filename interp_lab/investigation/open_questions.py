"""What an investigation leaves open: what does not hold, what was not asked, where methods contradict each other."""

from collections.abc import Iterable, Iterator, Mapping

from interp_lab.hypotheses import Confirmable
from interp_lab.investigation.agreement import Agreement
from interp_lab.investigation.answer import Answer, Points, count
from interp_lab.investigation.deciding import BESIDE
from interp_lab.investigation.found import Investigated, StepRun
from interp_lab.investigation.outcomes import Outcome, outcome_of, reason_of


def unknown(found: Investigated, agreement: Agreement) -> Answer:
    """Return what is refuted, undecided, not asked, open even where a hypothesis holds, and contradictory."""
    points = [*_undone(found), *_open(found), *_silent(found)]
    contradictions = agreement.disagreements
    if contradictions:
        points.append(Points("methods that contradict each other", tuple(contradictions)))
    shown = tuple(one for one in points if one.items)
    n = sum(len(one.items) for one in shown)
    sentence = (
        f"{count(n, 'thing', 'things')}, by kind:" if n else "What no step asked; every hypothesis is replicated."
    )
    if found.stopped is not None:
        sentence = (
            "Whether other examples, other answers or another measure would show a behaviour: only these were asked."
        )
    elif not found.exploratory and not found.decided:
        n_written = count(len(found.hypotheses), "hypothesis", "hypotheses")
        sentence = f"Everything: {n_written}, and none decided." if found.hypotheses else (
            "Everything about parts: no step came to anything that was worth a test."
        )  # fmt: skip
    elif found.exploratory:
        sentence = "Everything: nothing was put to a test. Add the entries hypotheses and confirm to the list of steps."
    return Answer("What do we still not know?", (sentence,), shown)


def _undone(found: Investigated) -> Iterator[Points]:
    """Yield what was tested and does not hold, or holds no further."""
    by_outcome: dict[Outcome, list[str]] = {one: [] for one in Outcome}
    for one in found.decided:
        told = f"{one.hypothesis.id}: {one.hypothesis.statement}: {reason_of(found, one) or one.why}"
        by_outcome[outcome_of(one)].append(f"{told.rstrip('.')}.")
    yield Points("refuted", tuple(by_outcome[Outcome.REFUTED]))
    yield Points("undecided", tuple(by_outcome[Outcome.UNDECIDED]))
    yield Points("not tested, though written down", tuple(by_outcome[Outcome.UNTESTED]))
    yield Points("holds, not shown on held-out templates", tuple(by_outcome[Outcome.CAUSAL]))


def _open(found: Investigated) -> Iterator[Points]:
    """Yield what stays open of what holds, each thing once, whichever part it is said of."""
    said: dict[str, list[str]] = {}
    for one in found.decided:
        if one.holds and one.hypothesis.uncertain:
            text = one.hypothesis.uncertain.replace(one.hypothesis.component or "\0", "it")
            said.setdefault(text, []).append(one.hypothesis.id)
    yield Points("open even where it holds", tuple(f"{', '.join(ids)}: {text}" for text, ids in said.items()))


def _silent(found: Investigated) -> Iterator[Points]:
    """Yield the steps that could not ask, or came to nothing worth a test."""
    asking = {step.name: getattr(step.result, "not_asked", None) for step in found.steps}
    yield Points("steps that could not ask", tuple(f"{name}: {why}." for name, why in asking.items() if why))
    alone = ((step.name, getattr(step.result, "not_replicable", None)) for step in found.steps)
    tests = (
        (run, getattr(result, "not_replicable", None))
        for run, result in found.tests.items()
        if not run.startswith(f"{BESIDE}/")
    )
    told = alone if found.exploratory else tests
    yield Points("not testable on held-out templates", tuple(f"{name}: {why}." for name, why in told if why))
    used = {one.step for one in found.hypotheses}
    yield Points(
        "steps that came to no hypothesis", tuple(_came_to_nothing(found.steps, used, asking)) if found.decided else ()
    )


def _came_to_nothing(steps: Iterable[StepRun], used: set[str], asking: Mapping[str, str | None]) -> Iterator[str]:
    for step in steps:
        could = step.phase == "search" and isinstance(step.result, Confirmable)
        if could and step.name not in used and asking[step.name] is None:
            yield f"{step.name} ({step.experiment}): none of its claims held where it was searched for."
