"""What a training run of `organism` or `organism-tuned` came to."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from jaxtyping import Float

from interp_lab.claims import Claim
from interp_lab.experiment import Provenance, Section
from interp_lab.plots import styled
from interp_lab.training.card import ModelCard
from interp_lab.training.measure import Conducts
from interp_lab.training.organism_config import OrganismTrainingConfig


@dataclass(frozen=True)
class OrganismResult:
    """Losses of a training run, and the conduct of the model beside its controls."""

    config: OrganismTrainingConfig
    provenance: Provenance
    losses: Float[np.ndarray, " step"]
    """Training loss (nats) of every step."""
    conducts: Conducts

    @classmethod
    def from_arrays(
        cls, config: OrganismTrainingConfig, provenance: Provenance, arrays: dict[str, np.ndarray]
    ) -> "OrganismResult":
        """Rebuild from what `arrays` returned."""
        return cls(config, provenance, arrays["losses"], Conducts.from_arrays(arrays))

    def arrays(self) -> dict[str, np.ndarray]:
        """Return losses and everything measured, per text."""
        return {"losses": self.losses, **self.conducts.arrays()}

    def card(self) -> ModelCard:
        """Return the model card."""
        return ModelCard(self.provenance.model.name, self.config.card, self.conducts.rows())

    def metrics(self) -> dict[str, float]:
        """Return the final training loss, the mean of every figure, and whether the card's targets are met."""
        return {
            "final_loss": float(self.losses[-1]),
            **self.conducts.trained.means(),
            "card_met": float(self.card().met),
        }

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the card."""
        return {"card": self.card().table()}

    def figures(self) -> dict[str, Any]:
        """Return the training curve."""
        figure = go.Figure(go.Scatter(y=self.losses, x=np.arange(1, len(self.losses) + 1), mode="lines"))
        figure.update_xaxes(title="step")
        figure.update_yaxes(title="loss (nats)")
        return {"training loss": styled(figure, title="training loss", width=640, height=320)}

    def sections(self) -> list[Section]:
        """Return the card's part of a report: behaviour, and nothing about how it comes about."""
        return [
            Section(
                "What the model does, behaviour by behaviour",
                causal=False,
                suggests="which planted rules, facts and biases the model follows",
                does_not_show="by what means it follows them, nor what it does with text of another kind",
                figures=self.figures(),
                tables=self.tables(),
            )
        ]

    def claims(self) -> list[Claim]:
        """Return none: a card says what a model does, and no intervention was made on it."""
        return []

    def summary(self) -> str:
        """Return the targets missed, if any, with their figures."""
        card = self.card()
        missed = [f"{row.figure} {row.value}, target {row.target}" for row in card.rows if not row.met]
        verdict = "every target met" if not missed else "targets missed:\n  " + "\n  ".join(missed)
        return f"{card.name}: final loss {self.losses[-1]:.3f} nats, {len(card.rows)} figures; {verdict}"
