"""What to do where: operations with their payloads, checked before they run; ablations and patches ready-made."""

from interp_lab.interventions.applied import applied
from interp_lab.interventions.intervention import Intervention, Place, require_intervention
from interp_lab.interventions.op import Op, apply_op
from interp_lab.interventions.values import Ablation, ablations, patches, reference_values, shared_prefix

__all__ = [
    "Ablation",
    "Intervention",
    "Op",
    "Place",
    "ablations",
    "applied",
    "apply_op",
    "patches",
    "reference_values",
    "require_intervention",
    "shared_prefix",
]
