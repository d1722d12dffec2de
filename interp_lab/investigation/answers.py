"""The summary: six questions, answered in sentences computed from the numbers; the table of claims has those."""

from collections.abc import Iterator, Sequence

from interp_lab.claims import Claim
from interp_lab.investigation.agreement import Agreement
from interp_lab.investigation.answer import Answer, Points, count, lines, named_by
from interp_lab.investigation.deciding import BESIDE
from interp_lab.investigation.fixes import afterwards, fixes, price, steers
from interp_lab.investigation.found import Decided, Investigated
from interp_lab.investigation.open_questions import unknown
from interp_lab.investigation.outcomes import (
    Outcome,
    is_behaviour,
    is_mitigation,
    kind_of,
    outcome_beside,
    outcome_counts,
    outcome_of,
)
from interp_lab.reports.groups import claim_groups


def headline(found: Investigated) -> str:
    """Return the whole investigation in one or two sentences."""
    if found.stopped is not None:
        return f"There is nothing to explain: {_ended(found.stopped)} The investigation ended there."
    if found.exploratory:
        return (
            "Exploratory: this list of steps puts nothing to a test. What it shows was chosen on the examples that it "
            "is shown on, so that nothing here is confirmed."
        )
    if not found.hypotheses:
        return (
            "Nothing is claimed: no step came to a claim that held where it was searched for, so that none was tested."
        )
    if not found.decided:
        written = count(len(found.hypotheses), "hypothesis", "hypotheses")
        return f"{written} written down; not all tests have run, so that none is decided."
    holding = [one for one in found.decided if one.holds]
    counts = outcome_counts(found)
    also = f", {counts[Outcome.REPLICATED]} of these also on held-out templates" if holding else ""
    rest = [f"{n} {one}" for one, n in counts.items() if n and one not in (Outcome.REPLICATED, Outcome.CAUSAL)]
    return (
        f"{count(len(found.decided), 'hypothesis was', 'hypotheses were')} written down and then tested on held-out "
        f"examples: {len(holding)} {'holds' if len(holding) == 1 else 'hold'}{also}"
        + (f"; {', '.join(rest)}." if rest else ".")
    )


def answers(found: Investigated, agreement: Agreement) -> list[Answer]:
    """Return what the model does, by which parts, how that is known, what fixes it at which price, what is open."""
    made = [_behaviour(found)]
    if found.stopped is None:
        made += [_parts(found), _evidence(found), fixes(found), price(found)]
    return [*made, unknown(found, agreement)]


def _behaviour(found: Investigated) -> Answer:
    steps = [step for step in found.steps if step.experiment == "behaviour" and step.phase == "search"]
    each = [[line for line in lines(step) if "claims hold" not in line] for step in steps]
    told = tuple(f"On the search fold: {_ended('; '.join(own))}" for own in each if own)
    asked = [one for one in found.decided if is_behaviour(one.hypothesis)]
    told += tuple(_again(one) for one in asked if one.hypothesis.experiment == "behaviour")
    decides = [one for one in asked if one.holds and one.hypothesis.experiment != "behaviour"]
    if decides:
        told += ("What decides, on held-out examples:",)
    if found.stopped is not None:
        told = (f"Nothing that could be explained: {_ended(found.stopped)}", *told)
    none = ("No step measured the behaviour by itself; the steps below say what it was on their examples.",)
    return Answer("What does the model do?", told or none, items=_by_kind(decides))


def _again(one: Decided) -> str:
    if one.holds:
        return f"On held-out examples: {named_by(one)}."
    return f"On held-out examples {one.hypothesis.id} is {outcome_of(one)}: {one.hypothesis.statement}."


def _parts(found: Investigated) -> Answer:
    about = [one for one in found.decided if not is_mitigation(one.hypothesis)]
    own = [one for one in about if not is_behaviour(one.hypothesis)]
    holding, question = [one for one in own if one.holds], "Which parts do it?"
    if not found.decided:
        return Answer(question, (_nothing_tested(found),))
    if not own:
        return Answer(question, ("No step came to a hypothesis about parts.",))
    if not holding:
        number = count(len(own), "hypothesis", "hypotheses")
        return Answer(question, (f"None that can be named: of {number} about parts none holds.",))
    sentence = f"{len(holding)} of {count(len(own), 'hypothesis', 'hypotheses')} about parts hold on held-out examples:"
    lacking = tuple(lacking_beside(found))
    points = (Points(f"what could not be asked in {found.config.beside}", lacking),) if lacking else ()
    return Answer(question, (*_in_both(found, about), sentence), points, _by_kind(holding))


def _by_kind(holding: Sequence[Decided]) -> tuple[str, ...]:
    """Return what holds, a line for each kind of thing that it is about."""
    kinds: dict[str, list[Decided]] = {}
    for one in holding:
        kinds.setdefault(kind_of(one.hypothesis.component), []).append(one)
    return tuple(map(_kind, kinds.values()))


def _kind(members: Sequence[Decided]) -> str:
    ids: dict[str, list[str]] = {}
    for one in members:
        ids.setdefault(one.hypothesis.component, []).append(one.hypothesis.id)
    told = "; ".join(f"{name.removeprefix('attribute ')} ({', '.join(own)})" for name, own in ids.items())
    return f"{len(ids)} {kind_of(next(iter(ids)), several=len(ids) > 1)}: {told}"


def _in_both(found: Investigated, own: Sequence[Decided]) -> Iterator[str]:
    if found.config.beside is None or not own:
        return
    holding = [one for one in own if one.holds]
    there = {one.hypothesis.id for one in own if one.beside is not None and one.beside.grade}
    both = [one for one in holding if one.hypothesis.id in there]
    missing = [one for one in holding if one.hypothesis.id not in there]
    lacking = {kind: [one for one in missing if outcome_beside(one) is kind] for kind in Outcome}
    only = [one for one in own if not one.holds and one.hypothesis.id in there]
    told = [f"In {found.config.beside}, {len(both)} of {len(holding)} hold too"]
    told += [
        f"{what}: {', '.join(one.hypothesis.id for one in ones)}"
        for what, ones in (
            (f"only in {found.config.model}", lacking[Outcome.REFUTED]),
            (f"not decided in {found.config.beside}", lacking[Outcome.UNDECIDED]),
            (f"not tested in {found.config.beside}", lacking[Outcome.UNTESTED]),
            (f"only in {found.config.beside}", only),
        )
        if ones
    ]
    yield f"{'; '.join(told)}."


def lacking_beside(found: Investigated) -> list[str]:
    """Return in sentences which tests could not ask in the model beside: what they ask about is not there."""
    why: dict[str, list[str]] = {}
    for run, result in found.tests.items():
        reason = getattr(result, "not_asked", None)
        if run.startswith(f"{BESIDE}/") and reason is not None:
            why.setdefault(reason, []).append(run.removeprefix(f"{BESIDE}/"))
    return [
        f"In {found.config.beside} there is nothing that {', '.join(steps)} could ask about: {reason}."
        for reason, steps in why.items()
    ]


def _evidence(found: Investigated) -> Answer:
    question = "How do we know?"
    if not found.decided:
        return Answer(question, (_nothing_tested(found),))
    n, claims = len(found.decided), [one.claim for one in found.decided if one.claim is not None]
    sizes = [one.n_examples for claim in claims for one in (claim.effect, claim.replication) if one is not None]
    sentences = [
        f"{count(n, 'hypothesis was', 'hypotheses were')} chosen on one fold of the examples and written to "
        f"hypotheses.json (SHA-256 {str(found.hypotheses_hash)[:12]}…) before any held-out example could be seen; "
        "then each was tested on held-out examples, with all that was chosen stated in advance.",
        f"A hypothesis holds if its effect and the difference to its control lie beyond the smallest effect of "
        f"interest ({found.config.level:.0%} intervals) at p < {found.config.fdr:g}, corrected over all {n} "
        f"(Benjamini-Hochberg), which keeps the share of false ones among those that hold at {found.config.fdr:.0%} or "
        "less on average.",
    ]
    if sizes:
        ends = dict.fromkeys((min(sizes), max(sizes)))
        sentences.append(f"Each test stands on {' to '.join(map(str, ends))} examples.")
    controls = Points("controls", _controls(claims))
    again = () if steers(found) else tuple(afterwards(found))
    return Answer(question, tuple(sentences), (*((controls,) if controls.items else ()), *again))


def _controls(claims: Sequence[Claim]) -> tuple[str, ...]:
    used: dict[str, int] = {}
    for group in claim_groups(claims):
        if group.control:
            used[group.control] = used.get(group.control, 0) + len(group.rows)
    return tuple(f"{control}: {count(n, 'hypothesis', 'hypotheses')}" for control, n in used.items())


def _nothing_tested(found: Investigated) -> str:
    if found.exploratory:
        return "Not known: nothing was put to a test. What the steps suggest stands with them below."
    return "Not known: no hypothesis was tested."


def _ended(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
