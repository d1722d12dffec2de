"""What an audit found: arrays, and how they are shown."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from interp_lab.audit import figures, tables, texts
from interp_lab.audit.asked import Asked
from interp_lab.audit.claimed import AuditClaims
from interp_lab.audit.config import AuditConfig
from interp_lab.audit.measurements import AuditSplit
from interp_lab.audit.named import chosen_from
from interp_lab.audit.screen import Screen
from interp_lab.audit.single import Scan
from interp_lab.claims import Grade
from interp_lab.experiment import Provenance, Section, there
from interp_lab.runs.fields import from_arrays

_NAMES = ("answers", "attributes", "legitimate", "hidden")


@dataclass(frozen=True)
class AuditResult(AuditClaims):
    """The measurements as metrics, tables, figures and sections of a report."""

    @classmethod
    def from_arrays(
        cls, config: AuditConfig, provenance: Provenance, arrays: Mapping[str, np.ndarray]
    ) -> "AuditResult":
        """Rebuild from what `arrays` returned."""
        named = {name: tuple(map(str, arrays[name].tolist())) for name in _NAMES}
        return cls(
            config=config,
            provenance=provenance,
            source=str(arrays["source"]),
            answers=(named["answers"][0], named["answers"][1]),
            attributes=named["attributes"],
            legitimate=named["legitimate"],
            hidden=named["hidden"],
            groups=chosen_from([str(one) for one in arrays["groups"]]).attributes,
            chosen=chosen_from([str(one) for one in arrays["chosen"]]),
            scan=from_arrays(Scan, "scan", arrays),
            screen=from_arrays(Screen, "screen", arrays),
            candidates=from_arrays(Asked, "candidates", arrays),
            report=AuditSplit.from_arrays("report", arrays),
            held_out=AuditSplit.from_arrays("held_out", arrays) if "held_out_singles_names" in arrays else None,
            not_replicable=str(arrays["not_replicable"]) or None,
            under=str(arrays["under"]) or None,
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return probabilities per text, and the names of what they are of."""
        found: dict[str, np.ndarray] = {
            "source": np.array(self.source),
            "not_replicable": np.array(self.not_replicable or ""),
            "under": np.array(self.under or ""),
            "groups": np.array([str(one) for one in self.groups], dtype=str),
            "chosen": np.array(self.chosen.texts, dtype=str),
            **{name: np.array(getattr(self, name), dtype=str) for name in _NAMES},
            **self.report.arrays("report"),
        }
        for name in ("scan", "screen", "candidates"):
            part = getattr(self, name)
            found |= {} if part is None else part.arrays(name)
        return found if self.held_out is None else found | self.held_out.arrays("held_out")

    def metrics(self) -> dict[str, float]:
        """Return flat numbers of the report split.

        `effect_ATTRIBUTE`, `gap_HIDDEN`, `removed_ATTRIBUTE_for_HIDDEN` (share of the gap), `accuracy` (share
        decided as declared), counts of claims that hold; under what an earlier run found `removed_ATTRIBUTE` and
        `gap_removed_HIDDEN` (shares) and `accuracy_change`. What was not measured is left out.
        """
        found = {f"effect_{one.attribute}": self.effect_of(one).estimate for one in self.groups}
        found |= {f"gap_{name}": self.gap(name).estimate for name in self.hidden}
        for one in self.chosen.proxies:
            found[f"removed_{one.attribute}_for_{one.hidden}"] = self.remaining(str(one))[2].estimate
        found["accuracy"] = self.accuracy().estimate
        for row in tables.under_table(self).to_dict("records"):
            split = "" if row["split"] == "report" else "held_out_"
            name = str(row["what"])
            if name == "decided as declared":
                found[f"{split}accuracy_change"] = float(row["change"])
            elif name.startswith("gap by "):
                found[f"{split}gap_removed_{name.removeprefix('gap by ')}"] = float(row["share removed"])
            else:
                found[f"{split}removed_{name.removeprefix('effect of ')}"] = float(row["share removed"])
        grades = [claim.grade for _, claim in self.graded]
        found["n_causal_claims"] = float(sum(one >= Grade.CAUSAL for one in grades))
        found["n_replicated_claims"] = float(sum(one >= Grade.REPLICATED for one in grades))
        return {name: value for name, value in found.items() if math.isfinite(value)}

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return `attributes`, and what there is of `values`, `pairs`, `proxies`, `gaps` and `under`."""
        found = {
            "attributes": tables.attributes_table(self),
            "values": tables.values_table(self),
            "pairs": tables.pairs_table(self),
            "proxies": tables.proxies_table(self),
            "gaps": tables.gaps_table(self),
            "under": tables.under_table(self),
        }
        return {name: table for name, table in found.items() if not table.empty}

    def figures(self) -> dict[str, go.Figure]:
        """Return effects of attributes, those of values, pairs, proxies, and before and after."""
        found = {
            "effects": figures.effects(self) if self.groups else None,
            "values": figures.values(self),
            "pairs": figures.pairs(self),
            "proxies": figures.proxies(self),
            "under": figures.under(self),
        }
        return {name: figure for name, figure in found.items() if figure is not None}

    def sections(self) -> list[Section]:
        """Return what attributes do alone, together, and what they stand in for."""
        shown, drawn = self.tables(), self.figures()
        made = [
            Section(
                title=f"What decides {self.source} in {self.config.model}, one attribute at a time",
                causal=True,
                suggests=texts.attributes_suggest(self),
                does_not_show=texts.ATTRIBUTES_DO_NOT_SHOW,
                figures=there(drawn, "effects", "values"),
                tables=there(shown, "attributes", "values"),
            )
        ]
        if "pairs" in shown:
            made.append(
                Section(
                    title="Two values together",
                    causal=True,
                    suggests=texts.pairs_suggest(self),
                    does_not_show=texts.PAIRS_DO_NOT_SHOW,
                    figures=there(drawn, "pairs"),
                    tables=there(shown, "pairs"),
                )
            )
        if self.hidden:
            made.append(
                Section(
                    title="What attributes stand in for",
                    causal=bool(self.chosen.proxies),  # the gap by itself is how texts and answers go together
                    suggests=texts.proxies_suggest(self),
                    does_not_show=texts.PROXIES_DO_NOT_SHOW,
                    figures=there(drawn, "proxies"),
                    tables=there(shown, "proxies", "gaps"),
                )
            )
        if self.under is not None:
            made.append(
                Section(
                    title="Without and with what was found to steer with",
                    causal=True,
                    suggests=texts.under_suggests(self),
                    does_not_show=texts.UNDER_DOES_NOT_SHOW,
                    figures=there(drawn, "under"),
                    tables=there(shown, "under"),
                )
            )
        return made

    def summary(self) -> str:
        """Return what was found, in a few lines."""
        return texts.summary(self)
