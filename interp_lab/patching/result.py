"""What activation patching found: arrays, and how they are shown."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from interp_lab.claims import Grade, Split
from interp_lab.experiment import Provenance, Section
from interp_lab.patching.changes import Patch, SplitMeasurements
from interp_lab.patching.choice import MapLabels
from interp_lab.patching.config import PatchingConfig
from interp_lab.patching.measurements import PatchingMeasurements
from interp_lab.patching.stability import Stability, top_site_stability
from interp_lab.plots import interval_plot, site_heatmap
from interp_lab.stats import Intervals

_SPLITS = ("select", "report", "held_out")
_FIELDS = ("clean", "corrupted", "templates", "changes", "sets")
_ONE_TEMPLATE = " All prompts are of one template: intervals are those of its prompts, and say nothing of others."
_TITLES = {
    Patch.DENOISE: "clean value into the corrupted run (denoising)",
    Patch.NOISE: "corrupted value into the clean run (noising)",
}


@dataclass(frozen=True)
class PatchingResult(PatchingMeasurements):
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
            split: SplitMeasurements(**{field: arrays[f"{split}_{field}"] for field in _FIELDS})
            for split in _SPLITS
            if f"{split}_clean" in arrays
        }
        return cls(
            config=config,
            provenance=provenance,
            unit=str(arrays["unit"]),
            names=tuple(map(str, arrays["names"])),
            maps=maps,
            select=splits["select"],
            report=splits["report"],
            held_out=splits.get("held_out"),
            chosen=arrays["chosen"],
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return numbers per example, and the names of what they are of."""
        found: dict[str, np.ndarray] = {
            "unit": np.array(self.unit),
            "names": np.array(self.names),
            "maps": np.array(list(self.maps)),
            "chosen": self.chosen,
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
        """Return the total effect, the largest effect of each map among chosen sites, and how many claims hold."""
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
    def stability(self) -> dict[str, Stability]:
        """Overlap of the top sites over resampled prompts of the report split, by map."""
        found = {}
        for name, labels in self.maps.items():
            n_cells, n_templates = len(labels.rows) * len(labels.columns), len(set(self.report.templates.tolist()))
            if n_cells > self.config.n_top and n_templates > 1:
                effects = self.report.effect(Patch.DENOISE)[labels.cells]
                found[name] = top_site_stability(
                    effects, self.report.templates, k=self.config.n_top, seed=self.config.seed
                )
        return found

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return `sites` (one row each, report split), and `stability` (one row per map)."""
        rows = [
            self._row(name, nth)
            for name, labels in self.maps.items()
            for nth in range(labels.cells.start, labels.cells.stop)
        ]
        stability = [
            {"map": name, "top": one.k, "jaccard": one.mean, "low": one.spread()[0], "high": one.spread()[1],
             "chance": one.chance}
            for name, one in self.stability.items()
        ]  # fmt: skip
        return {"sites": pd.DataFrame(rows), **({"stability": pd.DataFrame(stability)} if stability else {})}

    def _row(self, map_name: str, nth: int) -> dict[str, object]:
        row: dict[str, object] = {"map": map_name, "site": self.names[nth], "chosen": bool(nth in self.chosen)}
        for patch, intervals in self.intervals.items():
            one = intervals.at(nth)
            row |= {str(patch): one.estimate, f"{patch}_low": one.low, f"{patch}_high": one.high}
            row[f"{patch}_raw"] = float(self.report.effect(patch)[nth].mean())
        row["disagree"] = bool(self.disagrees[nth])
        for name, intervals in (("disagreement", self.disagreement), ("specificity", self.specificity)):
            one = intervals.at(nth)
            row |= {name: one.estimate, f"{name}_low": one.low, f"{name}_high": one.high}
        return row

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
        series = {
            "denoising": Patch.DENOISE,
            "its control: another corrupted prompt": Patch.DENOISE_NULL,
            "another clean prompt (content)": Patch.DENOISE_OTHER,
            "noising": Patch.NOISE,
        }
        intervals = {label: [self.intervals[p].at(int(nth)) for nth in self.chosen] for label, p in series.items()}
        names = [self.names[nth] for nth in self.chosen]
        return interval_plot(intervals, names, title="chosen sites, report split", unit=self.effect_unit)

    def sections(self) -> list[Section]:
        """Return one causal section: every number comes from an intervention."""
        figures = self.figures()
        return [
            Section(
                title=f"Activation patching: {self.config.task} in {self.config.model}",
                causal=True,
                suggests=self._suggests(),
                does_not_show="How a site does what it does, or through which path: a residual stream carries whatever "
                "was written below it. A site without an effect may be backed up by another (look where denoising and "
                "noising disagree). The maps show every site; framed ones were chosen on other prompts, and only these "
                f"were tested.{'' if self.report.has_templates else _ONE_TEMPLATE}",
                figures=figures,
                tables=self.tables(),
            )
        ]

    def _suggests(self) -> str:
        total = f"The corruption costs {self.total} {self.unit} ({self.config.metric}). "
        if not self.is_normalised:
            return (
                f"{total}Its interval covers zero, so there is nothing to take a share of: effects are given raw, and "
                "what they are effects on is not established."
            )
        if not len(self.chosen):
            return f"{total}No site was clear of its control on the selection split, so none was tested."
        return (
            f"{total}A site matters if its own clean value brings back more than {self.margin:.0%} of that, and that "
            "much more than the value of an independent corrupted prompt does."
        )

    def summary(self) -> str:
        """Return what was found, in a few lines."""
        lines = [
            f"{self.config.task} in {self.config.model}: {self.config.metric} {self.report.clean.mean():.2f} clean, "
            f"{self.report.corrupted.mean():.2f} corrupted; the corruption costs {self.total} {self.unit}"
        ]
        if not self.is_normalised:
            lines.append("its interval covers zero: effects are given raw")
        for site, evidence in zip(self.chosen, self.evidence(Patch.DENOISE, Split.REPORT), strict=True):
            noised = self.intervals[Patch.NOISE].at(int(site))
            lines.append(f"{self.names[site]}: denoising {evidence.effect}, noising {noised} ({self.effect_unit})")
        if not len(self.chosen):
            lines.append("no site was clear of its control")
        graded = [claim for claim in self.claims() if claim.grade]
        replicated = sum(claim.grade >= Grade.REPLICATED for claim in graded)
        lines.append(f"{len(graded)} of {len(self.claims())} claims hold, {replicated} also on held-out templates")
        return "\n".join(lines)
