"""What was measured of every head, and what follows from it: types, evidence, claims."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from interp_lab.attention.config import AttentionHeadsConfig
from interp_lab.attention.heads import TYPE_NAMES, heads_that_look, typed_heads
from interp_lab.claims import Claim, Evidence, Grade, Split
from interp_lab.effects import evidence_against
from interp_lab.engine import Effects
from interp_lab.experiment import Provenance
from interp_lab.stats import Intervals, bootstrap_interval, mean_interval
from interp_lab.types import HeadIndex, Interval, head_name

PREDICTS_SECOND_COPY = frozenset({"induction", "previous_token"})
"""Types that stand for a mechanism of second-copy prediction: induction, and what it composes with."""


@dataclass(frozen=True)
class HeadMeasurements:
    """Scores and ablation effects of every head, sequence by sequence."""

    config: AttentionHeadsConfig
    provenance: Provenance
    select_scores: Float[np.ndarray, "type layer head example"]
    """Scores (probabilities) on the sequences that types are chosen on."""
    select_chance: Float[np.ndarray, "type example"]
    second_scores: Float[np.ndarray, "type layer head example"]
    """Scores on the second period, where types must hold, too."""
    second_chance: Float[np.ndarray, "type example"]
    report_scores: Float[np.ndarray, "type layer head example"]
    """Scores on other sequences: what is reported."""
    report_chance: Float[np.ndarray, "type example"]
    report_losses: Float[np.ndarray, "copy example"]
    """Loss (nats) of the untouched model on the first and second copy, on the report sequences."""
    report_changes: Float[np.ndarray, "layer head example"]
    """Rise of the second-copy loss (nats) when one head is ablated, on the report sequences."""
    held_out_losses: Float[np.ndarray, "copy held_out"]
    """As `report_losses`, on the held-out period (an empty last axis if there is none)."""
    held_out_changes: Float[np.ndarray, "layer head held_out"]
    """As `report_changes`, on the held-out period."""

    @cached_property
    def looks(self) -> Bool[np.ndarray, "type layer head"]:
        """Which heads look like which type, chosen on the select half and on the second period."""
        c = self.config
        seen = ((self.select_scores, self.select_chance), (self.second_scores, self.second_chance))
        first, second = (
            heads_that_look(scores, chance, at_least=c.looks_like, fdr=c.fdr, seed=c.seed) for scores, chance in seen
        )
        return first & second

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

    def losses(self) -> tuple[Interval, Interval]:
        """Return the loss (nats) on the first and on the second copy, with intervals."""
        first, second = (
            mean_interval(values, level=self.config.level, seed=self.config.seed) for values in self.report_losses
        )
        return first, second

    @cached_property
    def behaves(self) -> bool:
        """Whether the model does what the types predict: a lower loss on the second copy, clear of zero."""
        gain = self.report_losses[0] - self.report_losses[1]
        return mean_interval(gain, level=self.config.level, seed=self.config.seed).low > 0

    def margin(self, losses: Float[np.ndarray, "copy example"]) -> float:
        """Return the smallest effect of interest (nats): a share of what there is to lose."""
        first, second = losses.mean(-1)
        return self.config.smallest_effect * max(float(first - second), 0.0)

    @property
    def controls(self) -> list[HeadIndex]:
        """The heads that look like no type: the control of every ablation."""
        return [head for head in np.ndindex(*self.looks.shape[1:]) if not self.looks[:, *head].any()]

    @cached_property
    def evidence(self) -> dict[HeadIndex, tuple[Evidence, Evidence | None]]:
        """Effect and replication of every head whose type predicts a part in the second copy; empty if not asked."""
        tested = [head for head, kinds in self.types.items() if PREDICTS_SECOND_COPY.intersection(kinds)]
        if not (tested and self.controls and self.behaves):
            return {}
        effects = self._evidence(tested, self.report_changes, self.margin(self.report_losses), Split.REPORT)
        again: list[Evidence | None] = [None] * len(tested)
        if self.held_out_changes.shape[-1] > 0:
            again = [*self._evidence(tested, self.held_out_changes, self.margin(self.held_out_losses), Split.HELD_OUT)]
        return dict(zip(tested, zip(effects, again, strict=True), strict=True))

    def _evidence(
        self, heads: list[HeadIndex], changes: Float[np.ndarray, "layer head example"], margin: float, split: Split
    ) -> list[Evidence]:
        picked = np.stack([changes[head] for head in heads])
        controls = np.stack([changes[head] for head in self.controls])
        names = tuple(f"{self.config.ablation} ablation of {head_name(head)}" for head in heads)
        found = evidence_against(
            Effects(names, "second-copy loss", "nats", np.zeros(picked.shape[1]), picked),
            np.broadcast_to(controls.mean(0), picked.shape),
            control_name=f"mean of the {len(controls)} heads of no type",
            split=split,
            margin=margin,
            level=self.config.level,
            seed=self.config.seed,
        )
        beaten = [int((np.abs(controls.mean(-1)) < abs(own)).sum()) for own in picked.mean(-1)]
        return [
            replace(one, control=f"{one.control} (larger than {n} of them)")
            for one, n in zip(found, beaten, strict=True)
        ]

    @property
    def why_none(self) -> str:
        """Why no head is said to matter, if none is."""
        if not self.behaves:
            return "not asked, the model predicts the second copy no better than the first"
        if not self.controls:
            return "not asked, every head has a type and none is left as a control"
        return "none shown" if self.evidence else "not asked, no head looks like a type that predicts a part in it"

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
        article = "an" if kind[0] in "aeiou" else "a"
        looks = f"{head_name(head)} of {self.config.model} attends like {article} {kind} head"
        claim = Claim(looks, observed, effect, replication, alpha=self.config.fdr)
        if effect is None or claim.grade is Grade.DESCRIPTIVE:
            return claim
        does = "worse" if effect.effect.estimate > 0 else "better"
        return replace(claim, statement=f"{looks}, and the model predicts the second copy {does} without it")
