"""What was found of confidence: arrays, and how they are shown."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from interp_lab.experiment import Provenance, Section, there
from interp_lab.production.confidence import figures, tables, texts
from interp_lab.production.confidence.claimed import MEASURES, ConfidenceClaims
from interp_lab.production.confidence.config import ConfidenceConfig
from interp_lab.production.confidence.probabilities import REPORT
from interp_lab.production.confidence.signals import Part, Usual
from interp_lab.runs.fields import from_arrays

_PARTS = ("calibrate", "report", "held_out")


@dataclass(frozen=True)
class ConfidenceResult(ConfidenceClaims):
    """The measurements as metrics, tables, figures and sections of a report."""

    @classmethod
    def from_arrays(
        cls, config: ConfidenceConfig, provenance: Provenance, arrays: Mapping[str, np.ndarray]
    ) -> "ConfidenceResult":
        """Rebuild from what `arrays` returned."""
        return cls(
            config=config,
            provenance=provenance,
            names=tuple(map(str, arrays["names"].tolist())),
            usual=Usual.from_arrays("usual", arrays),
            calibrate=Part.from_arrays("calibrate", arrays),
            report=Part.from_arrays("report", arrays),
            held_out=from_arrays(Part, "held_out", arrays),
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return signals and outcomes of every answer, and what was fitted on activations."""
        found = {"names": np.array(self.names), **self.usual.arrays("usual")}
        for name in _PARTS:
            part: Part | None = getattr(self, name)
            if part is not None:
                found |= part.arrays(name)
        return found

    def metrics(self) -> dict[str, float]:
        """Return flat numbers of every probability on each part.

        `PROBABILITY/ece_PART`, `brier`, `aurc`, `excess_aurc` and `auroc` alike; `right_PART` (share) and
        `levels_PART` (1 where levels may be said). PART is `report` or `held_out`.
        """
        found: dict[str, float] = {}
        for name, part in self.parts.items():
            key = "report" if name == REPORT else "held_out"
            found[f"right_{key}"] = float(part.right.mean())
            found[f"levels_{key}"] = float(self.refused(part) is None)
            measured = {one: self.measured(one, part) for one in MEASURES}
            for nth, own in enumerate(self.confidences):
                slug = re.sub(r"\W+", "_", own).strip("_")
                found[f"{slug}/ece_{key}"] = self.calibration(own, part)[0].ece
                found |= {f"{slug}/{one}_{key}": measured[one][nth].estimate for one in MEASURES}
        return {name: value for name, value in found.items() if math.isfinite(value)}

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return `probabilities`, `differences`, `left_out`, `levels`, `parts` and, if one was fitted, `probes`."""
        found = {
            "probabilities": tables.probabilities_table(self),
            "differences": tables.differences_table(self),
            "left_out": tables.left_out_table(self),
            "levels": tables.levels_table(self),
            "parts": tables.parts_table(self),
            "probes": tables.probes_table(self),
        }
        return {name: table for name, table in found.items() if not table.empty}

    def figures(self) -> dict[str, go.Figure]:
        """Return reliability, risk by coverage, Brier scores and calibration errors."""
        return {
            "reliability": figures.reliability_figure(self),
            "risk": figures.risk_figure(self),
            "brier": figures.brier_figure(self),
            "calibration": figures.calibration_figure(self),
        }

    def sections(self) -> list[Section]:
        """Return how good probabilities are, and what may be said in words."""
        shown, drawn, c = self.tables(), self.figures(), self.config
        return [
            Section(
                title=f"How likely is an answer to be right? {c.task} in {c.model}", causal=False,
                suggests=texts.sorts(self), does_not_show=texts.SORTING_DOES_NOT_SHOW,
                figures=there(drawn, "reliability", "risk", "brier", "calibration"),
                tables=there(shown, "probabilities", "differences", "left_out", "probes"),
            ),
            Section(
                title="What may be said in words", causal=False, suggests=texts.says(self),
                does_not_show=texts.LEVELS_DO_NOT_SHOW, tables=there(shown, "levels", "parts"),
            ),
        ]  # fmt: skip

    def summary(self) -> str:
        """Return what was found, in a few lines."""
        return texts.summary(self)
