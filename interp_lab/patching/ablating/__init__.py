"""Ablation: which parts an answer needs, whether they write it themselves, and what stands in for what."""

from interp_lab.patching.ablating.config import AblatingConfig
from interp_lab.patching.ablating.experiment import Ablating
from interp_lab.patching.ablating.result import AblationResult

__all__ = ["Ablating", "AblatingConfig", "AblationResult"]
