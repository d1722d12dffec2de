"""What a training of autoencoders came to: everything that tables, figures and texts are made of."""

import math
from dataclasses import dataclass

from interp_lab.experiment import Provenance
from interp_lab.sae.config import SaeTrainingConfig
from interp_lab.sae.evaluation import Evaluation
from interp_lab.sae.made import Curves, Made
from interp_lab.sae.training import Preflight


@dataclass(frozen=True)
class Found:
    """How autoencoders were made, and what they keep on held-out text."""

    config: SaeTrainingConfig
    provenance: Provenance
    preflight: Preflight
    """Of the activations, before training."""
    made: tuple[Made, ...]
    curves: Curves
    evaluation: Evaluation

    def dead_share(self, one: Made) -> float:
        """Return how many of the latents are dead by its criterion (share); NaN if training was too short to tell."""
        every = self.config.all_trained
        return one.dead.share if every.n_steps > every.saes[one.name].dead_after else math.nan
