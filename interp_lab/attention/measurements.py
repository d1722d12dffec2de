"""What was measured of every head, and what follows from it: who acts, who only looks, who backs whom up; claims."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from interp_lab.attention.config import AttentionHeadsConfig
from interp_lab.attention.head_effects import BehaviourEffects, HeadSet
from interp_lab.attention.head_types import SECOND_COPY, TASK, TEXT, head_types
from interp_lab.attention.looks import Looks
from interp_lab.attention.readings import Attended, Example, Habits, WeightReadings
from interp_lab.claims import Claim, Evidence, Split, grade
from interp_lab.effects import evidence_against_several
from interp_lab.engine import Effects
from interp_lab.experiment import Provenance
from interp_lab.stats import Intervals, bootstrap_interval, mean_interval, paired_difference
from interp_lab.types import HeadIndex, Interval, head_name

BEHAVIOURS = {SECOND_COPY: "the second copy", TEXT: "natural text", TASK: "the answers of the task"}
"""What a model predicts worse without a head that matters."""

PREDICTS = {name: one.predicts for name, one in head_types(window=2, delimiters=(0,)).items()}
"""The behaviour that each type predicts a part in."""


@dataclass(frozen=True)
class SetFinding:
    """Heads ablated together: beside random sets, and beside the sum of their members."""

    heads: HeadSet
    effect: Evidence | None
    """`None` where too few heads of no type are left for random sets."""
    replication: Evidence | None
    together: Interval
    """Effect on the report half."""
    alone: Interval
    """Sum of the effects of the members, each alone."""
    excess: Interval
    """Together less alone: above zero where members stand in for each other."""
    p_excess: float
    """Of the excess, corrected over the sets of the behaviour."""
    margin: float
    alpha: float

    @property
    def backs_up(self) -> bool:
        """Whether more is lost together than alone, by more than the smallest effect of interest."""
        return self.excess.low > self.margin and self.p_excess < self.alpha


@dataclass(frozen=True)
class HeadMeasurements:
    """What heads look like, what ablating them does, and what else was read of them."""

    config: AttentionHeadsConfig
    provenance: Provenance
    looks: Looks
    effects: Mapping[tuple[Split, str], BehaviourEffects]
    """By split (report, held-out) and behaviour."""
    sets: tuple[HeadSet, ...]
    """Heads ablated together: look-alikes, and heads with the partner that may stand in for them."""
    habits: Habits
    """On the report half of the natural text, or of the repeats where there is none."""
    weights: WeightReadings | None
    """`None` where weights were not asked for, or do not meet as matrices (models that norm behind their layers)."""
    attended: Attended | None
    """Of typed heads on natural text."""
    example: Example

    @property
    def behaviours(self) -> tuple[str, ...]:
        """What heads were ablated for."""
        return tuple(name for split, name in self.effects if split is Split.REPORT)

    def intervals(self, behaviour: str) -> Intervals:
        """Return the effect of ablating each head on the report half, under the first kind; axes layer, head."""
        one = self.effects[Split.REPORT, behaviour]
        return bootstrap_interval(one.changes[0], one.units, level=self.config.level, seed=self.config.seed)

    def at_stake(self, behaviour: str) -> Interval:
        """Return what there is to lose, on the report half."""
        one = self.effects[Split.REPORT, behaviour]
        return mean_interval(one.stake, one.units, level=self.config.level, seed=self.config.seed)

    def margin(self, effects: BehaviourEffects) -> float:
        """Return the smallest effect of interest, in the unit of the metric."""
        return self.config.smallest_effect * max(float(effects.stake.mean()), 0.0)

    def why_not(self, behaviour: str) -> str | None:
        """Return why heads were not tested for a behaviour; `None` if they were."""
        if self.at_stake(behaviour).low <= 0:
            return f"not asked, the model does no better on {BEHAVIOURS[behaviour]} than one that knows nothing of it"
        if len(self.looks.untyped) < 3:
            return f"not asked, {len(self.looks.untyped)} heads of no type are too few controls"
        return None

    @cached_property
    def evidence(self) -> dict[str, dict[HeadIndex, tuple[Evidence, Evidence | None]]]:
        """By behaviour, effect and replication of every head; what is not clear on the report half is not replicated.

        The controls of a head are the other heads of no type, whose spread counts.
        """
        found: dict[str, dict[HeadIndex, tuple[Evidence, Evidence | None]]] = {}
        for behaviour in self.behaviours:
            if self.why_not(behaviour) is not None:
                found[behaviour] = {}
                continue
            heads = list(np.ndindex(*self.looks.n_heads))
            effects = self._of_heads(Split.REPORT, behaviour, heads)
            clear = [head for head, one in zip(heads, effects, strict=True) if one.is_clear(alpha=self.config.fdr)]
            again = dict(zip(clear, self._of_heads(Split.HELD_OUT, behaviour, clear), strict=False))
            found[behaviour] = {head: (one, again.get(head)) for head, one in zip(heads, effects, strict=True)}
        return found

    def _of_heads(self, split: Split, behaviour: str, heads: Sequence[HeadIndex]) -> list[Evidence]:
        one = self.effects.get((split, behaviour))
        if one is None or not heads:
            return []
        names = tuple(f"{self.config.ablations[0]} ablation of {head_name(head)}" for head in heads)
        changes = one.changes[0]
        controls = [np.stack([changes[other] for other in self.looks.untyped if other != head]) for head in heads]
        return self._against(
            one, names, np.stack([changes[head] for head in heads]), controls, "heads of no type", split
        )

    def _against(
        self,
        one: BehaviourEffects,
        names: tuple[str, ...],
        changes: Float[np.ndarray, "site example"],
        controls: Sequence[Float[np.ndarray, "_ _"]],
        of: str,
        split: Split,
    ) -> list[Evidence]:
        effects = Effects(names, one.metric, one.unit, one.baseline, changes)
        return evidence_against_several(
            effects, controls, of=of, split=split, clusters=one.units, margin=self.margin(one),
            level=self.config.level, seed=self.config.seed,
        )  # fmt: skip

    @cached_property
    def set_findings(self) -> list[SetFinding]:
        """What ablating heads together does; empty where the behaviour was not asked about."""
        return [
            finding
            for behaviour in self.behaviours
            if self.why_not(behaviour) is None
            for finding in self._sets_of(behaviour)
        ]

    def _sets_of(self, behaviour: str) -> list[SetFinding]:
        own = [one for one in self.sets if one.behaviour == behaviour]
        if not own:
            return []
        c, report = self.config, self.effects[Split.REPORT, behaviour]
        sums = np.stack([sum_of(report.changes[0], one.heads) for one in own])
        together, alone = (
            bootstrap_interval(values, report.units, level=c.level, seed=c.seed) for values in (report.sets, sums)
        )
        excess = paired_difference(report.sets, sums, report.units, level=c.level, seed=c.seed)
        effects = self._of_sets(Split.REPORT, behaviour, own)
        again = self._of_sets(Split.HELD_OUT, behaviour, own)
        adjusted = excess.p_adjusted()
        return [
            SetFinding(
                one, effects.get(nth), again.get(nth), together.at(nth), alone.at(nth), excess.intervals.at(nth),
                float(adjusted[nth]), self.margin(report), c.fdr,
            )
            for nth, one in enumerate(own)
        ]  # fmt: skip

    def _of_sets(self, split: Split, behaviour: str, own: Sequence[HeadSet]) -> dict[int, Evidence]:
        one = self.effects.get((split, behaviour))
        if one is None:
            return {}
        random = [rows[np.isfinite(rows).all(1)] for rows in one.random]
        tested = [nth for nth, rows in enumerate(random) if len(rows) > 1]
        if not tested:
            return {}
        names = tuple(f"{self.config.ablations[0]} ablation of {own[nth]}" for nth in tested)
        controls = [random[nth] for nth in tested]
        found = self._against(one, names, one.sets[tested], controls, "random sets of as many heads of no type", split)
        return dict(zip(tested, found, strict=True))

    def acts(self, head: HeadIndex, behaviour: str) -> bool:
        """Whether ablating a head clearly changes a behaviour, more than ablating heads of no type does."""
        effect, _ = self.evidence[behaviour].get(head, (None, None))
        return effect is not None and effect.is_clear(alpha=self.config.fdr)

    def predicted(self, head: HeadIndex) -> tuple[str, ...]:
        """Return the behaviours that the types of a head predict a part in."""
        kinds = self.looks.of_heads.get(head, ())
        return tuple(dict.fromkeys(name for kind in kinds if (name := PREDICTS.get(kind)) is not None))

    def verdict(self, head: HeadIndex, behaviour: str) -> str:
        """Return how looks and acts of a head agree on a behaviour, in words; empty where there is nothing to say."""
        if not self.evidence[behaviour]:
            return ""
        looks, acts = behaviour in self.predicted(head), self.acts(head, behaviour)
        if acts and self.evidence[behaviour][head][0].effect.estimate < 0:
            return "in the way" if looks else "acts only, in the way"
        if looks and acts:
            return "looks and acts"
        if acts:
            return "acts only"
        if not looks:
            return ""
        backed = [one.heads for one in self.set_findings if one.heads.behaviour == behaviour and one.backs_up]
        acting = min((one for one in backed if head in one.heads), key=lambda one: len(one.heads), default=None)
        if acting is None:
            return "looks only"
        return f"looks only; acts with {' and '.join(head_name(other) for other in acting.heads if other != head)}"

    def claims(self) -> list[Claim]:
        """Return a claim per typed head, per head that acts without a type, and per set of heads."""
        heads = [self._head_claim(head) for head in np.ndindex(*self.looks.n_heads)]
        together = [one for one in self.set_findings if one.backs_up or one.heads.is_of_a_type]
        return [*(claim for claim in heads if claim is not None), *map(self._set_claim, together)]

    def _head_claim(self, head: HeadIndex) -> Claim | None:
        kinds = self.looks.of_heads.get(head)
        acting = [name for name in self.behaviours if self.acts(head, name)]
        if kinds is None and not acting:
            return None
        asked = [name for name in (*self.predicted(head), *acting) if self.evidence.get(name)]
        behaviour = next((name for name in asked if name in acting), asked[0] if asked else None)
        effect, again = self.evidence[behaviour][head] if behaviour is not None else (None, None)
        who = f"{head_name(head)} of {self.config.model}"
        looks = f"{who} attends like {_a(kinds)} head" if kinds else f"{who} attends like no known type"
        if behaviour in acting and effect is not None:
            does = "worse" if effect.effect.estimate > 0 else "better"
            looks += f", and the model predicts {BEHAVIOURS[str(behaviour)]} {does} without it"
        observed = self.looks.told(head) or "no score above its null and the threshold"
        return Claim(looks, observed, effect, again, alpha=self.config.fdr)

    def _set_claim(self, one: SetFinding) -> Claim:
        names = " and ".join(map(head_name, one.heads.heads))
        more = ": more than the sum of each alone, one stands in for the other" if one.backs_up else ""
        observed = f"alone {one.alone} in sum, together {one.together}, excess {one.excess}"
        what = f"{names} of {self.config.model} ({one.heads.label})"
        if one.effect is None:
            said = f"{what} together: too few heads of no type are left to compare them with random sets{more}"
        elif grade(one.effect, one.replication, alpha=self.config.fdr):
            said = f"the model predicts {BEHAVIOURS[one.heads.behaviour]} worse without {what} together{more}"
        else:
            said = f"ablating {what} together is not shown to matter for {BEHAVIOURS[one.heads.behaviour]}"
        return Claim(said, observed, one.effect, one.replication, alpha=self.config.fdr)


def sum_of(
    changes: Float[np.ndarray, "layer head example"], heads: Sequence[HeadIndex]
) -> Float[np.ndarray, " example"]:
    """Return the sum of the effects of heads, each alone."""
    return np.sum([changes[head] for head in heads], axis=0)


def _a(kinds: Sequence[str] | None) -> str:
    kind = " and ".join(kinds or ()).replace("_", "-")
    return f"{'an' if kind[:1] in 'aeiou' else 'a'} {kind}"
