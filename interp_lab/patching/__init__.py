"""Activation patching: which activations carry what a corruption changes, estimates of it, and what backs up what."""

from interp_lab.patching.ablation import ablation_effects
from interp_lab.patching.agreement import agreement
from interp_lab.patching.atp_star import atp_star
from interp_lab.patching.attribution import attribution
from interp_lab.patching.config import PatchingConfig
from interp_lab.patching.direct_logit_attribution import direct_logit_attribution
from interp_lab.patching.experiment import Patching
from interp_lab.patching.prescreen import prescreen
from interp_lab.patching.result import PatchingResult
from interp_lab.patching.sets import backup_pairs, cumulative_effects, set_effects
from interp_lab.patching.stability import top_site_stability

__all__ = [
    "Patching",
    "PatchingConfig",
    "PatchingResult",
    "ablation_effects",
    "agreement",
    "atp_star",
    "attribution",
    "backup_pairs",
    "cumulative_effects",
    "direct_logit_attribution",
    "prescreen",
    "set_effects",
    "top_site_stability",
]
