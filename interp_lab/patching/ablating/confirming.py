"""What ablations leave to be tested on other examples, and what they say of single components."""

from collections.abc import Iterator

from interp_lab.claims import Split
from interp_lab.effects.confirming import ToTest, component_name, confirmation_of
from interp_lab.hypotheses import Component, Confirmation
from interp_lab.patching.ablating.claimed import AblationClaims, Subject
from interp_lab.stats import Intervals

_VALUES = "{kind} ablation is one way to take it out, with values from {reference} prompts of other pairs: others may"
_UNCERTAIN = {
    Subject.SITE: (
        f"How much of it another part would make up for, or does already: parts that stand in for each other are each "
        f"missed too little. {_VALUES} lose more or less."
    ),
    Subject.SET: f"Which of these parts would do without the others. {_VALUES} lose more or less.",
    Subject.BACKUP: (
        f"Whether the second one acts only when the first is gone, or both always do half; and whether there are "
        f"further stand-ins. {_VALUES} show no stand-in."
    ),
}


def confirmation(found: AblationClaims) -> Confirmation | None:
    """Return how what is claimed of chosen parts and stand-ins is tested on other examples; `None` if nothing holds.

    Directions, which were handed over in code, are left out.
    """
    testable = dict(_to_test(found))
    pairs = [name for (kind, name) in testable if kind is Subject.BACKUP]
    chosen = [found.names[nth] for nth in found.plan.chosen]
    return confirmation_of({"chosen": [*chosen, *pairs]}, list(testable.values()))


def _to_test(found: AblationClaims) -> Iterator[tuple[tuple[Subject, str], ToTest]]:
    c = found.config
    for (kind, name), claim in found.claims_by_subject().items():
        if kind in _UNCERTAIN:
            told = _UNCERTAIN[kind].format(kind=f"{c.ablations[0]}".capitalize(), reference=c.reference)
            yield (kind, name), ToTest(claim, _component(found, kind, name), told)


def _component(found: AblationClaims, kind: Subject, name: str) -> str:
    if kind is not Subject.SET:
        return " + ".join(_named(found, one) for one in name.split("+"))
    chosen = [nth for nth in found.plan.chosen if found.sites.maps[nth] == name]
    return " + ".join(_named(found, found.names[nth]) for nth in chosen)


def components(found: AblationClaims) -> list[Component]:
    """Return what is lost without each part, and what it writes straight to the metric (descriptive)."""
    lost = _rows(found, found.ablated[0], f"{found.config.ablations[0]} ablation", causal=True)
    return lost if found.direct is None else [*lost, *_rows(found, found.direct, "direct writing", causal=False)]


def _rows(found: AblationClaims, intervals: Intervals, method: str, *, causal: bool) -> list[Component]:
    clear = (intervals.low > found.margin) | (intervals.high < -found.margin)
    asked = found.evidence.get(Split.REPORT, {})
    rows = []
    for nth, name in enumerate(found.names):
        chosen = nth in found.plan.chosen
        graded = causal and chosen and (Subject.SITE, name) in asked
        rows.append(
            Component(
                name=_named(found, name),
                method=method,
                causal=causal,
                effect=intervals.at(nth),
                unit=found.unit,
                grade=found.grade(Subject.SITE, name) if graded else None,
                selected=chosen if causal else bool(clear[nth]),
            )
        )
    return rows


def _named(found: AblationClaims, site: str) -> str:
    return component_name(site, n_layers=found.provenance.model.n_layers)
