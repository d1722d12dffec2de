"""What ablations found: arrays, and how they are shown."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from interp_lab.claims import Grade
from interp_lab.experiment import Provenance, Section
from interp_lab.hypotheses import Component, Confirmation
from interp_lab.patching.ablating import confirming, figures, sections, tables, texts
from interp_lab.patching.ablating.claimed import AblationClaims, Verdict
from interp_lab.patching.ablating.config import AblatingConfig
from interp_lab.patching.ablating.parts import AblatedSites, map_of_each
from interp_lab.patching.ablating.plan import Plan
from interp_lab.patching.ablating.screen import Screened
from interp_lab.patching.ablating.splits import AblatedSplit
from interp_lab.runs.fields import from_arrays
from interp_lab.types import Site

_SPLITS = ("select", "report", "held_out")


@dataclass(frozen=True)
class AblationResult(AblationClaims):
    """The measurements as metrics, tables, figures and sections of a report."""

    @classmethod
    def from_arrays(
        cls, config: AblatingConfig, provenance: Provenance, arrays: dict[str, np.ndarray]
    ) -> "AblationResult":
        """Rebuild from what `arrays` returned."""
        sites = tuple(Site.named(str(name)) for name in arrays["sites"])
        refused = str(arrays["direct_refused"])
        splits = {
            split: AblatedSplit.from_arrays(split, arrays) for split in _SPLITS if f"{split}_clean" in arrays
        }  # fmt: skip
        return cls(
            config=config,
            provenance=provenance,
            metric=str(arrays["metric"]),
            unit=str(arrays["unit"]),
            sites=AblatedSites(sites, map_of_each(sites)),
            plan=Plan(arrays["chosen"], arrays["orders"], arrays["backups"]),
            direct_refused=refused or None,
            select=splits["select"],
            report=splits["report"],
            held_out=splits.get("held_out"),
            directions=tuple(map(str, arrays["directions"])),
            screen=from_arrays(Screened, "screen", arrays),
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return numbers per prompt, and the names of what they are of."""
        found: dict[str, np.ndarray] = {
            "metric": np.array(self.metric),
            "unit": np.array(self.unit),
            "sites": np.array(self.names),
            "chosen": self.plan.chosen,
            "orders": self.plan.orders,
            "backups": self.plan.backups,
            "direct_refused": np.array(self.direct_refused or ""),
            "directions": np.array(self.directions, dtype=str),
        }
        for split in _SPLITS:
            part = getattr(self, split)
            found |= {} if part is None else part.arrays(split)
        return found if self.screen is None else found | self.screen.arrays("screen")

    def metrics(self) -> dict[str, float]:
        """Return flat numbers of the report split.

        `clean`, `total_effect`, `left_after_all` (metric with the whole cumulative order ablated; unit of the metric),
        counts of parts by verdict, of stand-ins, and of claims that hold; `direct_agreement` (correlation over parts,
        -1 to 1) and `prescreen_recall` (share) where there are any.
        """
        backups, claims = tables.backups_table(self), self.claims()
        found = {
            "clean": float(self.report.clean.mean()),
            "total_effect": self.total.estimate,
            "left_after_all": float((self.report.clean + self.report.cumulative[0, -1]).mean()),
            "n_chosen": float(len(self.plan.chosen)),
            "n_write_and_needed": float(len(self.with_verdict(Verdict.BOTH))),
            "n_write_only": float(len(self.with_verdict(Verdict.WRITES))),
            "n_needed_only": float(len(self.with_verdict(Verdict.NEEDED))),
            "n_against": float(len(self.with_verdict(Verdict.AGAINST))),
            "n_backups": 0.0 if backups.empty else float((backups["finding"] == "backup").sum()),
            "n_causal_claims": float(sum(claim.grade >= Grade.CAUSAL for claim in claims)),
            "n_replicated_claims": float(sum(claim.grade >= Grade.REPLICATED for claim in claims)),
        }
        if self.agreements[0] is not None:
            found["direct_agreement"] = self.agreements[0].pearson.estimate
        if self.screen is not None and self.screen.recall is not None:
            found["prescreen_recall"] = self.screen.recall
        return found

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return `sites`, `cumulative`; `sets`, `backups`, `agreement`, `directions`, `prescreen` if there are any."""
        found = {
            "sites": tables.sites_table(self),
            "sets": tables.sets_table(self),
            "cumulative": tables.cumulative_table(self),
            "backups": tables.backups_table(self),
            "agreement": tables.agreement_table(self),
            "directions": tables.directions_table(self),
        }
        if self.screen is not None:
            found["prescreen"] = tables.prescreen_table(self)
        return {name: table for name, table in found.items() if not table.empty}

    def figures(self) -> dict[str, go.Figure]:
        """Return maps of what is lost and what is written, both side by side, the cumulative curve, and stand-ins."""
        found = {
            "direct": None if self.direct is None else figures.direct_map(self),
            "ablated": figures.ablated_map(self),
            "compared": figures.compared(self),
            "cumulative": figures.cumulative_curve(self),
            "backups": figures.backups_plot(self),
            "directions": figures.directions_plot(self) if self.directions else None,
        }
        return {name: figure for name, figure in found.items() if figure is not None}

    def sections(self) -> list[Section]:
        """Return what parts write (descriptive), and then what is lost without them (causal)."""
        return sections.sections(self, self.tables(), self.figures())

    def confirmation(self) -> Confirmation | None:
        """Return how what is claimed is tested on other examples; `None` if none of it holds."""
        return confirming.confirmation(self)

    def components(self) -> list[Component]:
        """Return what is lost without each part, and what it writes."""
        return confirming.components(self)

    def summary(self) -> str:
        """Return what was found, in a few lines."""
        return texts.summary(self)
