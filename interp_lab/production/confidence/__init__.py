"""How likely is an answer to be right, and how far can one go by that?"""

from interp_lab.production.confidence.asked import Question, question
from interp_lab.production.confidence.assessing import Assessment, Reason, assess, assess_all
from interp_lab.production.confidence.config import ConfidenceConfig
from interp_lab.production.confidence.experiment import Confidence, NothingToCalibrateError
from interp_lab.production.confidence.levels import LEVELS, level_of
from interp_lab.production.confidence.result import ConfidenceResult
from interp_lab.production.confidence.saved import load_calibration, save_calibration

__all__ = [
    "LEVELS", "Assessment", "Confidence", "ConfidenceConfig", "ConfidenceResult", "NothingToCalibrateError", "Question",
    "Reason", "assess", "assess_all", "level_of", "load_calibration", "question", "save_calibration",
]  # fmt: skip
