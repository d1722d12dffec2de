"""What monitors found: arrays, and how they are shown."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from interp_lab.experiment import Provenance, Section, there
from interp_lab.hypotheses import Component, Confirmation
from interp_lab.production.monitors import confirming, texts
from interp_lab.production.monitors.claimed import WAYS, MonitorsClaims
from interp_lab.production.monitors.config import MonitorsConfig
from interp_lab.production.monitors.figures import alarms_figure, areas_figure, calibration_figure
from interp_lab.production.monitors.measured import KEYWORDS, WORDS, Choice, Cost, Made, Part
from interp_lab.production.monitors.own_output import NEXT, SURPRISE
from interp_lab.production.monitors.tables import (
    alarms_table,
    beyond_table,
    calibration_table,
    choice_table,
    detection_table,
)
from interp_lab.runs.fields import from_arrays

_PARTS = ("calibrate", "report", "paraphrased", "held_out")
_SHORT = {"keywords": KEYWORDS, "words": WORDS, "next_word": NEXT, "surprise": SURPRISE}


@dataclass(frozen=True)
class MonitorsResult(MonitorsClaims):
    """The measurements as metrics, tables, figures and sections of a report."""

    @classmethod
    def from_arrays(
        cls, config: MonitorsConfig, provenance: Provenance, arrays: Mapping[str, np.ndarray]
    ) -> "MonitorsResult":
        """Rebuild from what `arrays` returned."""
        calibrate, report = (Part.from_arrays(name, arrays) for name in _PARTS[:2])
        return cls(
            config=config,
            provenance=provenance,
            names=tuple(map(str, arrays["names"].tolist())),
            choice=Choice.from_arrays("choice", arrays),
            made=Made.from_arrays("made", arrays),
            cost=Cost.from_arrays("cost", arrays),
            calibrate=calibrate,
            report=report,
            paraphrased=from_arrays(Part, "paraphrased", arrays),
            held_out=from_arrays(Part, "held_out", arrays),
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return scores per text, and what was written."""
        found = {"names": np.array(self.names), **self.made.arrays("made")}
        found |= self.choice.arrays("choice") | self.cost.arrays("cost")
        for name in _PARTS:
            part: Part | None = getattr(self, name)
            if part is not None:
                found |= part.arrays(name)
        return found

    def metrics(self) -> dict[str, float]:
        """Return flat numbers of each part.

        `auroc_PART`, `false_positives_PART`, `recall_PART` and `strict_recall_PART` (shares) of the chosen monitor;
        `auroc_keywords_PART` and `auroc_words_PART` of the filters, `auroc_next_word_PART` and `auroc_surprise_PART` of
        the model's output; `ece_PART`; under alarms `stop_leaks_PART` and
        `steer_leaks_PART` (shares of the texts to be warned of). PART is `report`, `paraphrases`, `held_out`.
        """
        others = {short: one for short, one in _SHORT.items() if one in self.groups}
        found = {"share_of_the_models_cost": self.cost.monitor / self.cost.model}
        for name, part in self.parts.items():
            key = {"held-out templates": "held_out"}.get(name, name)
            found |= {
                f"auroc_{key}": self.area(part, (0,)).estimate,
                **{f"auroc_{short}_{key}": self.area(part, self.groups[one]).estimate for short, one in others.items()},
                f"false_positives_{key}": self.false_positives(part, 0).estimate,
                f"recall_{key}": self.recall(part, 0).estimate,
                f"strict_recall_{key}": self.strict_recall(part, 0).estimate,
                f"ece_{key}": self.calibration(part).ece,
            }
            if len(part.says):
                leaks = {f"{way}_leaks_{key}": self.said(part, nth).estimate for nth, way in enumerate(WAYS) if nth}
                found |= leaks
        return {name: value for name, value in found.items() if math.isfinite(value)}

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return `detection`, `beyond`, `calibration`, `choice`, and `alarms` where the model wrote under them."""
        found = {
            "detection": detection_table(self),
            "beyond": beyond_table(self),
            "calibration": calibration_table(self),
            "choice": choice_table(self),
            "alarms": alarms_table(self),
        }
        return {name: table for name, table in found.items() if not table.empty}

    def figures(self) -> dict[str, go.Figure]:
        """Return areas beside the controls', reliability, and what was written under alarms."""
        found = {"areas": areas_figure(self), "reliability": calibration_figure(self)}
        return found | ({"alarms": alarms_figure(self)} if self.config.says is not None else {})

    def sections(self) -> list[Section]:
        """Return how well the monitor warns, and what acting on it does."""
        shown, drawn = self.tables(), self.figures()
        made = [
            Section(
                title=f"Warning of {self.subject} in {self.config.model}", causal=False, suggests=texts.warns(self),
                does_not_show=texts.WARNING_DOES_NOT_SHOW, figures=there(drawn, "areas", "reliability"),
                tables=there(shown, "detection", "beyond", "calibration", "choice"),
            )
        ]  # fmt: skip
        if self.config.says is not None:
            made.append(
                Section(
                    title="What is written under alarms", causal=True, suggests=texts.acts(self),
                    does_not_show=texts.ACTING_DOES_NOT_SHOW, figures=there(drawn, "alarms"),
                    tables=there(shown, "alarms"),
                )
            )  # fmt: skip
        return made

    def confirmation(self) -> Confirmation | None:
        """Return how the response is tested again; `None` if it does nothing here."""
        return confirming.confirmation(self)

    def components(self) -> list[Component]:
        """Return what the monitor reads, and what its response takes away, by place."""
        return confirming.components(self)

    def summary(self) -> str:
        """Return what was found, in a few lines; the last one says how much is claimed."""
        return texts.summary(self)
