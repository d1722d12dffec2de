"""What toy models and dictionaries measured, with intervals over seeds."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from interp_lab.experiment import Provenance
from interp_lab.similarity.superposition.config import SuperpositionConfig
from interp_lab.similarity.superposition.geometry import Phase, dimensionality, lengths, phases
from interp_lab.stats import Intervals, bootstrap_interval
from interp_lab.types import UNMEASURED, Interval

DICTIONARIES = ("autoencoder", "random directions", "principal components")
SCORES = ("largest cosine", "matched cosine", "matched correlation")
PhaseName = Literal["absent", "alone", "superposed"]


@dataclass(frozen=True)
class SuperpositionMeasurements:
    """Numbers of every model; seeds are the independent units."""

    config: SuperpositionConfig
    provenance: Provenance
    weights: Float[np.ndarray, "density seed hidden feature"]
    bias: Float[np.ndarray, "density seed feature"]
    losses: Float[np.ndarray, "density seed step"]
    decoder: Float[np.ndarray, "density seed latent hidden"]
    scores: Float[np.ndarray, "dictionary score density seed"]
    """NaN for models that represent nothing."""

    @cached_property
    def dimensions(self) -> Float[np.ndarray, "density seed feature"]:
        """Dimensionality of every feature."""
        return dimensionality(self.weights)

    @cached_property
    def phases(self) -> Int[np.ndarray, "density seed feature"]:
        """What became of every feature; see `Phase`."""
        return phases(self.weights)

    @property
    def represented(self) -> Bool[np.ndarray, "density seed feature"]:
        """Whether a model keeps a feature."""
        return self.phases != Phase.ABSENT

    def interval(self, values: Float[np.ndarray, "*site seed"]) -> Intervals:
        """Return means over seeds with their intervals."""
        return bootstrap_interval(values.astype(float), level=self.config.level, seed=self.config.seed)

    def phase_share(self, phase: PhaseName) -> Intervals:
        """Return the share of features in a phase, by density."""
        return self.interval((self.phases == Phase[phase.upper()]).mean(-1))

    def score(self, dictionary: int, score: int, density: int) -> Interval:
        """Return a dictionary's score at a density, over models that represent something; NaN if fewer than two do."""
        own = self.scores[dictionary, score, density]
        own = own[np.isfinite(own)]
        return self.interval(own).at() if len(own) > 1 else UNMEASURED

    def phases_table(self) -> pd.DataFrame:
        """Return one row per density: shares of features by phase, and dimensions per represented feature."""
        shares = {name: self.phase_share(name) for name in ("absent", "alone", "superposed")}
        rows = []
        for nth, density in enumerate(self.config.densities):
            row: dict[str, object] = {"density": density, "loss": float(self.losses[nth, :, -1].mean())}
            for name, own in shares.items():
                row |= own.at(nth).columns(name)
            kept = self.represented[nth]
            row["dimensions"] = float(self.dimensions[nth][kept].mean()) if kept.any() else np.nan
            rows.append(row)
        return pd.DataFrame(rows)

    def features_table(self) -> pd.DataFrame:
        """Return one row per density and feature: its dimensionality and length, over seeds."""
        dimensions = self.interval(np.swapaxes(self.dimensions, 1, 2))
        length = self.interval(np.swapaxes(lengths(self.weights), 1, 2))
        return pd.DataFrame(
            [
                {"density": density, "feature": feature}
                | dimensions.at(nth, feature).columns("dimensionality")
                | length.at(nth, feature).columns("length")
                for nth, density in enumerate(self.config.densities)
                for feature in range(self.config.n_features)
            ]
        )

    def recovery_table(self) -> pd.DataFrame:
        """Return one row per density and dictionary: its scores on represented features, over seeds."""
        return pd.DataFrame(
            [
                {"density": density, "dictionary": name}
                | {
                    key: value
                    for score, label in enumerate(SCORES)
                    for key, value in self.score(nth, score, at).columns(label.replace(" ", "_")).items()
                }
                for at, density in enumerate(self.config.densities)
                for nth, name in enumerate(DICTIONARIES)
            ]
        )
