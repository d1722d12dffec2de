"""What was measured of every head, and what follows from it: who acts, who only looks, who backs whom up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from interp_lab.attention.config import AttentionHeadsConfig
from interp_lab.attention.head_effects import BehaviourEffects
from interp_lab.attention.head_sets import HeadSet, MeasuredSet, SetChanges, SetFinding, set_findings
from interp_lab.attention.head_types import SECOND_COPY, TASK, TEXT, head_types
from interp_lab.attention.looks import Looks
from interp_lab.attention.readings import Attended, Example, Habits, WeightReadings
from interp_lab.attention.verdicts import FEWEST_CONTROLS, Verdict, verdict_of
from interp_lab.claims import Split
from interp_lab.effects import Compared, Tested, others, with_replications
from interp_lab.experiment import Provenance
from interp_lab.stats import Intervals, bootstrap_interval, mean_interval
from interp_lab.types import HeadIndex, Interval, head_name

BEHAVIOURS = {SECOND_COPY: "the second copy", TEXT: "natural text", TASK: "the answers of the task"}
"""What a model predicts worse without a head that matters."""

PREDICTS = {name: one.predicts for name, one in head_types(window=2, delimiters=(0,)).items()}
"""The behaviour that each type predicts a part in."""

WORSE = 1
"""Sign of a change for the worse: all changes are turned so that positive is worse."""


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

    def at_stake(self, behaviour: str, split: Split = Split.REPORT) -> Interval:
        """Return what there is to lose."""
        one = self.effects[split, behaviour]
        return mean_interval(one.stake, one.units, level=self.config.level, seed=self.config.seed)

    def margin(self, effects: BehaviourEffects) -> float:
        """Return the smallest effect of interest, in the unit of the metric."""
        return self.config.smallest_effect * max(float(effects.stake.mean()), 0.0)

    def why_not(self, behaviour: str) -> str | None:
        """Return why heads were not tested for a behaviour; `None` if they were."""
        if self.at_stake(behaviour).low <= 0:
            return f"not asked, the model does no better on {BEHAVIOURS[behaviour]} than one that knows nothing of it"
        if len(self.looks.untyped) < FEWEST_CONTROLS:
            return f"not asked, {len(self.looks.untyped)} heads of no type are too few controls"
        return None

    @property
    def _asked(self) -> list[str]:
        return [name for name in self.behaviours if self.why_not(name) is None]

    def _splits(self, behaviour: str) -> dict[Split, BehaviourEffects]:
        """Return the report half, and the held-out split if the model has something to lose there, too."""
        found = {Split.REPORT: self.effects[Split.REPORT, behaviour]}
        away = self.effects.get((Split.HELD_OUT, behaviour))
        if away is not None and self.at_stake(behaviour, Split.HELD_OUT).low > 0:
            found[Split.HELD_OUT] = away
        return found

    @cached_property
    def evidence(self) -> dict[str, dict[HeadIndex, Tested]]:
        """By behaviour, effect and replication of every head; what is not clear on the report half is not replicated.

        The controls of a head are the other heads of no type, whose spread counts. One correction counts the heads of
        all behaviours. A behaviour that was not asked about has no entries.
        """
        asked, c = self._asked, self.config
        parts = [{split: self._compared(name, one) for split, one in self._splits(name).items()} for name in asked]
        report, away = [own[Split.REPORT] for own in parts], [own.get(Split.HELD_OUT) for own in parts]
        every = with_replications(report, away, alpha=c.fdr, level=c.level, seed=c.seed)
        found = {
            name: dict(zip(np.ndindex(*self.looks.n_heads), own, strict=True))
            for name, own in zip(asked, every, strict=True)
        }
        return {name: found.get(name, {}) for name in self.behaviours}

    def _compared(self, behaviour: str, one: BehaviourEffects) -> Compared:
        heads, untyped = list(np.ndindex(*self.looks.n_heads)), set(self.looks.untyped)
        changes = one.changes[0].reshape(len(heads), -1)
        return Compared(
            names=tuple(f"{self.config.ablations[0]} ablation of {head_name(head)}: {_changed(one)}" for head in heads),
            changes=changes,
            controls=others(changes, np.array([head in untyped for head in heads])),
            of=("other heads of no type",) * len(heads),
            unit=one.unit,
            margin=self.margin(one),
            clusters=one.units,
        )

    @cached_property
    def set_findings(self) -> tuple[SetFinding, ...]:
        """What ablating heads together does, for behaviours that were asked about; corrected over all sets."""
        c, measured = self.config, []
        for behaviour in self._asked:
            own = [one for one in self.sets if one.behaviour == behaviour]
            splits = self._splits(behaviour)
            for nth, heads in enumerate(own):
                changes = {split: self._set_changes(one, nth, heads.heads) for split, one in splits.items()}
                changed = _changed(splits[Split.REPORT])
                measured.append(MeasuredSet(heads, c.ablations[0], changed, "heads of no type", changes))
        return set_findings(measured, worse=WORSE, alpha=c.fdr, level=c.level, seed=c.seed)

    def _set_changes(self, one: BehaviourEffects, nth: int, heads: Sequence[HeadIndex]) -> SetChanges:
        members = np.stack([one.changes[0][head] for head in heads])
        return SetChanges(one.sets[nth], members, one.random[nth], one.unit, self.margin(one), one.units)

    def acts(self, head: HeadIndex, behaviour: str) -> bool:
        """Whether ablating a head clearly changes a behaviour, more than ablating heads of no type does."""
        effect, _ = self.evidence[behaviour].get(head, (None, None))
        return effect is not None and effect.is_clear(alpha=self.config.fdr)

    def predicted(self, head: HeadIndex) -> tuple[str, ...]:
        """Return the behaviours that the types of a head predict a part in."""
        kinds = self.looks.of_heads.get(head, ())
        return tuple(dict.fromkeys(name for kind in kinds if (name := PREDICTS.get(kind)) is not None))

    def verdict(self, head: HeadIndex, behaviour: str) -> Verdict:
        """Return how looks and acts of a head agree on a behaviour; it looks the part if its type predicts one."""
        effect, _ = self.evidence[behaviour].get(head, (None, None))
        backed_up = bool(self.backed_up_by(head, behaviour))
        looks = behaviour in self.predicted(head)
        return verdict_of(effect, looks=looks, worse=WORSE, backed_up=backed_up, alpha=self.config.fdr)

    def backed_up_by(self, head: HeadIndex, behaviour: str) -> tuple[HeadIndex, ...]:
        """Return the fewest others together with which a head is missed; none if it belongs to no such set."""
        own = (one.heads for one in self.set_findings if one.heads.behaviour == behaviour and one.backs_up)
        fewest = min((one for one in own if head in one.heads), key=lambda one: len(one.heads), default=None)
        return () if fewest is None else tuple(other for other in fewest.heads if other != head)

    def says(self, head: HeadIndex, behaviour: str) -> str:
        """Return the verdict in words, with the names of those that back a head up."""
        verdict = self.verdict(head, behaviour)
        if verdict is not Verdict.BACKED_UP:
            return str(verdict)
        return f"{verdict} by {' and '.join(map(head_name, self.backed_up_by(head, behaviour)))}"


def _changed(one: BehaviourEffects) -> str:
    return f"change of {one.metric}"
