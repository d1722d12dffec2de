"""Features changed: which an answer needs beside matched controls, and how much of it goes through features at all."""

from interp_lab.sae.causal.config import FeatureEffectsConfig, Operation
from interp_lab.sae.causal.directions import Directions
from interp_lab.sae.causal.experiment import FeatureEffects
from interp_lab.sae.causal.result import FeatureEffectsResult

__all__ = ["Directions", "FeatureEffects", "FeatureEffectsConfig", "FeatureEffectsResult", "Operation"]
