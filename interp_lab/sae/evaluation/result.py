"""What the experiment found: an evaluation, and where it came from."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from interp_lab.claims import Claim
from interp_lab.experiment import Provenance, Section
from interp_lab.sae.evaluation import texts
from interp_lab.sae.evaluation.config import SaeEvaluationConfig
from interp_lab.sae.evaluation.evaluation import Evaluation


@dataclass(frozen=True)
class SaeEvaluationResult:
    """An evaluation as a result that outlives the model."""

    config: SaeEvaluationConfig
    provenance: Provenance
    found: Evaluation

    @classmethod
    def from_arrays(
        cls, config: SaeEvaluationConfig, provenance: Provenance, arrays: dict[str, np.ndarray]
    ) -> "SaeEvaluationResult":
        """Rebuild from what `arrays` returned."""
        return cls(config, provenance, Evaluation.from_arrays(config, arrays))

    def arrays(self) -> dict[str, np.ndarray]:
        """Return sums by document."""
        return self.found.arrays()

    def metrics(self) -> dict[str, float]:
        """Return flat numbers; see `Evaluation.metrics`."""
        return self.found.metrics()

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return codecs, losses, differences and stability; see `Evaluation.tables`."""
        return self.found.tables()

    def figures(self) -> dict[str, go.Figure]:
        """Return frontiers and densities."""
        return self.found.figures()

    def sections(self) -> list[Section]:
        """Return what a report shows."""
        return self.found.sections()

    def claims(self) -> list[Claim]:
        """Return what is kept of the predictions, against each baseline."""
        return self.found.claims()

    def summary(self) -> str:
        """Return what was found, a line per autoencoder or baseline."""
        return texts.summary(self.found)
