"""What lenses say of the places at which they read."""

from interp_lab.effects.confirming import component_name
from interp_lab.hypotheses import Component
from interp_lab.lenses.findings import LensFindings
from interp_lab.lenses.points import hook_labelled
from interp_lab.types import UNMEASURED


def components(found: LensFindings) -> list[Component]:
    """Return the first point at which the answer is readable at each place, and how many answers it outranks there."""
    return [
        Component(
            name=_named(found, one.point, one.place),
            method=f"readable by the {found.lens}",
            causal=False,
            effect=one.report or UNMEASURED,
            unit="share of shuffled answers that it outranks",
            grade=None,
            selected=one.holds,
        )
        for one in found.appearances
        if one.point is not None
    ]


def _named(found: LensFindings, point: int, place: str) -> str:
    hook = hook_labelled(found.points[point])
    return component_name(f"{hook} at {place}", n_layers=found.provenance.model.n_layers)
