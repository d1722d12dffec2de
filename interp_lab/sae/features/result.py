"""What was found of a dictionary's features: arrays, and how they are shown."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from interp_lab.claims import Claim
from interp_lab.experiment import Provenance, Section
from interp_lab.sae.features import figures, reported, texts
from interp_lab.sae.features.combination import FEW, PAIR, SINGLE, Combination
from interp_lab.sae.features.config import SaeFeaturesConfig
from interp_lab.sae.features.differing import Difference
from interp_lab.sae.features.monitored import monitors_table
from interp_lab.sae.features.overview import Overview
from interp_lab.sae.features.sections import sections
from interp_lab.sae.features.stored import (
    combination_arrays,
    combination_from,
    difference_arrays,
    difference_from,
    prefixes,
)

N_CLAIMED = 2
"""Features of each comparison of which something is said in a claim."""


@dataclass(frozen=True)
class SaeFeaturesResult:
    """All features in numbers, those of interest in words; the whole is in the run's folder `features`."""

    config: SaeFeaturesConfig
    provenance: Provenance
    overview: Overview
    differences: tuple[Difference, ...]
    combined: tuple[Combination, ...]

    @classmethod
    def from_arrays(
        cls, config: SaeFeaturesConfig, provenance: Provenance, arrays: dict[str, np.ndarray]
    ) -> "SaeFeaturesResult":
        """Rebuild from what `arrays` returned."""
        return cls(
            config,
            provenance,
            Overview.from_arrays(arrays),
            tuple(difference_from(arrays, prefix) for prefix in prefixes(arrays, "difference")),
            tuple(combination_from(arrays, prefix) for prefix in prefixes(arrays, "combination")),
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return numbers of every feature, and values per document of those that were chosen."""
        found = self.overview.arrays()
        for nth, one in enumerate(self.differences):
            found |= difference_arrays(one, f"difference_{nth}")
        for nth, one in enumerate(self.combined):
            found |= combination_arrays(one, f"combination_{nth}")
        return found

    def metrics(self) -> dict[str, float]:
        """Return flat numbers.

        `n_latents`, `never_active` (share of features), `active_per_token`, `median_density` (of those that are
        active), `one_token` (share of these that are active mostly at one token); for every set and reading `_clear`
        (features that differ on the choosing half) and `_again` (of those reported, share found again on the other
        half); for every reading accuracy of classifiers on held-out templates (on other documents, if no template is
        held out), and there areas under the ROC curve of monitors and of single contexts (`auroc_NAME`).
        """
        overview, fdr = self.overview, self.config.fdr
        alive = ~overview.dead
        found = {
            "n_latents": float(len(alive)),
            "never_active": float(overview.dead.mean()),
            "active_per_token": reported.mean_active_per_token(overview),
            "median_density": float(np.median(overview.numbers["density"][alive])) if alive.any() else 0.0,
            "one_token": float((overview.numbers["top_token_share"][alive] >= 0.5).mean()) if alive.any() else 0.0,
        }
        for one in self.differences:
            name, again = f"{one.name}_{one.reading}".replace(" ", "_"), one.holds(fdr=fdr)
            found[f"{name}_clear"] = float(one.chosen.n_clear)
            found[f"{name}_again"] = sum(word != "no" for word in again) / len(again) if again else 0.0
        for one in self.combined:
            for name in (SINGLE, PAIR, FEW):
                held = reported.accuracy(one.tested, name, one.names, level=self.config.level)
                found[f"{one.reading}_{name.replace(' ', '_')}"] = held.estimate
            if one.monitors is not None:
                for nth, name in enumerate(one.monitors.names):
                    areas, _, _ = list(one.monitors.parts.values())[-1]
                    found[f"auroc_{name.replace(' ', '_').replace(',', '')}"] = float(areas[nth].mean())
        return found

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return tables `shown`, `dense`, `sets`, `differences`, `combination`, `contexts`, `weights`, `monitors`."""
        c = self.config
        found = {"shown": reported.shown_table(self.overview), "dense": reported.dense_table(self.overview)}
        if self.differences:
            found["sets"] = reported.sets_table(self.differences, fdr=c.fdr)
            found["differences"] = reported.differences_table(self.differences, self.overview, fdr=c.fdr)
        if self.combined:
            found["combination"] = reported.combination_table(self.combined, level=c.level)
            found["contexts"] = reported.contexts_table(self.combined)
            found["weights"] = reported.weights_table(self.combined, self.overview)
            for watching in (one.monitors for one in self.combined if one.monitors is not None):
                found["monitors"] = monitors_table(watching, level=c.level)
        return found

    def figures(self) -> dict[str, go.Figure]:
        """Return `density`, `specific`; `volcano_N` and `effects_N` of comparison N; `accuracy_READING`."""
        c = self.config
        return figures.all_figures(self.overview, self.differences, self.combined, fdr=c.fdr, level=c.level)

    def claims(self) -> list[Claim]:
        """Return which features differ most, of those found again; observed, not tested by any intervention."""
        found = []
        for one in self.differences:
            words = one.holds(fdr=self.config.fdr)
            largest = zip(reported.largest_effects(one, len(words)), words, strict=True)
            for (latent, effect), again in [(told, word) for told, word in largest if word != "no"][:N_CLAIMED]:
                side, other = one.names if effect.estimate > 0 else one.names[::-1]
                found.append(
                    Claim(
                        f"feature {latent} is more active in {side} than in {other} ({one.name}, {one.reading})",
                        f"{reported.told_effect(effect)} (reporting half); found again: {again}",
                        alpha=self.config.fdr,
                    )
                )
        return found

    def sections(self) -> list[Section]:
        """Return what a report shows."""
        found = (self.differences, self.combined)
        return sections(self.config, self.overview, found, self.tables(), self.figures())

    def summary(self) -> str:
        """Return what was found, in a few lines."""
        return texts.summary(self.config, self.overview, self.differences, self.combined)
