"""Part B: what a steered model writes, and how well it still writes it."""

from interp_lab.steering.generated.config import GeneratedConfig
from interp_lab.steering.generated.generated import Generated
from interp_lab.steering.generated.measured import Classifier, generated_of
from interp_lab.steering.generated.writing import Subject

__all__ = ["Classifier", "Generated", "GeneratedConfig", "Subject", "generated_of"]
