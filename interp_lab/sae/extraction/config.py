"""Config of an extraction of activations."""

from pathlib import Path

from pydantic import Field, NonNegativeInt

from interp_lab.config import ModelConfig
from interp_lab.sae.activations import ActivationsConfig


class ExtractionConfig(ModelConfig):
    """Which activations are written, and where."""

    activations: ActivationsConfig
    root: Path | None = None
    """Folder of stores, where trainings that name the same one (`activations.root`) find this. `None` is the run's
    folder."""
    level: float = Field(0.95, gt=0, lt=1)
    """Of intervals (probability)."""
    seed: NonNegativeInt = 0
    """Of the bootstrap."""
