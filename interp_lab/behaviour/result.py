"""Whether there is anything to explain: arrays, and how they are shown."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from interp_lab.behaviour.claimed import BehaviourClaims
from interp_lab.behaviour.config import BehaviourConfig
from interp_lab.behaviour.measured import Able, Behaved
from interp_lab.claims import Grade, Split, how_much_holds
from interp_lab.experiment import Provenance, Section, there
from interp_lab.plots import interval_plot
from interp_lab.runs.fields import from_arrays
from interp_lab.stats import SHARE, SIGNED
from interp_lab.types import Interval

DOES_NOT_SHOW = (
    "How the model does it, nor that it does so for other prompts. That an untrained model of the same shape makes no "
    "difference between the prompts says that the weights matter, not which of them. A share that is right may come "
    "from a rule that is not the one meant."
)
CAPABILITIES_DO_NOT_SHOW = (
    "What the model can do besides these tasks, and in text that it writes. The likeliest of the answers that a task "
    "has counts, not the likeliest of all words."
)


@dataclass(frozen=True)
class BehaviourResult(BehaviourClaims):
    """The measurements as metrics, tables, figures and sections of a report."""

    @classmethod
    def from_arrays(
        cls, config: BehaviourConfig, provenance: Provenance, arrays: Mapping[str, np.ndarray]
    ) -> "BehaviourResult":
        """Rebuild from what `arrays` returned."""
        return cls(
            config=config,
            provenance=provenance,
            metric=str(arrays["metric"]),
            unit=str(arrays["unit"]),
            report=Behaved.from_arrays("report", arrays),
            held_out=from_arrays(Behaved, "held_out", arrays),
            capabilities=Able.from_arrays("capabilities", arrays),
            under=str(arrays["under"]) or None,
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return numbers per example."""
        found = {
            "metric": np.array(self.metric),
            "unit": np.array(self.unit),
            "under": np.array(self.under or ""),
            **self.report.arrays("report"),
            **self.capabilities.arrays("capabilities"),
        }
        return found if self.held_out is None else found | self.held_out.arrays("held_out")

    def metrics(self) -> dict[str, float]:
        """Return flat numbers of the report split.

        `right` and `right_corrupted` (shares), `clean`, `corrupted`, `total_effect`, `untrained_effect` and
        `shuffled_effect` (unit of the metric), `accuracy_TASK`; under what an earlier run found `steered_effect` and
        `accuracy_change_TASK`; claims that hold. What was not measured is left out.
        """
        held = self.report
        grades = [claim.grade for claim in self.claims()]
        found = {
            "right": float(held.right[0].mean()),
            "right_corrupted": self.interval(held.right[1], held.clusters).estimate,
            "clean": float(held.clean.mean()),
            "corrupted": float(held.corrupted.mean()),
            "total_effect": float(held.total.mean()),
            "untrained_effect": float(held.untrained.mean()),
            "shuffled_effect": float(held.shuffled.mean()),
            "steered_effect": float((held.steered[0] - held.steered[1]).mean()),
            "n_causal_claims": float(sum(one >= Grade.CAUSAL for one in grades)),
            "n_replicated_claims": float(sum(one >= Grade.REPLICATED for one in grades)),
        }
        for nth, name in enumerate(self.capabilities.names):
            found[f"accuracy_{name}"] = float(self.capabilities.right[nth].mean())
            found[f"accuracy_change_{name}"] = float(
                (self.capabilities.steered[nth] - self.capabilities.right[nth]).mean()
            )
        return {name: value for name, value in found.items() if math.isfinite(value)}

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return `behaviour`, and `capabilities` if any were measured."""
        rows = []
        for split, held in self.splits.items():
            told = {
                "share right, clean": held.right[0],
                "share right, corrupted": held.right[1],
                f"{self.metric}, clean ({self.unit})": held.clean,
                f"{self.metric}, corrupted ({self.unit})": held.corrupted,
                f"what the corruption costs ({self.unit})": held.total,
                f"the same in untrained models ({self.unit})": held.untrained.mean(0),
                f"the same by answers of other pairs ({self.unit})": held.shuffled.mean(0),
                f"the same under {self.under} ({self.unit})": held.steered[0] - held.steered[1],
            }
            for name, values in told.items():
                if np.isfinite(values).any():
                    within = SHARE if name.startswith("share") else None
                    value = self.interval(values, held.clusters, within=within)
                    rows.append({"what": name, "split": str(split), **value.columns("value")})
        found = {"behaviour": pd.DataFrame(rows), "capabilities": self._capabilities_table()}
        return {name: table for name, table in found.items() if not table.empty}

    def _capabilities_table(self) -> pd.DataFrame:
        able, rows = self.capabilities, []
        for nth, name in enumerate(able.names):
            right, templates = able.right[nth], able.templates[nth]
            row = {"task": name, **self.interval(right, templates, within=SHARE).columns("accuracy")}
            if self.under is not None:
                change = self.interval(able.steered[nth] - right, templates, within=SIGNED)
                row |= self.interval(able.steered[nth], templates, within=SHARE).columns("under")
                row |= change.columns("change")
            rows.append(row)
        return pd.DataFrame(rows)

    def figures(self) -> dict[str, go.Figure]:
        """Return what the corruption costs beside its controls, and accuracies if any were measured."""
        series: dict[str, list[Interval]] = {"the model": [], "untrained models": [], "answers of other pairs": []}
        for held in self.splits.values():
            for name, values in zip(series, (held.total, held.untrained.mean(0), held.shuffled.mean(0)), strict=True):
                series[name].append(self.interval(values, held.clusters))
        names = [str(split) for split in self.splits]
        title = f"what the change of the prompt costs, {self.config.task}"
        found = {"behaviour": interval_plot(series, names, title=title, unit=f"{self.metric} ({self.unit})")}
        able = self.capabilities
        if able.names:

            def shares(values: np.ndarray) -> list[Interval]:
                return [self.interval(one, at, within=SHARE) for one, at in zip(values, able.templates, strict=True)]

            shown = {"as it is": shares(able.right)}
            if self.under is not None:
                shown[f"under {self.under}"] = shares(able.steered)
            found["capabilities"] = interval_plot(
                shown, able.names, title="accuracy on other tasks", unit="share right"
            )
        return found

    def sections(self) -> list[Section]:
        """Return what the change of the prompt does, and what the model can do besides."""
        shown, drawn, c = self.tables(), self.figures(), self.config
        made = [
            Section(
                title=f"Is there anything to explain: {c.task} in {c.model}",
                causal=True,
                suggests=self.summary().replace("\n", ". ") + ".",
                does_not_show=DOES_NOT_SHOW,
                figures=there(drawn, "behaviour"),
                tables=there(shown, "behaviour"),
            )
        ]
        if self.capabilities.names:
            made.append(
                Section(
                    title=f"What {c.model} can do besides",
                    causal=self.under is not None,
                    suggests=self._accuracies(),
                    does_not_show=CAPABILITIES_DO_NOT_SHOW,
                    figures=there(drawn, "capabilities"),
                    tables=there(shown, "capabilities"),
                )
            )
        return made

    def _accuracies(self) -> str:
        told = [
            f"{name} {self.interval(right, templates, within=SHARE)}"
            for name, right, templates in zip(
                self.capabilities.names, self.capabilities.right, self.capabilities.templates, strict=True
            )
        ]
        return f"Share answered right: {'; '.join(told)}."

    def summary(self) -> str:
        """Return what was found, in a few lines; the last one says how much is claimed, or why nothing."""
        held = self.report
        right = self.interval(held.right[0], held.clusters, within=SHARE)
        total, untrained = (self.interval(values, held.clusters) for values in (held.total, held.untrained.mean(0)))
        lines = [
            f"{self.config.task} in {self.config.model}: right on {right} of the clean prompts",
            f"the change of the prompt costs {total} {self.unit}, in untrained models of this shape {untrained}",
        ]
        if self.under is not None:
            steered = self.interval(held.steered[0] - held.steered[1], held.clusters)
            lines.append(f"under {self.under}: {steered} {self.unit}")
        grades = [claim.grade for claim in self.claims()]
        why = None if Split.HELD_OUT in self.splits else "none were asked for"
        return "\n".join([*lines, how_much_holds(grades, not_asked=self.not_asked, not_replicable=why)])
