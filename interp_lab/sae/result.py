"""What a training of autoencoders came to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from interp_lab.claims import Claim
from interp_lab.experiment import Provenance, Section
from interp_lab.sae import figures, sections, tables, texts
from interp_lab.sae.config import SaeTrainingConfig
from interp_lab.sae.evaluation import Evaluation
from interp_lab.sae.found import Found
from interp_lab.sae.made import Curves, Made, preflight_row, read_preflight


@dataclass(frozen=True)
class SaeTrainingResult(Found):
    """How the autoencoders of a run were made and what they keep on held-out text; they are in its folder `saes/`."""

    @classmethod
    def from_arrays(
        cls, config: SaeTrainingConfig, provenance: Provenance, arrays: dict[str, np.ndarray]
    ) -> "SaeTrainingResult":
        """Rebuild from what `arrays` returned."""
        made = tuple(Made.from_arrays(_below(f"made/{name}", arrays)) for name in config.all_trained.saes)
        return cls(
            config,
            provenance,
            read_preflight(arrays),
            made,
            Curves.from_arrays(_below("curves", arrays)),
            Evaluation.from_arrays(config.evaluation, _below("evaluation", arrays)),
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return everything that was found; how long it took is not among it."""
        parts = {"curves": self.curves.arrays(), "evaluation": self.evaluation.arrays()}
        parts |= {f"made/{one.name}": one.arrays() for one in self.made}
        found = {f"{part}/{name}": array for part, held in parts.items() for name, array in held.items()}
        return found | {name: np.array(value) for name, value in preflight_row(self.preflight).items()}

    def metrics(self) -> dict[str, float]:
        """Return flat numbers: those of the evaluation (`NAME.l0`, `NAME.r2`, ...), and what training says.

        `NAME.dead_share` (of the latents, by the criterion in the table; NaN if training was too short for that),
        `NAME.dead_never` (how many never fired while training), `NAME.final_mse` (squared error of reconstruction on
        the last batch), `NAME.final_loss` (with what the training adds to it: penalties, and the auxiliary loss);
        `activations.mean_share` and so on, before training.
        """
        found = self.evaluation.metrics()
        for one in self.made:
            found[f"{one.name}.dead_share"] = self.dead_share(one)
            found[f"{one.name}.dead_never"] = float(one.dead.n_never)
            found[f"{one.name}.final_mse"] = float(self.curves.of(one.name, "loss_mse")[-1])
            found[f"{one.name}.final_loss"] = float(self.curves.of(one.name, "loss")[-1])
        before = preflight_row(self.preflight).items()
        return found | {name.replace("preflight/", "activations."): value for name, value in before}

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return `autoencoders`, `activations`, `curves`, and those of the evaluation."""
        return {
            "autoencoders": tables.autoencoders_table(self),
            "activations": tables.activations_table(self.preflight),
            "curves": tables.curves_table(self.curves),
            **self.evaluation.tables(),
        }

    def figures(self) -> dict[str, go.Figure]:
        """Return the training curves, and those of the evaluation: frontiers and densities."""
        return {"training": figures.training_curves(self.curves, self.made), **self.evaluation.figures()}

    def sections(self) -> list[Section]:
        """Return what a report shows."""
        return sections.sections(self, self.tables(), self.figures())

    def claims(self) -> list[Claim]:
        """Return those of the evaluation: what is kept of the predictions in place of the activations, spliced in.

        They hold of autoencoders made here as of any others: documents to judge on are neither trained nor calibrated
        on, and nothing is chosen by them. What training says of itself is description, and claims nothing.
        """
        return self.evaluation.claims()

    def summary(self) -> str:
        """Return what was trained, and what each autoencoder keeps on held-out text."""
        return texts.summary(self, self.tables()["autoencoders"])


def _below(part: str, arrays: Mapping[str, Any]) -> dict[str, np.ndarray]:
    return {name.removeprefix(f"{part}/"): array for name, array in arrays.items() if name.startswith(f"{part}/")}
