"""What the attention-head experiment found: arrays, and everything that follows from them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from jaxtyping import Bool, Float

from interp_lab.attention.config import AttentionHeadsConfig
from interp_lab.attention.heads import TYPE_NAMES, heads_that_look, typed_heads
from interp_lab.claims import Claim, Evidence, Grade, Split
from interp_lab.effects import Effects, evidence_against
from interp_lab.experiment import Provenance, Section
from interp_lab.plots import head_map, interval_plot
from interp_lab.stats import Intervals, bootstrap_interval, mean_interval
from interp_lab.types import HeadIndex, Interval, head_name

PREDICTS_SECOND_COPY = frozenset({"induction", "previous_token"})
"""Types that stand for a mechanism of second-copy prediction: induction, and what it composes with."""


@dataclass(frozen=True)
class AttentionHeadsResult:
    """Scores and ablation effects of every head, sequence by sequence."""

    config: AttentionHeadsConfig
    provenance: Provenance
    select_scores: Float[np.ndarray, "type layer head example"]
    """Scores (probabilities) on the sequences that types are chosen on."""
    select_chance: Float[np.ndarray, "type example"]
    report_scores: Float[np.ndarray, "type layer head example"]
    """Scores on other sequences: what is reported."""
    report_chance: Float[np.ndarray, "type example"]
    report_losses: Float[np.ndarray, "copy example"]
    """Loss (nats) of the untouched model on the first and second copy, on the report sequences."""
    report_changes: Float[np.ndarray, "layer head example"]
    """Rise of the second-copy loss (nats) when one head is ablated, on the report sequences."""
    held_out_changes: Float[np.ndarray, "layer head held_out"]
    """The same on sequences of the held-out period (an empty last axis if there is none)."""

    @classmethod
    def from_arrays(
        cls, config: AttentionHeadsConfig, provenance: Provenance, arrays: dict[str, np.ndarray]
    ) -> "AttentionHeadsResult":
        """Rebuild from what `arrays` returned."""
        return cls(config, provenance, **arrays)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return per-sequence arrays by field name."""
        names = [name for name in self.__dataclass_fields__ if name not in ("config", "provenance")]
        return {name: getattr(self, name) for name in names}

    @cached_property
    def looks(self) -> Bool[np.ndarray, "type layer head"]:
        """Which heads look like which type, chosen on the select half."""
        c = self.config
        return heads_that_look(self.select_scores, self.select_chance, at_least=c.looks_like, fdr=c.fdr, seed=c.seed)

    @cached_property
    def types(self) -> dict[HeadIndex, tuple[str, ...]]:
        """The types of every head that has any."""
        return typed_heads(self.looks)

    @cached_property
    def score_intervals(self) -> Intervals:
        """Mean score with interval, on the report half; axes type, layer, head."""
        return bootstrap_interval(self.report_scores, level=self.config.level, seed=self.config.seed)

    @cached_property
    def change_intervals(self) -> Intervals:
        """Mean rise of the second-copy loss with interval, on the report half; axes layer, head."""
        return bootstrap_interval(self.report_changes, level=self.config.level, seed=self.config.seed)

    @property
    def controls(self) -> list[HeadIndex]:
        """The heads that look like no type: the control of every ablation."""
        return [head for head in np.ndindex(*self.looks.shape[1:]) if not self.looks[:, *head].any()]

    @cached_property
    def behaves(self) -> bool:
        """Whether the model does what the types predict: a lower loss on the second copy, clear of zero."""
        gain = mean_interval(-np.diff(self.report_losses, axis=0)[0], level=self.config.level, seed=self.config.seed)
        return gain.low > 0

    @property
    def margin(self) -> float:
        """The smallest effect of interest (nats): a share of what there is to lose."""
        first, second = self.report_losses.mean(-1)
        return self.config.smallest_effect * max(float(first - second), 0.0)

    @cached_property
    def evidence(self) -> dict[HeadIndex, tuple[Evidence, Evidence | None]]:
        """Effect and replication of every head whose type predicts the second copy.

        Empty if the model does not predict the second copy better than the first, or has no control heads.
        """
        tested = [head for head, kinds in self.types.items() if PREDICTS_SECOND_COPY.intersection(kinds)]
        if not (tested and self.controls and self.behaves):
            return {}
        effects = self._evidence(tested, self.report_changes, Split.REPORT)
        again: list[Evidence | None] = [None] * len(tested)
        if self.held_out_changes.shape[-1] > 0:
            again = [*self._evidence(tested, self.held_out_changes, Split.HELD_OUT)]
        return dict(zip(tested, zip(effects, again, strict=True), strict=True))

    def _evidence(
        self, heads: list[HeadIndex], changes: Float[np.ndarray, "layer head example"], split: Split
    ) -> list[Evidence]:
        picked = np.stack([changes[head] for head in heads])
        control = np.mean([changes[head] for head in self.controls], axis=0)
        names = tuple(f"{self.config.ablation} ablation of {head_name(head)}" for head in heads)
        effects = Effects(names, "second-copy loss", "nats", np.zeros(picked.shape[1]), picked)
        return evidence_against(
            effects,
            np.broadcast_to(control, picked.shape),
            control_name=f"mean of the {len(self.controls)} heads of no type",
            split=split,
            margin=self.margin,
            level=self.config.level,
            seed=self.config.seed,
        )

    def claims(self) -> list[Claim]:
        """Return one claim per typed head."""
        return [self._claim(head, kinds) for head, kinds in self.types.items()]

    def _claim(self, head: HeadIndex, kinds: tuple[str, ...]) -> Claim:
        effect, replication = self.evidence.get(head, (None, None))
        observed = "; ".join(
            f"{kind} score {self.score_intervals.at(TYPE_NAMES.index(kind), *head)}, "
            f"shuffled keys {self.report_chance[TYPE_NAMES.index(kind)].mean():.3f}"
            for kind in kinds
        )
        kind = " and ".join(kinds).replace("_", "-")
        looks = (
            f"{head_name(head)} of {self.config.model} attends like {'an' if kind[0] in 'aeiou' else 'a'} {kind} head"
        )
        claim = Claim(looks, observed, effect, replication, alpha=self.config.fdr)
        if effect is None or claim.grade is Grade.DESCRIPTIVE:
            return claim
        does = "predicts the second copy worse" if effect.effect.estimate > 0 else "predicts the second copy better"
        return Claim(f"{looks}, and the model {does} without it", observed, effect, replication, alpha=claim.alpha)

    def metrics(self) -> dict[str, float]:
        """Return the losses, the best score of every type, and how many heads were typed and confirmed."""
        best = self.score_intervals.estimate.reshape(len(TYPE_NAMES), -1).max(-1)
        first, second = self.report_losses.mean(-1)
        return {
            "first_copy_loss": float(first),
            "second_copy_loss": float(second),
            **{f"best_{kind}": float(score) for kind, score in zip(TYPE_NAMES, best, strict=True)},
            "n_typed_heads": float(len(self.types)),
            "n_causal_claims": float(sum(claim.grade >= Grade.CAUSAL for claim in self.claims())),
        }

    def losses(self) -> tuple[Interval, Interval]:
        """Return the loss (nats) on the first and on the second copy, with intervals."""
        first, second = (
            mean_interval(values, level=self.config.level, seed=self.config.seed) for values in self.report_losses
        )
        return first, second

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
        first, second = self.losses()
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
            suggests=f"The model predicts the first copy with a loss of {first} nats and the second with {second}. "
            "A head whose ablation raises the second-copy loss more than its control is needed on this text.",
            does_not_show="That heads without an effect do nothing (another head may back them up), nor through "
            "which path an effect comes about.",
            figures=causal,
            tables=self.tables(),
        )
        return [looks, acts]

    def summary(self) -> str:
        """Return what was found, in three lines."""
        first, second = self.losses()
        confirmed = [head_name(head) for head, claim in zip(self.types, self.claims(), strict=True) if claim.grade]
        typed = ", ".join(f"{head_name(head)} {'+'.join(kinds)}" for head, kinds in self.types.items()) or "none"
        return (
            f"{self.config.model}: loss {first} nats on the first copy, {second} on the second\n"
            f"look like a type: {typed}\n"
            f"matter for the second copy (ablation, against control): {', '.join(confirmed) or self._why_none()}"
        )

    def _why_none(self) -> str:
        if not self.behaves:
            return "not asked, the model predicts the second copy no better than the first"
        return "none shown" if self.controls else "not asked, every head has a type and none is left as a control"
