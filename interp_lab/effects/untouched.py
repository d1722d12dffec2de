"""The pairs of one split without any intervention: what the corruption costs, and what intervals resample."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from interp_lab.runs.fields import KeptFields


@dataclass(frozen=True)
class Untouched(KeptFields):
    """The metric on both prompts of every pair of a split; experiments add what they change."""

    clean: Float[np.ndarray, " example"]
    corrupted: Float[np.ndarray, " example"]
    templates: Shaped[np.ndarray, " example"]
    """Names; see `clusters`."""
    preference: Float[np.ndarray, " example"]
    """Fall of the logit difference under the corruption, where the metric is a cost; else NaN. See `behaviour`."""

    @property
    def clusters(self) -> Shaped[np.ndarray, " example"]:
        """What intervals resample: templates, or pairs where all are of one template."""
        return self.templates if self.has_templates else np.arange(len(self.templates))

    @property
    def has_templates(self) -> bool:
        """Whether there are several templates, so that intervals can speak for others like them."""
        return len(set(self.templates.tolist())) > 1

    @property
    def total(self) -> Float[np.ndarray, " example"]:
        """What the corruption costs."""
        return self.clean - self.corrupted
