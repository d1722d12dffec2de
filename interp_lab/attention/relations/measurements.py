"""What was measured of relations, and what follows from it: what heads look like, and what they act like."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np
from jaxtyping import Bool

from interp_lab.attention.relations.acts import RelationEffects
from interp_lab.attention.relations.carriers import RelationAttention, RelationHeads
from interp_lab.attention.relations.config import AttentionRelationsConfig
from interp_lab.attention.relations.contrast import AttentionContrast, contrasted
from interp_lab.attention.relations.evidence import Compared, evidence_of, mean_of_others, others_exceeded
from interp_lab.attention.relations.role_attention import RoleAttention
from interp_lab.attention.relations.sets import SetFinding, SetKind, interactions
from interp_lab.claims import Evidence, Grade, Split, grade
from interp_lab.experiment import Provenance
from interp_lab.interventions import Ablation
from interp_lab.stats import mean_interval
from interp_lab.types import Interval, head_name

Where = tuple[int, int, int]
"""A relation and a head."""


class Verdict(StrEnum):
    """How what a head looks like and what it acts like agree."""

    AGREES = "agrees"
    """It attends along the relation, and the model prefers the answer less without it."""
    OPPOSES = "opposes"
    """It attends along the relation, and the model prefers the answer more without it."""
    BACKED_UP = "backed up"
    """It attends along the relation; alone it is not missed, and the heads that do so together are."""
    LOOKS_ONLY = "looks only"
    """It attends along the relation, and no effect of its ablation was shown."""
    ACTS_ONLY = "acts only"
    """The answer changes without it, and it was not found to attend along the relation."""
    NEITHER = "neither"
    NOT_ASKED = "not asked"
    """No effect was asked for; see `why_not`."""


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
        return RelationHeads(self.attention, at_least=c.at_least, fdr=c.fdr, level=c.level, seed=c.seed)

    @property
    def looks(self) -> Bool[np.ndarray, "relation layer head"]:
        """Found on the select half, and seen again on the report half."""
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
        return "" if apart >= 2 else f"{apart} heads do not carry it, and controls need 2"

    @cached_property
    def evidence(self) -> dict[Ablation, dict[Where, Evidence]]:
        """On every head of every relation that is asked, on the report half; corrected over them, kind by kind."""
        asked = [nth for nth, why in enumerate(self.why_not) if not why]
        found = {}
        for kind in self.config.ablations:
            tested = [self._heads_tested(nth, Split.REPORT, kind) for nth in asked]
            every = self._evidence(tested, Split.REPORT)
            shape = self.looks.shape[1:]
            found[kind] = {
                (nth, *at): one
                for nth, of_relation in zip(asked, every, strict=True)
                for at, one in zip(np.ndindex(*shape), of_relation, strict=True)
            }
        return found

    @cached_property
    def replications(self) -> dict[Ablation, dict[Where, Evidence]]:
        """On held-out templates, of what is clear on the report half; corrected over these, kind by kind."""
        found: dict[Ablation, dict[Where, Evidence]] = {}
        for kind, evidence in self.evidence.items():
            clear = [at for at, one in evidence.items() if one.is_clear(alpha=self.config.fdr)]
            tested, keys = [], []
            for nth in dict.fromkeys(at[0] for at in clear if self._repeats(at[0])):
                own = [at for at in clear if at[0] == nth]
                flat = [int(np.ravel_multi_index(at[1:], self.looks.shape[1:])) for at in own]
                tested.append(self._heads_tested(nth, Split.HELD_OUT, kind).rows(flat))
                keys += own
            every = self._evidence(tested, Split.HELD_OUT)
            found[kind] = dict(zip(keys, (one for own in every for one in own), strict=True))
        return found

    def _repeats(self, nth: int) -> bool:
        """Whether the model shows the behaviour on held-out templates, so that there is something to lose."""
        return Split.HELD_OUT in self.effects and self.baseline(nth, Split.HELD_OUT).low > 0

    def _evidence(self, tested: Sequence[Compared], split: Split) -> list[list[Evidence]]:
        return evidence_of(tested, split=split, level=self.config.level, seed=self.config.seed)

    def _heads_tested(self, nth: int, split: Split, kind: Ablation) -> Compared:
        part, apart = self.effects[split][nth], ~self.carriers.found[nth].ravel()
        changes = part.changes[self.config.ablations.index(kind)].reshape(apart.size, -1)
        exceeded = others_exceeded(changes, apart)
        heads = [head_name(head) for head in np.ndindex(*self.looks.shape[1:])]
        return Compared(
            names=tuple(f"{kind} ablation of {head}: {self._behaviour(nth)}" for head in heads),
            changes=changes,
            control=mean_of_others(changes, apart),
            controls=tuple(f"mean of the other heads that do not attend along it (larger than {n})" for n in exceeded),
            unit=part.unit,
            margin=self.margin(nth, split),
            templates=part.templates,
        )

    def _behaviour(self, nth: int) -> str:
        return f"{self.relations[nth]}, change of the {self.effects[Split.REPORT][nth].metric}"

    def margin(self, nth: int, split: Split = Split.REPORT) -> float:
        """Return the smallest change of interest: a share of what there is to lose."""
        return self.config.smallest_effect * max(float(self.effects[split][nth].baseline.mean()), 0.0)

    @cached_property
    def sets(self) -> tuple[SetFinding, ...]:
        """Of every kind and every relation that several heads carry."""
        asked = [nth for nth, why in enumerate(self.why_not) if not why and self.carriers.found[nth].sum() > 1]
        asked = [nth for nth in asked if np.isfinite(self.effects[Split.REPORT][nth].sets).all()]
        return tuple(one for kind in self.config.ablations for one in self._set_findings(asked, kind))

    def _set_findings(self, asked: Sequence[int], kind: Ablation) -> list[SetFinding]:
        c, which = self.config, self.config.ablations.index(kind)
        every = self._evidence([self._set_tested(nth, Split.REPORT, kind) for nth in asked], Split.REPORT)
        found = {nth: one for nth, (one,) in zip(asked, every, strict=True)}
        clear = [nth for nth, one in found.items() if one.is_clear(alpha=c.fdr) and self._repeats(nth)]
        again = self._evidence([self._set_tested(nth, Split.HELD_OUT, kind) for nth in clear], Split.HELD_OUT)
        repeated = {nth: one for nth, (one,) in zip(clear, again, strict=True)}
        parts = [self.effects[Split.REPORT][nth] for nth in asked]
        carried = [self.carriers.found[nth] for nth in asked]
        members = [
            (part.changes[which][own], part.sets[which, 0], part.templates)
            for part, own in zip(parts, carried, strict=True)
        ]
        told = interactions(members, level=c.level, seed=c.seed)
        return [
            SetFinding(nth, kind, _names(own), found[nth], repeated.get(nth), *rest)
            for nth, own, rest in zip(asked, carried, told, strict=True)
        ]

    def _set_tested(self, nth: int, split: Split, kind: Ablation) -> Compared:
        part, names = self.effects[split][nth], _names(self.carriers.found[nth])
        sets = part.sets[self.config.ablations.index(kind)]
        return Compared(
            names=(f"{kind} ablation of {'+'.join(names)}: {self._behaviour(nth)}",),
            changes=sets[:1],
            control=sets[1:].mean(0, keepdims=True),
            controls=(f"mean of {self.config.n_random_sets} random sets of as many heads that do not attend along it",),
            unit=part.unit,
            margin=self.margin(nth, split),
            templates=part.templates,
        )

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
        """Return how looks and acts of a head agree."""
        looks, effect = bool(self.looks[at]), self.evidence[self.config.ablations[0]].get(at)
        if effect is None:
            return Verdict.NOT_ASKED
        if self.grade(at) >= Grade.CAUSAL:
            worse = effect.effect.estimate < 0
            return (Verdict.AGREES if worse else Verdict.OPPOSES) if looks else Verdict.ACTS_ONLY
        if not looks:
            return Verdict.NEITHER
        return Verdict.BACKED_UP if at[0] in self._backed_up else Verdict.LOOKS_ONLY

    @cached_property
    def _backed_up(self) -> set[int]:
        """Relations whose heads, ablated the first way, do more together than alone."""
        own = (one for one in self.sets if one.kind is self.config.ablations[0])
        return {one.relation for one in own if one.acts(alpha=self.config.fdr) is SetKind.BACKUP}

    def verdicts(self) -> dict[Where, Verdict]:
        """Return the verdict on every head that looks or acts."""
        every = {at: self.verdict(at) for at in np.ndindex(*self.looks.shape)}
        return {at: told for at, told in every.items() if self.looks[at] or told is Verdict.ACTS_ONLY}

    @cached_property
    def contrasted(self) -> tuple[AttentionContrast, ...]:
        """Each contrast of the config."""
        c = self.config
        return tuple(
            contrasted(*sets, names=(str(asked.first), str(asked.second)), fdr=c.fdr, level=c.level, seed=c.seed)
            for asked, sets in zip(c.contrasts, self.contrasts, strict=True)
        )


def _names(heads: Bool[np.ndarray, "layer head"]) -> tuple[str, ...]:
    return tuple(head_name((layer, head)) for layer, head in np.argwhere(heads).tolist())
