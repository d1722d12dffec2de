"""What leads, written down so that others can measure under it; see `effects.under`."""

from interp_lab.effects.under import Under
from interp_lab.steering.claimed import SIDES
from interp_lab.steering.material import Material
from interp_lab.steering.result import SteeringResult
from interp_lab.steering.setting import operation


def leading_of(result: SteeringResult, material: Material) -> list[Under]:
    """Return what leads to each side, resolved to one operation; settings with a gate are left out.

    A gate decides token by token from the activation that is there: that is no operation with a fixed payload.
    """
    found = []
    for sign, nth in result.leading.items():
        setting, family = result.settings[nth], result.family(nth)
        if setting.gate is not None:
            continue
        vectors = material.vectors(family)
        op, payloads = operation(setting, vectors, material.midpoints(family, vectors))
        narrows = result.scale == "gap" and sign * float(result.report.baseline.mean()) < 0
        told = {"where": setting.where, "narrows": narrows}
        found.append(Under(setting.name, SIDES[sign], result.provenance.model, setting.hooks, op, payloads, **told))
    return found
