"""Sparse autoencoders: trained through SAE Lens, judged on held-out text, described, and tested by intervention.

`evaluation`, `concepts`, `features` and `causal` are experiments of their own; `dashboard` and `naming` show and name
what `features` found.
"""

from interp_lab.sae.chosen import SaeChoice, load_chosen
from interp_lab.sae.config import SaeTrainingConfig
from interp_lab.sae.experiment import SaeTraining
from interp_lab.sae.result import SaeTrainingResult
from interp_lab.sae.training import LoadedSae, load_sae

__all__ = [
    "LoadedSae",
    "SaeChoice",
    "SaeTraining",
    "SaeTrainingConfig",
    "SaeTrainingResult",
    "load_chosen",
    "load_sae",
]
