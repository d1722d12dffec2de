"""What attributions leave to be tested on other examples, and what is said of the places of a prompt."""

from interp_lab.effects.confirming import ToTest, confirmation_of
from interp_lab.hypotheses import Component, Confirmation
from interp_lab.input_attribution.claimed import TAKEN, AttributionClaims
from interp_lab.input_attribution.comparison import AtPlace
from interp_lab.input_attribution.places import REST

_UNCERTAIN = (
    "What other tokens would do in their place: they were {taken}, which leaves a text the model may never have seen. "
    "Tokens that say the same are each ranked low."
)


def confirmation(found: AttributionClaims) -> Confirmation | None:
    """Return how the tokens that the chosen map ranks first are tested on other examples; `None` if nothing holds.

    Nothing has to be fixed: a map is a rule, which says of any prompt what it ranks first.
    """
    testable = [
        ToTest(claim, "input", _UNCERTAIN.format(taken=TAKEN[by]))
        for (by, name), claim in zip(found.evidence, found.claims(), strict=True)
        if name == found.chosen
    ]
    return confirmation_of({}, testable)


def components(found: AttributionClaims) -> list[Component]:
    """Return for each place what the chosen map gives it (descriptive), and what patching it takes away."""
    rows = [row for row in found.comparison.rows if row.place != REST]
    own = [row for row in rows if row.map == found.chosen] or [row for row in rows if row.map == rows[0].map]
    return [component for row in own for component in _of_place(found, row)]


def _of_place(found: AttributionClaims, row: AtPlace) -> list[Component]:
    name, margin = f"role {row.place}", found.comparison.margin
    acts = row.patched.low > margin or row.patched.high < -margin
    return [
        Component(
            name, f"attribution by {row.map}", False, row.share, "share of the map", None, row.share.low > row.even
        ),
        Component(name, "patching of its tokens", True, row.patched, found.unit, None, acts),
    ]
