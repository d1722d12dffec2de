"""What was found of features: arrays, and how they are shown."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from interp_lab.claims import Grade
from interp_lab.experiment import Provenance, Section
from interp_lab.hypotheses import Component, Confirmation
from interp_lab.runs.fields import from_arrays
from interp_lab.sae.causal import confirming, figures, sections, tables, texts
from interp_lab.sae.causal.claimed import FeatureClaims
from interp_lab.sae.causal.config import SELECTIONS, FeatureEffectsConfig
from interp_lab.sae.causal.selecting import Selected
from interp_lab.sae.causal.splits import SHARES, WAYS, Considered, FeatureSplit, TextEffects


@dataclass(frozen=True)
class FeatureEffectsResult(FeatureClaims):
    """The measurements as metrics, tables, figures and sections of a report."""

    @classmethod
    def from_arrays(
        cls, config: FeatureEffectsConfig, provenance: Provenance, arrays: dict[str, np.ndarray]
    ) -> "FeatureEffectsResult":
        """Rebuild from what `arrays` returned."""
        scores = {by: arrays[_key(by)] for by in SELECTIONS if _key(by) in arrays}
        named = config.latents is not None
        return cls(
            config=config,
            provenance=provenance,
            metric=str(arrays["metric"]),
            unit=str(arrays["unit"]),
            where=str(arrays["where"]),
            hook=str(arrays["hook"]),
            selected=Selected(arrays["considered"], scores, arrays["chosen"], named),
            fires_on=tuple(map(str, arrays["fires_on"])),
            writes=tuple(map(str, arrays["writes"])),
            select=Considered.from_arrays("select", arrays),
            report=FeatureSplit.from_arrays("report", arrays),
            held_out=FeatureSplit.from_arrays("held_out", arrays) if "held_out_clean" in arrays else None,
            text=from_arrays(TextEffects, "text", arrays),
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return numbers per prompt, and the names of what they are of."""
        found: dict[str, np.ndarray] = {
            "metric": np.array(self.metric),
            "unit": np.array(self.unit),
            "where": np.array(self.where),
            "hook": np.array(self.hook),
            "considered": self.selected.considered,
            "chosen": self.selected.chosen,
            "fires_on": np.array(self.fires_on, dtype=str),
            "writes": np.array(self.writes, dtype=str),
        }
        found |= {_key(by): scores for by, scores in self.selected.scores.items()}
        found |= self.select.arrays("select") | self.report.arrays("report")
        if self.held_out is not None:
            found |= self.held_out.arrays("held_out")
        return found if self.text is None else found | self.text.arrays("text")

    def metrics(self) -> dict[str, float]:
        """Return flat numbers of the report split.

        `clean`, `total_effect` (unit of the metric); `denoise.PART` and `noise.PART` for whole, features, error and
        chosen (shares of the total effect); `recall.METHOD`; counts of features and of claims that hold.
        """
        claims = self.claims()
        found = {
            "clean": float(self.report.clean.mean()),
            "total_effect": self.total.estimate,
            "n_considered": float(len(self.selected.considered)),
            "n_chosen": float(len(self.names)),
            "n_causal_claims": float(sum(claim.grade >= Grade.CAUSAL for claim in claims)),
            "n_replicated_claims": float(sum(claim.grade >= Grade.REPLICATED for claim in claims)),
        }
        for at, way in enumerate(WAYS):
            for nth, part in enumerate(SHARES):
                found[f"{way}.{str(part).replace(' ', '_')}"] = self.shares.at(at, nth).estimate
        for by in self.selected.scores:
            found[f"recall.{by.replace(' ', '_')}"] = self.recall(by, len(self.names))
        return found

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return `features`, `operations`, `shares`, `patches`, `growing`, `selection`, `scores`, and any `text`."""
        found = {
            "features": tables.features_table(self),
            "operations": tables.operations_table(self),
            "shares": tables.shares_table(self),
            "patches": tables.patches_table(self),
            "growing": tables.growing_table(self),
            "selection": tables.selection_table(self),
            "scores": tables.scores_table(self),
            "text": tables.text_table(self),
        }
        return {name: table for name, table in found.items() if not table.empty}

    def figures(self) -> dict[str, go.Figure]:
        """Return features beside their controls, what goes through features, growing sets, and ways to choose."""
        return {
            "effects": figures.effects_plot(self),
            "shares": figures.shares_plot(self),
            "growing": figures.growing_curve(self),
            "selection": figures.selection_curve(self),
        }

    def sections(self) -> list[Section]:
        """Return what features fire on (descriptive), and then what changing them does (causal)."""
        return sections.sections(self, self.tables(), self.figures())

    def confirmation(self) -> Confirmation | None:
        """Return how what is claimed is tested on other examples; `None` if none of it holds."""
        return confirming.confirmation(self)

    def components(self) -> list[Component]:
        """Return what is lost by changing each chosen latent."""
        return confirming.components(self)

    def summary(self) -> str:
        """Return what was found, in a few lines."""
        return texts.summary(self)


def _key(by: str) -> str:
    return f"score_{by.replace(' ', '_')}"
