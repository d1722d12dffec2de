"""What probes leave to be tested on other texts, and what they say of the places that were read."""

from interp_lab.claims import Split
from interp_lab.effects.confirming import ToTest, component_name, confirmation_of
from interp_lab.hypotheses import Component, Confirmation
from interp_lab.probes.claimed import ProbesClaims
from interp_lab.probes.judged import Judged
from interp_lab.types import UNMEASURED, Interval

_UNCERTAIN = (
    "Whether the model's own variable lies along this direction: the probe is fitted again on texts of the test's own, "
    "and whatever goes with {label} there is in it. Other places may hold it as well."
)


def confirmation(found: ProbesClaims) -> Confirmation | None:
    """Return how what the model uses is tested on other texts, at the same site by the same way; `None` if nothing is.

    Probes are fitted again: a direction is no part of the choice.
    """
    used = [(nth, one) for nth, one in enumerate(found.judged) if one.used_by is not None]
    claims = found.claims()
    testable = [
        ToTest(claims[nth], _component(found, one), _UNCERTAIN.format(label=one.probed.label)) for nth, one in used
    ]
    holding = [one for (_, one), tested in zip(used, testable, strict=True) if tested.claim.grade]
    chosen = {one.probed.label: [_site(one), one.used_by[0]] for one in holding if one.used_by is not None}
    return confirmation_of({"labels": list(chosen), "chosen": chosen}, testable)


def components(found: ProbesClaims) -> list[Component]:
    """Return what can be read at the chosen site of each label (descriptive), and what acting there takes away."""
    rows = []
    for judged, claim in zip(found.judged, found.claims(), strict=True):
        label, name = judged.probed.label, _component(found, judged)
        score = judged.beyond("majority", Split.REPORT)
        unit = "R^2" if judged.probed.is_number else "share of texts"
        rows.append(
            Component(name, f"probe of {label}, beyond the commonest", False, score, unit, None, judged.is_decodable())
        )
        if judged.tested:
            way = judged.used_by[0] if judged.used_by else max(judged.tested, key=lambda one: _size(judged, one))
            effect = judged.tested[way][0].effect
            lost = Interval(-effect.estimate, -effect.high, -effect.low, effect.level, effect.n_clusters)
            graded = claim.grade if judged.used_by else None
            rows.append(Component(name, f"acting along {label}: {way}", True, lost, "logits", graded, True))
        else:
            rows.append(Component(name, f"acting along {label}", True, UNMEASURED, "logits", None, False))
    return rows


def _size(judged: Judged, way: str) -> float:
    return abs(judged.tested[way][0].effect.estimate)


def _site(judged: Judged) -> str:
    return judged.probed.sites[judged.probed.chosen]


def _component(found: ProbesClaims, judged: Judged) -> str:
    probed, positions = judged.probed, judged.probed.positions
    at = "" if judged.config.by_token else f" at {positions[probed.position_of(probed.chosen)]}"
    return component_name(f"{probed.hook_of(probed.chosen)}{at}", n_layers=found.provenance.model.n_layers)
