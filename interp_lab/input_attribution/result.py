"""What maps and checks found: arrays, and how they are shown."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from interp_lab.claims import Grade
from interp_lab.experiment import Provenance, Section
from interp_lab.hypotheses import Component, Confirmation
from interp_lab.input_attribution import confirming, figures, sections, tables, texts
from interp_lab.input_attribution.claimed import AttributionClaims
from interp_lab.input_attribution.config import InputAttributionConfig
from interp_lab.input_attribution.measured import MapsOfSplit
from interp_lab.input_attribution.sanity import Sanity
from interp_lab.runs.fields import from_arrays

_SPLITS = ("select", "report", "held_out")


@dataclass(frozen=True)
class InputAttributionResult(AttributionClaims):
    """The measurements as metrics, tables, figures and sections of a report."""

    @classmethod
    def from_arrays(
        cls, config: InputAttributionConfig, provenance: Provenance, arrays: dict[str, np.ndarray]
    ) -> "InputAttributionResult":
        """Rebuild from what `arrays` returned."""
        splits = {name: MapsOfSplit.from_arrays(name, arrays) for name in _SPLITS if f"{name}_clean" in arrays}
        return cls(
            config=config,
            provenance=provenance,
            unit=str(arrays["unit"]),
            select=splits["select"],
            report=splits["report"],
            held_out=splits.get("held_out"),
            sanity=from_arrays(Sanity, "sanity", arrays),
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return numbers per prompt, and the tokens and templates that they are of."""
        found: dict[str, np.ndarray] = {"unit": np.array(self.unit)}
        for split in _SPLITS:
            part = getattr(self, split)
            found |= {} if part is None else part.arrays(split)
        return found if self.sanity is None else found | self.sanity.arrays("sanity")

    def metrics(self) -> dict[str, float]:
        """Return flat numbers of the report half.

        Of each map `NAME/comprehensiveness` (first removal) and `NAME/tau` (with exact patching); of random orders the
        same; tau is that of the tokens in which prompts differ, and left out where no prompt has two. `clean`,
        `n_disagreements`, and counts of claims that hold.
        """
        n, claims = len(self.names), self.claims()
        needed = self.report.curves(0).comprehensiveness.mean(-1)
        tau = [self.over(one).estimate for one in (*self.report.kendall[-1], self.report.by_lot.mean(0))]
        found = {"clean": float(self.report.clean.mean())}
        for nth, name in enumerate(self.names):
            key = name.replace(" (", "_").rstrip(")").replace(" ", "_")
            found |= {f"{key}/comprehensiveness": float(needed[nth]), f"{key}/tau": tau[nth]}
        found["random/comprehensiveness"] = float(needed[n:].mean())
        found["random/tau"] = tau[-1]
        found["n_disagreements"] = float(len(self.comparison.disagreements()))
        found["n_causal_claims"] = float(sum(claim.grade >= Grade.CAUSAL for claim in claims))
        found["n_replicated_claims"] = float(sum(claim.grade >= Grade.REPLICATED for claim in claims))
        return {name: value for name, value in found.items() if np.isfinite(value)}

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return `removal`, `checks`, `agreement`, `places`, and what there is of the others."""
        found = {
            "removal": tables.removal_table(self),
            "completeness": tables.completeness_table(self),
            "checks": tables.checks_table(self),
            "cascade": tables.cascade_table(self),
            "agreement": tables.agreement_table(self),
            "places": self.comparison.table(),
            "disagreements": tables.disagreements_table(self),
        }
        return {name: table for name, table in found.items() if not table.empty}

    def figures(self) -> dict[str, Any]:
        """Return token strips (HTML), methods compared, curves of the first removal, agreement and randomisation."""
        found: dict[str, Any] = {
            "strips": figures.strips(self),
            "places": figures.places_figure(self),
            "agreement": figures.agreement_matrix(self),
            "methods": figures.methods_compared(self),
            "randomised": figures.randomised(self),
        }
        for nth, by in enumerate(self.config.removals):
            found[f"deletion ({by})"] = figures.removal_curve(self, nth, insertion=False)
            found[f"insertion ({by})"] = figures.removal_curve(self, nth, insertion=True)
        return {name: figure for name, figure in found.items() if figure is not None}

    def sections(self) -> list[Section]:
        """Return maps and checks (descriptive), and what removal and patching do (causal)."""
        return sections.sections(self, self.tables(), self.figures())

    def confirmation(self) -> Confirmation | None:
        """Return how what is claimed is tested on other examples; `None` if none of it holds."""
        return confirming.confirmation(self)

    def components(self) -> list[Component]:
        """Return what is said of the places of a prompt."""
        return confirming.components(self)

    def summary(self) -> str:
        """Return what was found, in a few lines."""
        return texts.summary(self)
