"""What was found: arrays, and how they are shown."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from interp_lab.claims import Grade, Split
from interp_lab.experiment import Provenance, Section, there
from interp_lab.production.counterfactuals import figures, tables, texts
from interp_lab.production.counterfactuals.choice import AnyValue, stated
from interp_lab.production.counterfactuals.claimed import CounterfactualClaims
from interp_lab.production.counterfactuals.config import CounterfactualsConfig
from interp_lab.production.counterfactuals.measured import CounterfactualSplit

_NAMES = ("legitimate", "protected")


@dataclass(frozen=True)
class CounterfactualsResult(CounterfactualClaims):
    """The measurements as metrics, tables, figures and sections of a report."""

    @classmethod
    def from_arrays(
        cls, config: CounterfactualsConfig, provenance: Provenance, arrays: Mapping[str, np.ndarray]
    ) -> "CounterfactualsResult":
        """Rebuild from what `arrays` returned."""
        named = {name: tuple(map(str, arrays[name].tolist())) for name in _NAMES}
        return cls(
            config=config,
            provenance=provenance,
            chosen=tuple(stated(str(one)) for one in arrays["chosen"].tolist()),
            report=CounterfactualSplit.from_arrays("report", arrays),
            held_out=CounterfactualSplit.from_arrays("held_out", arrays) if "held_out_texts_text" in arrays else None,
            not_replicable=str(arrays["not_replicable"]) or None,
            **named,
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return numbers and texts per example."""
        found = {name: np.array(getattr(self, name), dtype=str) for name in _NAMES}
        found["chosen"] = np.array([str(one) for one in self.chosen], dtype=str)
        found["not_replicable"] = np.array(self.not_replicable or "")
        found |= self.report.arrays("report")
        return found if self.held_out is None else found | self.held_out.arrays("held_out")

    def metrics(self) -> dict[str, float]:
        """Return flat numbers of the report split.

        `found_METHOD`, `random_METHOD` (shares of texts), `edits_METHOD`, `plausibility_METHOD` (nats per token),
        `agreement_METHOD`; `flips_ATTRIBUTE` (tested), `any_ATTRIBUTE` and `against_ATTRIBUTE` (protected);
        `precision`, `recall` and `same_size` against the rule; claims that hold. What was not measured is left out.
        """
        held, found = self.report, {}
        for nth, name in enumerate(held.found.methods):
            own = held.found
            found[f"found_{name}"] = float(np.isfinite(own.size[nth]).mean())
            for key, values in (
                ("random", own.random), ("edits", own.size), ("plausibility", own.plausibility),
                ("agreement", own.agreement),
            ):  # fmt: skip
                found[f"{key}_{name}"] = _mean(values[nth])
        for one in self.chosen:
            found[f"{'any' if isinstance(one, AnyValue) else 'flips'}_{one.attribute}"] = self.share(one).estimate
        for nth, name in enumerate(held.fair.names):
            found[f"any_{name}"] = _mean(held.fair.any_value[nth])
            found[f"against_{name}"] = _mean(held.fair.against[nth])
        if held.truth is not None:
            told = tables.truth_of(self, Split.REPORT, held.truth).items()
            found |= {name.replace(" ", "_"): interval.estimate for name, interval in told}
        grades = [claim.grade for claim in self.claims()]
        found["n_causal_claims"] = float(sum(one >= Grade.CAUSAL for one in grades))
        found["n_replicated_claims"] = float(sum(one >= Grade.REPLICATED for one in grades))
        return {name: value for name, value in found.items() if math.isfinite(value)}

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return `methods`, `flips`, and what there is of `attributes`, `tested`, `fairness` and `rule`."""
        found = {
            "methods": tables.methods_table(self),
            "attributes": tables.attributes_table(self),
            "tested": tables.tested_table(self),
            "fairness": tables.fairness_table(self),
            "rule": tables.truth_table(self),
            "flips": tables.flips_table(self),
        }
        return {name: table for name, table in found.items() if not table.empty}

    def figures(self) -> dict[str, Any]:
        """Return what methods find, what attributes do, what protected ones do, and texts beside their flips."""
        found = {
            "methods": figures.methods(self),
            "tested": figures.tested(self),
            "fairness": figures.fairness(self),
            "flips": figures.flips(self),
        }
        return {name: figure for name, figure in found.items() if figure is not None}

    def sections(self) -> list[Section]:
        """Return what flips the answer, which attributes do, the protected ones, and the rule where there is one."""
        shown, drawn, c = self.tables(), self.figures(), self.config
        made = [
            Section(
                title=f"The smallest edits that flip {c.behaviour} in {c.model}",
                causal=True,
                suggests=texts.methods_suggest(self),
                does_not_show=texts.METHODS_DO_NOT_SHOW,
                figures=there(drawn, "methods", "flips"),
                tables=there(shown, "methods", "flips"),
            ),
            Section(
                title="Which attribute flips the answer",
                causal=True,
                suggests=texts.tested_suggest(self),
                does_not_show=texts.TESTED_DO_NOT_SHOW,
                figures=there(drawn, "tested"),
                tables=there(shown, "tested", "attributes"),
            ),
        ]
        if self.report.fair.names:
            made.append(
                Section(
                    title="Only a protected attribute changed",
                    causal=True,
                    suggests=texts.fairness_suggests(self),
                    does_not_show=texts.FAIRNESS_DOES_NOT_SHOW,
                    figures=there(drawn, "fairness"),
                    tables=there(shown, "fairness"),
                )
            )
        if "rule" in shown:
            made.append(
                Section(
                    title="Beside the rule that the texts were decided by",
                    causal=False,
                    suggests=texts.truth_suggests(self),
                    does_not_show=texts.TRUTH_DOES_NOT_SHOW,
                    tables=there(shown, "rule"),
                )
            )
        return made

    def summary(self) -> str:
        """Return what was found, in a few lines."""
        return texts.summary(self)


def _mean(values: np.ndarray) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
