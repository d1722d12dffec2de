"""What activation patching found: arrays, and how they are shown."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from interp_lab.claims import Grade, Split
from interp_lab.experiment import Provenance, Section
from interp_lab.hypotheses import Component, Confirmation
from interp_lab.patching import confirming
from interp_lab.patching.changes import Patch, SplitMeasurements
from interp_lab.patching.choice import MapLabels
from interp_lab.patching.claimed import PatchingClaims
from interp_lab.patching.config import PatchingConfig
from interp_lab.patching.stability import top_site_stability
from interp_lab.patching.tables import sites_table, stability_table
from interp_lab.patching.texts import does_not_show, suggests, summary
from interp_lab.plots import interval_plot, site_heatmap
from interp_lab.stats import Intervals
from interp_lab.stats.overlap import Overlap

_SPLITS = ("select", "report", "held_out")
_TITLES = {
    Patch.DENOISE: "clean value into the corrupted run (denoising)",
    Patch.NOISE: "corrupted value into the clean run (noising)",
}


@dataclass(frozen=True)
class PatchingResult(PatchingClaims):
    """The measurements as metrics, tables, figures and sections of a report."""

    @classmethod
    def from_arrays(
        cls, config: PatchingConfig, provenance: Provenance, arrays: dict[str, np.ndarray]
    ) -> "PatchingResult":
        """Rebuild from what `arrays` returned."""
        maps, first = {}, 0
        for name in map(str, arrays["maps"]):
            rows, columns = (tuple(map(str, arrays[f"{name}_{axis}"])) for axis in ("rows", "columns"))
            row_title, column_title = map(str, arrays[f"{name}_titles"])
            maps[name] = MapLabels(rows, columns, row_title, column_title, first)
            first += len(rows) * len(columns)
        splits = {
            split: SplitMeasurements.from_arrays(split, arrays) for split in _SPLITS if f"{split}_clean" in arrays
        }
        return cls(
            config=config,
            provenance=provenance,
            metric=str(arrays["metric"]),
            unit=str(arrays["unit"]),
            same_answers=bool(arrays["same_answers"]),
            names=tuple(map(str, arrays["names"])),
            maps=maps,
            select=splits["select"],
            report=splits["report"],
            held_out=splits.get("held_out"),
            chosen=arrays["chosen"],
            by_construction=arrays["by_construction"],
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return numbers per example, and the names of what they are of."""
        found: dict[str, np.ndarray] = {
            "metric": np.array(self.metric),
            "unit": np.array(self.unit),
            "same_answers": np.array(self.same_answers),
            "names": np.array(self.names),
            "maps": np.array(list(self.maps)),
            "chosen": self.chosen,
            "by_construction": self.by_construction,
        }
        for name, labels in self.maps.items():
            found[f"{name}_rows"] = np.array(labels.rows)
            found[f"{name}_columns"] = np.array(labels.columns)
            found[f"{name}_titles"] = np.array([labels.row_title, labels.column_title])
        for split in _SPLITS:
            part = getattr(self, split)
            found |= {} if part is None else part.arrays(split)
        return found

    def metrics(self) -> dict[str, float]:
        """Return flat numbers of the report split.

        `clean`, `corrupted` and `total_effect` (unit of the metric); `n_chosen` sites, `n_disagreements` between
        denoising and noising over all sites, `n_causal_claims` and `n_replicated_claims` (0 if nothing is asked); by
        map `..._stability` (mean overlap of the top sites, 0 to 1), and if claims are made `..._chosen_together`
        (effect of denoising its chosen sites together, unit of effects).
        """
        found = {
            "clean": float(self.report.clean.mean()),
            "corrupted": float(self.report.corrupted.mean()),
            "total_effect": self.total.estimate,
            "n_chosen": float(len(self.chosen)),
            "n_disagreements": float(self.disagrees.sum()),
            "n_causal_claims": float(sum(claim.grade >= Grade.CAUSAL for claim in self.claims())),
            "n_replicated_claims": float(sum(claim.grade >= Grade.REPLICATED for claim in self.claims())),
        }
        for name, stability in self.stability.items():
            found[f"{name}_stability"] = stability.mean
        for name, evidence in self.set_evidence(Split.REPORT).items():
            found[f"{name}_chosen_together"] = evidence.effect.estimate
        return found

    @cached_property
    def stability(self) -> dict[str, Overlap]:
        """Overlap of the top denoising effects over resampled prompts of the report split, by map.

        Templates are resampled, or pairs where all are of one. Sites that are on top by construction are left out, and
        what was stated in advance is in no order.
        """
        found, held, c = {}, self.report, self.config
        for name, labels in self.maps.items():
            asked = ~self.by_construction[labels.cells]
            if c.chosen is None and asked.sum() > c.n_top:
                effects = held.effect(Patch.DENOISE)[labels.cells][asked]
                found[name] = top_site_stability(effects, held.clusters, k=c.n_top, seed=c.seed)
        return found

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return `sites` (see `tables.sites_table`), and `stability` (one row per map) where there is any."""
        stability = {"stability": stability_table(self.stability)} if self.stability else {}
        return {"sites": sites_table(self), **stability}

    def figures(self) -> dict[str, go.Figure]:
        """Return two maps per granularity, where they disagree, and the chosen sites beside their controls."""
        found: dict[str, go.Figure] = {}
        for name, labels in self.maps.items():
            for patch, title in _TITLES.items():
                found[f"{name} {patch}"] = self._map(labels, self.intervals[patch], title=f"{name}: {title}")
            found[f"{name} disagreement"] = self._map(
                labels, self.disagreement, title=f"{name}: denoising minus noising", marked=self.disagrees
            )
        if len(self.chosen):
            found["chosen"] = self._chosen_figure()
        return found

    def _map(
        self, labels: MapLabels, intervals: Intervals, *, title: str, marked: np.ndarray | None = None
    ) -> go.Figure:
        if marked is None:
            marked = np.isin(np.arange(len(self.names)), self.chosen)
        mean, low, high = (labels.laid_out(part) for part in (intervals.estimate, intervals.low, intervals.high))
        shown = [self.disagreement, *(self.intervals[patch] for patch in _TITLES)]
        limit = max(float(np.abs(one.estimate[labels.cells]).max()) for one in shown)  # one scale for what is compared
        return site_heatmap(
            mean, low, high, rows=labels.rows, columns=labels.columns, row_title=labels.row_title,
            column_title=labels.column_title, title=title, unit=self.effect_unit, marked=labels.laid_out(marked),
            limit=limit or None,
        )  # fmt: skip

    def _chosen_figure(self) -> go.Figure:
        content = "" if self.same_answers else " (content)"
        series = {
            "denoising": Patch.DENOISE,
            f"its control: {self.another('corrupted')}": Patch.DENOISE_NULL,
            f"{self.another('clean')}{content}": Patch.DENOISE_OTHER,
            "noising": Patch.NOISE,
        }
        intervals = {label: [self.intervals[p].at(int(nth)) for nth in self.chosen] for label, p in series.items()}
        names = [self.names[nth] for nth in self.chosen]
        return interval_plot(intervals, names, title="chosen sites, report split", unit=self.effect_unit)

    def sections(self) -> list[Section]:
        """Return one causal section: every number comes from an intervention."""
        return [
            Section(
                title=f"Activation patching: {self.config.task} in {self.config.model}",
                causal=True,
                suggests=suggests(self),
                does_not_show=does_not_show(self),
                figures=self.figures(),
                tables=self.tables(),
            )
        ]

    def confirmation(self) -> Confirmation | None:
        """Return how what is claimed is tested on other examples; `None` if none of it holds."""
        return confirming.confirmation(self)

    def components(self) -> list[Component]:
        """Return what both ways of patching say of each site."""
        return confirming.components(self)

    def summary(self) -> str:
        """Return what was found, in a few lines."""
        return summary(self)
