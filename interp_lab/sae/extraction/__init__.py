"""Activations of a text, kept for whoever trains or measures on them."""

from interp_lab.sae.extraction.config import ExtractionConfig
from interp_lab.sae.extraction.experiment import Extraction
from interp_lab.sae.extraction.result import ExtractionResult

__all__ = ["Extraction", "ExtractionConfig", "ExtractionResult"]
