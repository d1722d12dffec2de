"""The whole investigation in one paragraph: hypothesis, evidence, intervention, result, uncertainty."""

from collections.abc import Sequence
from dataclasses import dataclass

from interp_lab.investigation.agreement import Agreement
from interp_lab.investigation.answer import count
from interp_lab.investigation.found import Decided, Investigated
from interp_lab.investigation.outcomes import Outcome, is_behaviour, is_mitigation, kind_of, outcome_counts

_MOST_NAMED = 3


@dataclass(frozen=True)
class Sentence:
    """One of the five, with the word that it stands for."""

    word: str
    text: str


def brief(found: Investigated, agreement: Agreement) -> tuple[Sentence, ...]:
    """Return the paragraph; nothing where no hypothesis was decided, which the headline says."""
    if not found.decided:
        return ()
    return (
        Sentence("Hypothesis", _hypothesis(found)),
        Sentence("Evidence", _evidence(found)),
        Sentence("Intervention", _intervention(found)),
        Sentence("Result", _result(found)),
        Sentence("Uncertainty", _uncertainty(found, agreement)),
    )


def _groups(decided: Sequence[Decided]) -> tuple[list[Decided], list[Decided], list[Decided]]:
    """Return those about what the model does, about its parts, and about what changes it."""
    does = [one for one in decided if is_behaviour(one.hypothesis)]
    changes = [one for one in decided if is_mitigation(one.hypothesis)]
    return does, [one for one in decided if one not in does and one not in changes], changes


def _hypothesis(found: Investigated) -> str:
    words = ("what the model does with its input", "the parts that do it", "what changes it")
    told = [f"{len(own)} about {word}" for own, word in zip(_groups(found.decided), words, strict=True) if own]
    number = count(len(found.decided), "hypothesis", "hypotheses")
    return f"The search, on one fold of the examples, left {number}: {_listed(told)}."


def _evidence(found: Investigated) -> str:
    claims = [one.claim.effect for one in found.decided if one.claim is not None and one.claim.effect is not None]
    sizes = list(dict.fromkeys((min(n), max(n)) if (n := [one.n_examples for one in claims]) else ()))
    on = f"on {' to '.join(map(str, sizes))} held-out examples" if sizes else "on held-out examples"
    return (
        f"Each was then tested {on}, beside a control, and on held-out templates where there are any; all were "
        "corrected together."
    )


def _intervention(found: Investigated) -> str:
    n: dict[str, int] = {}
    for one in found.decided:
        n[one.hypothesis.experiment] = n.get(one.hypothesis.experiment, 0) + 1
    told = [f"{times} by {experiment.replace('_', ' ')}" for experiment, times in n.items()]
    return f"Each test changes something in the prompt or in the model, and keeps the rest: {_listed(told)}."


def _result(found: Investigated) -> str:
    does, parts, changes = ([one for one in own if one.holds] for own in _groups(found.decided))
    decides = [one for one in does if one.hypothesis.experiment != "behaviour"]
    told = [
        f"{what} {_named(own)}"
        for what, own in (("what decides is", decides), ("it is carried by", parts), ("it is changed by", changes))
        if own
    ]
    text = "; ".join(told) or "nothing that can be named holds"
    return f"{text[0].upper()}{text[1:]}."


def _uncertainty(found: Investigated, agreement: Agreement) -> str:
    n = outcome_counts(found)
    n_contrary = len(agreement.disagreements)
    told = [
        *(f"{n[one]} {one}" for one in (Outcome.UNDECIDED, Outcome.REFUTED, Outcome.UNTESTED) if n[one]),
        *([f"{n[Outcome.CAUSAL]} that hold but are not shown to on held-out templates"] if n[Outcome.CAUSAL] else []),
        *([count(n_contrary, "contradiction", "contradictions") + " between methods"] if n_contrary else []),
        *([_false_share(found.config.fdr)] if any(one.holds for one in found.decided) else []),
    ]
    return f"{_listed(told)[0].upper()}{_listed(told)[1:]}."


def _false_share(fdr: float) -> str:
    return f"a share of false ones among those that hold, on average at most {fdr:.0%}"


def _named(own: Sequence[Decided]) -> str:
    """Return the first few components, single ones before sets, and how many more there are."""
    every = list(dict.fromkeys(one.hypothesis.component for one in own))
    names = sorted(every, key=lambda name: " + " in name)
    shown = [_readable(name) for name in names[:_MOST_NAMED]]
    return _listed([*shown, *([f"{len(names) - len(shown)} more"] if len(names) > len(shown) else [])])


def _readable(component: str) -> str:
    kind = kind_of(component)
    return f"{kind} {component}" if kind == "attention head" else component.removeprefix("attribute ")


def _listed(parts: Sequence[str]) -> str:
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last
