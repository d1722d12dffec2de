"""What monitors leave to be tested on other texts, and what they say of the places that were read and acted at."""

from interp_lab.effects.confirming import ToTest, component_name, confirmation_of
from interp_lab.hypotheses import Component, Confirmation
from interp_lab.production.monitors.claimed import CHANCE, MonitorsClaims
from interp_lab.production.monitors.responding import hook_after
from interp_lab.types import Interval

_UNCERTAIN = "Whether texts of other kinds raise the alarm, and what the response costs outside these texts."


def confirmation(found: MonitorsClaims) -> Confirmation | None:
    """Return how the response is tested again, with monitor and strength stated; `None` if it does nothing here.

    The monitor is fitted again, on texts of the test's own: its weights are no part of the choice.
    """
    if found.evidence is None:
        return None
    testable = ToTest(found.claims()[-1], _acted_at(found), _UNCERTAIN)
    return confirmation_of({"chosen": found.chosen, "strengths": [found.strength]}, [testable])


def components(found: MonitorsClaims) -> list[Component]:
    """Return what is read after the monitor's layer (descriptive), and what the response takes away."""
    n_layers, area = found.provenance.model.n_layers, found.area(found.report, (0,))
    beyond = Interval(area.estimate - CHANCE, area.low - CHANCE, area.high - CHANCE, area.level, area.n_clusters)
    place = component_name(f"{found.made.hook} at end", n_layers=n_layers)
    method, unit = f"monitor of {found.config.label}", "area under the ROC curve beyond chance"
    rows = [Component(place, method, False, beyond, unit, None, beyond.low > 0)]
    if found.evidence is not None:
        effect, claim = found.evidence[0].effect, found.claims()[-1]
        rows.append(
            Component(_acted_at(found), "response to alarms", True, effect, "share of texts", claim.grade, True)
        )
    return rows


def _acted_at(found: MonitorsClaims) -> str:
    return f"direction of {found.config.label} at {hook_after(found.made.hook).removeprefix('blocks.')}"
