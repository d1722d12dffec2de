"""Autoencoders on text that nothing was trained on: cost, reconstruction, and what splicing them in does."""

from interp_lab.sae.evaluation.config import EvaluationConfig
from interp_lab.sae.evaluation.evaluate import evaluate
from interp_lab.sae.evaluation.evaluation import Evaluation
from interp_lab.sae.evaluation.measuring import NonFiniteReconstructionError
from interp_lab.sae.evaluation.reconstruction import r_squared
from interp_lab.sae.evaluation.stability import matched_cosines

__all__ = [
    "Evaluation",
    "EvaluationConfig",
    "NonFiniteReconstructionError",
    "evaluate",
    "matched_cosines",
    "r_squared",
]
