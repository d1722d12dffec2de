"""What a training run of `organism-attn` came to."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from jaxtyping import Float

from interp_lab.claims import Claim, Split
from interp_lab.effects import evidence_against
from interp_lab.engine import Effects
from interp_lab.experiment import Provenance, Section
from interp_lab.plots import head_map, styled
from interp_lab.stats import bootstrap_interval
from interp_lab.training.anatomy import Anatomy
from interp_lab.training.card import ModelCard
from interp_lab.training.config import TrainOrganismAttnConfig
from interp_lab.training.figures import card_rows
from interp_lab.types import head_name


@dataclass(frozen=True)
class TrainingResult:
    """Losses of a training run, and the anatomy of the model beside that of an untrained one."""

    config: TrainOrganismAttnConfig
    provenance: Provenance
    losses: Float[np.ndarray, " step"]
    """Training loss (nats) of every step."""
    trained: Anatomy
    untrained: Anatomy

    @classmethod
    def from_arrays(
        cls, config: TrainOrganismAttnConfig, provenance: Provenance, arrays: dict[str, np.ndarray]
    ) -> "TrainingResult":
        """Rebuild from what `arrays` returned."""
        trained, untrained = (
            Anatomy.from_arrays({key[len(prefix) :]: value for key, value in arrays.items() if key.startswith(prefix)})
            for prefix in ("trained_", "untrained_")
        )
        return cls(config, provenance, arrays["losses"], trained, untrained)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return losses and everything measured, per sequence."""
        measured = {"trained_": self.trained, "untrained_": self.untrained}
        return {
            "losses": self.losses,
            **{prefix + key: value for prefix, anatomy in measured.items() for key, value in anatomy.arrays().items()},
        }

    def card(self) -> ModelCard:
        """Return the model card."""
        rows = card_rows(self.trained, self.untrained, config=self.config.card, n_symbols=self.config.text.n_symbols)
        return ModelCard(self.provenance.model.name, self.config.card, rows)

    def metrics(self) -> dict[str, float]:
        """Return the final training loss, the card's losses and scores, and whether its targets are met."""
        trained = self.trained
        return {
            "final_loss": float(self.losses[-1]),
            "first_copy_loss": float(trained.first_copy_loss[0].mean()),
            "second_copy_loss": float(trained.second_copy_loss[0].mean()),
            "best_previous_token": float(trained.previous_token[:, *trained.previous_head].mean()),
            "best_induction": float(trained.induction[:, *trained.induction_head].mean()),
            "card_met": float(self.card().met),
        }

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the card."""
        return {"card": self.card().table()}

    def figures(self) -> dict[str, Any]:
        """Return the training curve and the two attention scores of every head."""
        scores = {"previous-token score": self.trained.previous_token, "induction score": self.trained.induction}
        maps = {}
        for title, values in scores.items():
            found = bootstrap_interval(np.moveaxis(values, 0, -1).astype(float))
            maps[title] = head_map(found.estimate, found.low, found.high, title=title, unit="probability", limit=1.0)
        return {"training loss": self._curve(), **maps}

    def _curve(self) -> go.Figure:
        figure = go.Figure(go.Scatter(y=self.losses, x=np.arange(1, len(self.losses) + 1), mode="lines"))
        figure.update_xaxes(title="step")
        figure.update_yaxes(title="loss (nats)")
        return styled(figure, title="training loss", width=640, height=320)

    def sections(self) -> list[Section]:
        """Return the card's part of a report: what heads look like, and what the keys need."""
        figures = self.figures()
        rows = self.card().table()
        causal = rows["figure"].str.contains("resampled")
        return [
            Section(
                "What was learned, and which heads look like it",
                causal=False,
                suggests="the second copy is predicted by a previous-token head and an induction head",
                does_not_show="that the model needs these heads, or that one feeds the other",
                figures=figures,
                tables={"descriptive figures": rows[~causal]},
            ),
            Section(
                "Does the induction head read what the previous-token head writes?",
                causal=True,
                suggests="attention to the right token rests on this one head's output in the keys",
                does_not_show="what the values carry, nor other paths through the model",
                tables={"causal figures": rows[causal]},
            ),
        ]

    def claims(self) -> list[Claim]:
        """Return the one claim about the circuit: K-composition, tested head against other heads."""
        writer, reader = (head_name(head) for head in (self.trained.previous_head, self.trained.induction_head))
        own = self.trained.previous_head[1]
        without = self.trained.induction_without.astype(float)
        whole = self.trained.induction[:, *self.trained.induction_head].astype(float)
        others = np.delete(without, own, axis=0)
        effects = Effects(
            (f"resampling {writer} in the keys of {reader}",), "induction score", "probability",
            whole, (without[own] - whole)[None],
        )  # fmt: skip
        evidence = evidence_against(
            effects,
            (others.mean(0) - whole)[None],
            control_name=f"mean of the {len(others)} other heads of the layer",
            split=Split.REPORT,
        )
        score = self.trained.composition[own, self.trained.induction_head[1]]
        null = self.trained.random_composition
        observed = f"K-composition score {score:.3f}; random matrices {null.mean():.3f} +/- {null.std():.3f}"
        return [Claim(f"{reader} finds its key through {writer} (K-composition)", observed, evidence[0])]

    def summary(self) -> str:
        """Return the targets missed, if any, and the circuit."""
        card, claim = self.card(), self.claims()[0]
        missed = [row.figure for row in card.rows if not row.met]
        verdict = "every target met" if not missed else f"targets missed: {', '.join(missed)}"
        figures = "; ".join(f"{name} {value:.3f}" for name, value in self.metrics().items() if name != "card_met")
        return f"{card.name}: {verdict}\n{figures}\n{claim.statement}: {claim.grade}"
