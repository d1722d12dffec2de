"""What to do where: operations with their payloads, checked before they run; ablations and patches ready-made."""

from interp_lab.interventions.applied import applied
from interp_lab.interventions.combined import Combined
from interp_lab.interventions.directional import every_write, project_out, write_hooks
from interp_lab.interventions.intervention import Intervention, Place
from interp_lab.interventions.op import Op, apply_op, decoder_rows, require_codec, squared_length
from interp_lab.interventions.overlap import require_apart, require_members_apart, sites_overlap
from interp_lab.interventions.required import require_intervention
from interp_lab.interventions.values import Ablation, ablations, patches, reference_values, shared_prefix

__all__ = [
    "Ablation",
    "Combined",
    "Intervention",
    "Op",
    "Place",
    "ablations",
    "applied",
    "apply_op",
    "decoder_rows",
    "every_write",
    "patches",
    "project_out",
    "reference_values",
    "require_apart",
    "require_codec",
    "require_intervention",
    "require_members_apart",
    "shared_prefix",
    "sites_overlap",
    "squared_length",
    "write_hooks",
]
