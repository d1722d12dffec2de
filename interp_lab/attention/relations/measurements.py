"""What was measured of relations, and what follows from it: what heads look like, and what they act like."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool

from interp_lab.attention.head_sets import HeadSet, MeasuredSet, SetChanges, SetFinding, set_findings
from interp_lab.attention.relations.acts import RelationEffects
from interp_lab.attention.relations.carriers import RelationAttention, RelationHeads
from interp_lab.attention.relations.config import AttentionRelationsConfig
from interp_lab.attention.relations.contrast import AttentionContrast, contrasted
from interp_lab.attention.relations.role_attention import RoleAttention
from interp_lab.attention.verdicts import FEWEST_CONTROLS, UNTOLD, Verdict, verdict_of
from interp_lab.claims import Evidence, Grade, Split, grade
from interp_lab.effects import Compared, Tested, others, with_replications
from interp_lab.experiment import Provenance
from interp_lab.interventions import Ablation
from interp_lab.stats import mean_interval
from interp_lab.types import Interval, head_name

_APART = "heads that do not attend along it"
"""What heads and sets of heads are compared with."""

Where = tuple[int, int, int]
"""A relation and a head."""


WORSE = -1
"""Sign of a change for the worse: the metrics say how much the model prefers the answer."""


@dataclass(frozen=True)
class RelationMeasurements:
    """Attention, effects and contrasts, prompt by prompt."""

    config: AttentionRelationsConfig
    provenance: Provenance
    tasks: tuple[str, ...]
    """Of each relation."""
    attention: Mapping[Split, tuple[RelationAttention, ...]]
    effects: Mapping[Split, tuple[RelationEffects, ...]]
    """On the report half and, if there are any, on held-out templates."""
    contrasts: tuple[tuple[RoleAttention, RoleAttention], ...]
    """The two sets of each contrast of the config."""

    @property
    def model(self) -> str:
        """The name of the model that was measured."""
        return self.provenance.model.name

    @property
    def relations(self) -> tuple[str, ...]:
        """Their names."""
        return self.carriers.relations

    @cached_property
    def carriers(self) -> RelationHeads:
        """Which heads attend along which relations."""
        c = self.config
        return RelationHeads(
            self.attention, at_least=c.at_least, fdr=c.fdr, level=c.level, seed=c.seed, stated=c.chosen
        )

    @property
    def looks(self) -> Bool[np.ndarray, "relation layer head"]:
        """Found on the select half, or stated in advance, and seen again on the report half."""
        return self.carriers.looks

    def baseline(self, nth: int, split: Split = Split.REPORT) -> Interval:
        """Return how much the untouched model prefers the answers of a relation."""
        part, c = self.effects[split][nth], self.config
        return mean_interval(part.baseline, part.templates, level=c.level, seed=c.seed)

    @cached_property
    def why_not(self) -> tuple[str, ...]:
        """Why no effect is asked for, by relation; empty where one is."""
        return tuple(self._why_not(nth) for nth in range(len(self.relations)))

    def _why_not(self, nth: int) -> str:
        told, apart = self.baseline(nth), int((~self.carriers.found[nth]).sum())
        if not told.low > 0:
            part = self.effects[Split.REPORT][nth]
            return f"the model does not clearly prefer the answer ({part.metric} {told} {part.unit})"
        if apart < FEWEST_CONTROLS:
            return f"{apart} heads do not carry it, and controls need {FEWEST_CONTROLS}"
        return ""

    @property
    def _asked(self) -> list[int]:
        return [nth for nth, why in enumerate(self.why_not) if not why]

    @cached_property
    def tested(self) -> dict[Ablation, dict[Where, Tested]]:
        """Effect and replication of every head on every relation that is asked; corrected over them, kind by kind.

        The controls of a head are the other heads that do not carry the relation, whose spread counts.
        """
        c, found = self.config, {}
        for kind in c.ablations:
            report = [self._compared(nth, Split.REPORT, kind) for nth in self._asked]
            away = [self._compared(nth, Split.HELD_OUT, kind) if self._repeats(nth) else None for nth in self._asked]
            every = with_replications(report, away, alpha=c.fdr, level=c.level, seed=c.seed)
            heads = list(np.ndindex(*self.looks.shape[1:]))
            found[kind] = {
                (nth, *head): one
                for nth, own in zip(self._asked, every, strict=True)
                for head, one in zip(heads, own, strict=True)
            }
        return found

    @cached_property
    def evidence(self) -> dict[Ablation, dict[Where, Evidence]]:
        """On the report half."""
        return {kind: {at: effect for at, (effect, _) in own.items()} for kind, own in self.tested.items()}

    @cached_property
    def replications(self) -> dict[Ablation, dict[Where, Evidence]]:
        """On held-out templates, of what is clear on the report half."""
        return {
            kind: {at: again for at, (_, again) in own.items() if again is not None}
            for kind, own in self.tested.items()
        }

    def _repeats(self, nth: int) -> bool:
        """Whether the model shows the behaviour on held-out templates, so that there is something to lose."""
        return Split.HELD_OUT in self.effects and self.baseline(nth, Split.HELD_OUT).low > 0

    def _compared(self, nth: int, split: Split, kind: Ablation) -> Compared:
        part, apart = self.effects[split][nth], ~self.carriers.found[nth].ravel()
        changes = part.changes[self.config.ablations.index(kind)].reshape(apart.size, -1)
        heads = [head_name(head) for head in np.ndindex(*self.looks.shape[1:])]
        return Compared(
            names=tuple(f"{kind} ablation of {head}: {self._changed(nth)}" for head in heads),
            changes=changes,
            controls=others(changes, apart),
            of=(f"other {_APART}",) * len(heads),
            unit=part.unit,
            margin=self.margin(nth, split),
            clusters=part.templates,
        )

    def _changed(self, nth: int) -> str:
        return f"{self.relations[nth]}, change of the {self.effects[Split.REPORT][nth].metric}"

    def margin(self, nth: int, split: Split = Split.REPORT) -> float:
        """Return the smallest change of interest: a share of what there is to lose."""
        return self.config.smallest_effect * max(float(self.effects[split][nth].baseline.mean()), 0.0)

    @cached_property
    def sets(self) -> tuple[SetFinding, ...]:
        """Of every kind and every relation that several heads carry; corrected over relations, kind by kind."""
        c = self.config
        asked = [nth for nth in self._asked if self.carriers.found[nth].sum() > 1]
        return tuple(
            one
            for kind in c.ablations
            for one in set_findings(
                [self._measured_set(nth, kind) for nth in asked], worse=WORSE, alpha=c.fdr, level=c.level, seed=c.seed
            )
        )

    def _measured_set(self, nth: int, kind: Ablation) -> MeasuredSet:
        relation, own = self.relations[nth], self.carriers.found[nth]
        heads = HeadSet(f"heads of {relation}", relation, tuple((int(at[0]), int(at[1])) for at in np.argwhere(own)))
        which, splits = self.config.ablations.index(kind), [Split.REPORT, *[Split.HELD_OUT] * self._repeats(nth)]
        changes = {}
        for split in splits:
            part = self.effects[split][nth]
            together, *random = part.sets[which]
            members, margin = part.changes[which][own], self.margin(nth, split)
            changes[split] = SetChanges(together, members, np.stack(random), part.unit, margin, part.templates)
        return MeasuredSet(heads, kind, self._changed(nth), _APART, changes)

    def grade(self, at: Where) -> Grade:
        """Return the grade of what ablating a head, the first way, does to the answer of a relation."""
        kind = self.config.ablations[0]
        effect, again = self.evidence[kind].get(at), self.replications[kind].get(at)
        return grade(effect, again, alpha=self.config.fdr)

    def agreeing(self, at: Where) -> str:
        """Return how many of the other kinds of ablation have a clear effect too, of the same sign; such as `1 of 2`.

        Where the first kind has none, effects of either sign count; empty if there is no other kind.
        """
        first, *others = (self.evidence[kind][at] for kind in self.config.ablations)
        alpha = self.config.fdr
        clear = [one for one in others if one.is_clear(alpha=alpha)]
        if first.is_clear(alpha=alpha):
            clear = [one for one in clear if one.effect.estimate * first.effect.estimate > 0]
        return f"{len(clear)} of {len(others)}" if others else ""

    def verdict(self, at: Where) -> Verdict:
        """Return how looks and acts of a head agree, under the first kind of ablation."""
        effect = self.evidence[self.config.ablations[0]].get(at)
        backed_up, looks = self.relations[at[0]] in self._backed_up, bool(self.looks[at])
        return verdict_of(effect, looks=looks, worse=WORSE, backed_up=backed_up, alpha=self.config.fdr)

    @cached_property
    def _backed_up(self) -> set[str]:
        """Relations whose heads, ablated the first way, are missed together, and more than alone."""
        first = self.config.ablations[0]
        return {one.heads.behaviour for one in self.sets if one.ablation is first and one.backs_up}

    @cached_property
    def verdicts(self) -> dict[Where, Verdict]:
        """The verdict on every head that looks or acts."""
        every = {at: self.verdict(at) for at in np.ndindex(*self.looks.shape)}
        return {at: told for at, told in every.items() if self.looks[at] or told not in UNTOLD}

    @cached_property
    def contrasted(self) -> tuple[AttentionContrast, ...]:
        """Each contrast of the config."""
        c = self.config
        return tuple(
            contrasted(*sets, names=(str(asked.first), str(asked.second)), fdr=c.fdr, level=c.level, seed=c.seed)
            for asked, sets in zip(c.contrasts, self.contrasts, strict=True)
        )
