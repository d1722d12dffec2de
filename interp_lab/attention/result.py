"""What the attention-head experiment found: arrays, and how they are shown."""

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from interp_lab.attention.config import AttentionHeadsConfig
from interp_lab.attention.heads import TYPE_NAMES
from interp_lab.attention.measurements import HeadMeasurements
from interp_lab.claims import Grade
from interp_lab.experiment import Provenance, Section
from interp_lab.plots import head_map, interval_plot
from interp_lab.types import HeadIndex, Interval, head_name


@dataclass(frozen=True)
class AttentionHeadsResult(HeadMeasurements):
    """The measurements as metrics, tables, figures and sections of a report."""

    @classmethod
    def from_arrays(
        cls, config: AttentionHeadsConfig, provenance: Provenance, arrays: dict[str, np.ndarray]
    ) -> "AttentionHeadsResult":
        """Rebuild from what `arrays` returned."""
        return cls(config, provenance, **arrays)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return per-sequence arrays by field name."""
        names = [field.name for field in fields(self) if field.name not in ("config", "provenance")]
        return {name: getattr(self, name) for name in names}

    def metrics(self) -> dict[str, float]:
        """Return the losses, the score of the best head of every type, and how many heads were typed and confirmed.

        The best head is chosen on the select half; its score is that of the report half.
        """
        chosen = self.select_scores.mean(-1).reshape(len(TYPE_NAMES), -1).argmax(-1)
        best = self.score_intervals.estimate.reshape(len(TYPE_NAMES), -1)[range(len(TYPE_NAMES)), chosen]
        first, second = self.report_losses.mean(-1)
        return {
            "first_copy_loss": float(first),
            "second_copy_loss": float(second),
            **{f"best_{kind}": float(score) for kind, score in zip(TYPE_NAMES, best, strict=True)},
            "n_typed_heads": float(len(self.types)),
            "n_causal_claims": float(sum(claim.grade >= Grade.CAUSAL for claim in self.claims())),
        }

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return `heads`: one row per head with scores, types, ablation effect, control and grade."""
        grades = dict(zip(self.types, (str(claim.grade) for claim in self.claims()), strict=True))
        return {"heads": pd.DataFrame([self._row(head, grades) for head in np.ndindex(*self.looks.shape[1:])])}

    def _row(self, head: HeadIndex, grades: dict[HeadIndex, str]) -> dict[str, object]:
        row: dict[str, object] = {"head": head_name(head), "looks_like": ", ".join(self.types.get(head, ()))}
        for nth, kind in enumerate(TYPE_NAMES):
            score = self.score_intervals.at(nth, *head)
            row |= {kind: score.estimate, f"{kind}_low": score.low, f"{kind}_high": score.high}
            row[f"{kind}_shuffled_keys"] = float(self.report_chance[nth].mean())
        change = self.change_intervals.at(*head)
        row |= {"loss_rise": change.estimate, "loss_rise_low": change.low, "loss_rise_high": change.high}
        effect, _ = self.evidence.get(head, (None, None))
        against = effect.versus_control if effect else Interval(np.nan, np.nan, np.nan)
        row |= {"versus_control": against.estimate, "versus_control_low": against.low}
        row |= {"versus_control_high": against.high, "p_adjusted": effect.p_adjusted if effect else np.nan}
        return row | {"grade": grades.get(head, "")}

    def figures(self) -> dict[str, go.Figure]:
        """Return one head map per type, one of the ablation effects, and effects beside their controls."""
        scores, changes = self.score_intervals, self.change_intervals
        maps = {
            kind: head_map(
                scores.estimate[i], scores.low[i], scores.high[i],
                title=f"{kind.replace('_', '-')} score", unit="attention", limit=1.0,
            )
            for i, kind in enumerate(TYPE_NAMES)
        }  # fmt: skip
        maps["ablation"] = head_map(
            changes.estimate, changes.low, changes.high,
            title=f"rise of the second-copy loss under {self.config.ablation} ablation", unit="nats", signed=True,
        )  # fmt: skip
        if self.evidence:
            effects = [effect for effect, _ in self.evidence.values()]
            series = {
                "effect": [e.effect for e in effects],
                "effect minus control": [e.versus_control for e in effects],
            }
            names = [f"{head_name(head)} ({', '.join(self.types[head])})" for head in self.evidence]
            title = "ablated heads against their control, report half"
            maps["effects"] = interval_plot(series, names, title=title, unit="rise of the second-copy loss (nats)")
        return maps

    def sections(self) -> list[Section]:
        """Return a descriptive section (where heads look) and a causal one (what ablating them does)."""
        figures = self.figures()
        causal = {name: figures.pop(name) for name in ("ablation", "effects") if name in figures}
        looks = Section(
            title=f"Where the heads of {self.config.model} look",
            causal=False,
            suggests="A head with a high score attends like a head of that type; scores are from sequences on which "
            "no type was chosen.",
            does_not_show="That the head moves information, or that the model's output depends on it: attention is "
            "where a head looks, not what it does.",
            figures=figures,
        )
        acts = Section(
            title=f"What ablating the heads of {self.config.model} does",
            causal=True,
            suggests=self._acts_suggests(),
            does_not_show="That heads without an effect do nothing (another head may back them up), nor through "
            "which path an effect comes about. The map shows every head, without control or correction; what was "
            "tested stands under the claims.",
            figures=causal,
            tables=self.tables(),
        )
        return [looks, acts]

    def _acts_suggests(self) -> str:
        first, second = self.losses()
        losses = f"The model predicts the first copy with a loss of {first} nats and the second with {second}. "
        if not self.evidence:
            return f"{losses}No head was tested ({self.why_none})."
        return (
            f"{losses}Heads of the types that predict a part in it were tested: such a head matters if ablating it "
            f"changes the second-copy loss by more than {self.margin(self.report_losses):.3f} nats, and by that "
            "much more than ablating the average head of no type does."
        )

    def summary(self) -> str:
        """Return what was found, in four lines."""
        first, second = self.losses()
        confirmed = [head_name(head) for head, claim in zip(self.types, self.claims(), strict=True) if claim.grade]
        typed = ", ".join(f"{head_name(head)} {'+'.join(kinds)}" for head, kinds in self.types.items()) or "none"
        return (
            f"{self.config.model}: loss {first} nats on the first copy, {second} on the second\n"
            f"look like a type: {typed}\n"
            f"matter for the second copy when ablated: {', '.join(confirmed) or self.why_none}\n"
            f"({self.config.level:.0%} intervals, claims at {self.config.fdr:g} after correction, effects above "
            f"{self.margin(self.report_losses):.3f} nats and above the average head of no type)"
        )
