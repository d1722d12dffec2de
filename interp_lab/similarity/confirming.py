"""What the comparison of two models leaves to be tested on other examples, and what it says of single parts."""

from interp_lab.claims import Split
from interp_lab.effects.confirming import ToTest, component_name, confirmation_of
from interp_lab.hypotheses import Component, Confirmation
from interp_lab.similarity.claimed import DifferenceClaims
from interp_lab.similarity.crossed import WAYS

_UNCERTAIN = (
    "How much of the change other parts carry as well: one exchange at a time does not see what stands in for what. "
    "And whether the part changed by itself, or answers to what changed below it."
)


def confirmation(found: DifferenceClaims) -> Confirmation | None:
    """Return how what is claimed of the chosen parts is tested on other examples; `None` if none of it holds."""
    tested = found.evidence.get(Split.REPORT, {})
    chosen = [found.parts.names[nth] for nth in found.chosen]
    testable = [
        ToTest(found.claim(way, name), _named(found, name), _UNCERTAIN)
        for name in chosen
        for way in WAYS
        if (way, name) in tested
    ]
    return confirmation_of({"chosen": chosen}, testable)


def components(found: DifferenceClaims) -> list[Component]:
    """Return how much of the change of behaviour each part carries, by way of exchange."""
    tested = found.evidence.get(Split.REPORT, {})
    rows = []
    for way, carried in zip(WAYS, found.carried, strict=True):
        for nth, name in enumerate(found.parts.names):
            chosen = nth in found.chosen
            graded = chosen and (way, name) in tested
            rows.append(
                Component(
                    name=_named(found, name),
                    method=f"base against tuned: {way}",
                    causal=True,
                    effect=carried.at(nth),
                    unit=found.unit,
                    grade=found.claim(way, name).grade if graded else None,
                    selected=chosen,
                )
            )
    return rows


def _named(found: DifferenceClaims, name: str) -> str:
    site = found.parts.sites[found.parts.names.index(name)]
    return component_name(str(site), n_layers=found.provenance.model.n_layers)
