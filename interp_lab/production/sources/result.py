"""What was found of sources: arrays, and how they are shown."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from interp_lab.claims import Grade
from interp_lab.experiment import Provenance, Section, there
from interp_lab.hypotheses import Component, Confirmation
from interp_lab.production.sources import confirming, figures, tables, texts
from interp_lab.production.sources.claimed import SourcesClaims
from interp_lab.production.sources.config import SourcesConfig
from interp_lab.production.sources.measured import SourcesOfSplit
from interp_lab.runs.fields import from_arrays

_SPLITS = ("select", "report", "held_out")


@dataclass(frozen=True)
class SourcesResult(SourcesClaims):
    """The measurements as metrics, tables, figures and sections of a report."""

    @classmethod
    def from_arrays(
        cls, config: SourcesConfig, provenance: Provenance, arrays: Mapping[str, np.ndarray]
    ) -> "SourcesResult":
        """Rebuild from what `arrays` returned."""
        return cls(
            config=config,
            provenance=provenance,
            select=SourcesOfSplit.from_arrays("select", arrays),
            report=SourcesOfSplit.from_arrays("report", arrays),
            held_out=from_arrays(SourcesOfSplit, "held_out", arrays),
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return numbers per prompt, and the texts that they are of."""
        parts = {name: getattr(self, name) for name in _SPLITS}
        return {
            key: values for name, part in parts.items() if part is not None for key, values in part.arrays(name).items()
        }

    def metrics(self) -> dict[str, float]:
        """Return flat numbers of the report half.

        Of each method `METHOD/accuracy` (share), `METHOD/lost` (log odds) and `METHOD/foretold` (rank correlation); of
        chance `random/accuracy` and `random/lost`; `right` (share of answers), `apart` (share of prompts on which
        attention and leaving one out name different sources), `tokens` (share of whole prompts'), and counts of claims
        that hold. What was not measured is left out.
        """
        held, names = self.report, self.names
        found: dict[str, float] = {}
        for nth, name in enumerate(names):
            key = re.sub(r"\W+", "_", name).strip("_")
            found[f"{key}/accuracy"] = self.share(held.hits[nth]).estimate
            found[f"{key}/lost"] = self.over(held.needed[1, nth]).estimate
            found[f"{key}/foretold"] = self.over(held.foretold[nth]).estimate
        found["random/accuracy"] = self.over(held.shuffled_hits.mean(0)).estimate
        found["random/lost"] = self.over(held.by_lot[1].mean(0)).estimate
        found["right"] = self.over(held.right).estimate
        same = held.same[names.index("attention"), names.index(self.config.scoring.causal[0])]
        found["apart"] = float((same < 1).mean())
        found["tokens"] = held.n_tokens / held.n_whole
        grades = [claim.grade for claim in self.claims()]
        found["n_causal_claims"] = float(sum(one >= Grade.CAUSAL for one in grades))
        found["n_replicated_claims"] = float(sum(one >= Grade.REPLICATED for one in grades))
        return {name: value for name, value in found.items() if np.isfinite(value)}

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return `methods`, `agreement` and `answers`."""
        return {
            "methods": tables.methods_table(self),
            "agreement": tables.agreement_table(self),
            "answers": tables.answers_table(self),
        }

    def figures(self) -> dict[str, Any]:
        """Return accuracy (where sources of answers are known), what first sources are worth, and prompts (HTML)."""
        found: dict[str, Any] = {"lost": figures.needed_figure(self)}
        if np.isfinite(self.report.hits).any():
            found["accuracy"] = figures.accuracy_figure(self)
        if self.config.n_shown:
            found["prompts"] = figures.shown_prompts(self)
        return found

    def sections(self) -> list[Section]:
        """Return what methods say and how they agree (descriptive), and what leaving sources out does."""
        shown, drawn, c = self.tables(), self.figures(), self.config
        known = f"Names the source of the answer: {texts.told_right(self)}. " if "accuracy" in drawn else ""
        return [
            Section(
                title=f"Which source do methods name: {c.task} in {c.model}",
                causal=False,
                suggests=f"{known}{texts.disagreement(self)}.",
                does_not_show=texts.LOOKS_DO_NOT_SHOW,
                figures=there(drawn, "accuracy", "prompts"),
                tables=there(shown, "agreement"),
            ),
            Section(
                title=f"Does the answer need the sources that are ranked first? {c.task} in {c.model}",
                causal=True,
                suggests=f"Lost without the first source: {texts.told_needed(self)}.",
                does_not_show=texts.CAUSAL_DOES_NOT_SHOW,
                figures=there(drawn, "lost"),
                tables=there(shown, "methods", "answers"),
            ),
        ]

    def confirmation(self) -> Confirmation | None:
        """Return how what is claimed of the chosen method is tested on other examples; `None` if it does not hold."""
        return confirming.confirmation(self)

    def components(self) -> list[Component]:
        """Return what is said of the source that each method ranks first."""
        return confirming.components(self)

    def summary(self) -> str:
        """Return what was found, in a few lines."""
        return texts.summary(self)
