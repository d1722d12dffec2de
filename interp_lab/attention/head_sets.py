"""Heads ablated together: do they add up, does one stand in for another, and do random sets of as many do the same?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import comb

import numpy as np
from jaxtyping import Float

from interp_lab.claims import Evidence, Grade, Split, grade
from interp_lab.effects import Compared, with_replications
from interp_lab.interventions import Ablation
from interp_lab.stats import benjamini_hochberg, bootstrap_interval, feasible_test, paired_difference
from interp_lab.types import HeadIndex, Interval, Site, head_name

ALL = "all "
"""What the labels of look-alikes begin with."""


@dataclass(frozen=True)
class HeadSet:
    """Heads that are ablated together, and why."""

    label: str
    """What they have in common: a type, a relation, or that one may stand in for the other."""
    behaviour: str
    heads: tuple[HeadIndex, ...]

    @property
    def is_of_a_type(self) -> bool:
        """Whether these are look-alikes, and not a head with its partner."""
        return self.label.startswith(ALL)

    def __str__(self) -> str:
        """`1.0+1.1`."""
        return "+".join(map(head_name, self.heads))

    def as_text(self) -> list[str]:
        """Return what `from_text` reads."""
        return [self.label, self.behaviour, *map(head_name, self.heads)]

    @classmethod
    def from_text(cls, words: Sequence[str]) -> "HeadSet":
        """Rebuild from `as_text`; empty words at the end are left out."""
        label, behaviour, *heads = (str(word) for word in words if str(word))
        sites = [Site.named(head) for head in heads]
        return cls(label, behaviour, tuple((site.layer or 0, site.head or 0) for site in sites))


def random_sets(heads: Sequence[HeadIndex], size: int, *, n: int, seed: int) -> list[tuple[HeadIndex, ...]]:
    """Return up to `n` different sets of `size` heads; fewer where there are not so many, and none of one set only."""
    there = comb(len(heads), size) if size <= len(heads) else 0
    if there < 2:
        return []
    rng, drawn = np.random.default_rng(seed), dict[tuple[int, ...], None]()
    while len(drawn) < min(n, there):
        drawn[tuple(sorted(rng.choice(len(heads), size=size, replace=False).tolist()))] = None
    return [tuple(heads[place] for place in places) for places in drawn]


@dataclass(frozen=True)
class SetChanges:
    """What ablating a set of heads changed on one split, prompt by prompt."""

    together: Float[np.ndarray, " example"]
    members: Float[np.ndarray, "member example"]
    """Each alone."""
    random: Float[np.ndarray, "draw example"]
    """Random sets of as many other heads; NaN where there are too few of these."""
    unit: str
    margin: float
    clusters: tuple[str, ...]

    @property
    def controls(self) -> Float[np.ndarray, "draw example"]:
        """The random sets that there are."""
        return self.random[np.isfinite(self.random).all(-1)]


@dataclass(frozen=True)
class MeasuredSet:
    """A set of heads that was ablated one way, and what that changed."""

    heads: HeadSet
    ablation: Ablation
    changed: str
    """What the changes are of."""
    of: str
    """What random sets are drawn from."""
    splits: Mapping[Split, SetChanges]
    """The report half and, where there is something to replicate, held-out templates."""

    def compared(self, split: Split) -> Compared | None:
        """Return the set beside random sets; `None` where these are too few, or nothing was measured."""
        one = self.splits.get(split)
        if one is None or len(one.controls) < 2:
            return None
        name, of = f"{self.ablation} ablation of {self.heads}: {self.changed}", f"random sets of as many {self.of}"
        return Compared((name,), one.together[None], (one.controls,), (of,), one.unit, one.margin, one.clusters)


class SetKind(StrEnum):
    """What a set of heads does beyond what its members do alone."""

    BACKUP = "backup"
    """Clearly more than its members add up to: when one is gone another does its work."""
    SHARED = "shared"
    """Clearly less: removing one leaves less for the others to lose."""
    ADDS_UP = "adds up"
    """Neither is clear."""


@dataclass(frozen=True)
class SetFinding:
    """What ablating heads together does: beside random sets, and beside the sum of its members."""

    heads: HeadSet
    ablation: Ablation
    effect: Evidence | None
    """Against random sets, on the report half; `None` where too few other heads are left for these."""
    replication: Evidence | None
    together: Interval
    """Change on the report half."""
    alone: Interval
    """Sum of the changes of the members, each alone."""
    excess: Interval
    """Together less alone."""
    p_excess: float
    """Corrected over all sets that were tested beside it."""
    unit: str
    margin: float
    worse: int
    """Sign of a change for the worse."""
    alpha: float

    @property
    def kind(self) -> SetKind:
        """How the set compares with its members; clear is beyond the smallest effect of interest."""
        side, own = 0, int(self.together.low > 0) - int(self.together.high < 0)
        if self.p_excess < self.alpha:
            side = int(self.excess.low > self.margin) - int(self.excess.high < -self.margin)
        if side != 0 and side == own:
            return SetKind.BACKUP
        return SetKind.SHARED if side != 0 and side == -np.sign(self.alone.estimate) else SetKind.ADDS_UP

    @property
    def backs_up(self) -> bool:
        """Whether the set is missed, more than random sets are, and more than its members alone add up to."""
        missed = self.grade >= Grade.CAUSAL and self.worse * self.together.estimate > 0
        return missed and self.kind is SetKind.BACKUP

    @property
    def grade(self) -> Grade:
        """Of the effect of all members together."""
        return grade(self.effect, self.replication, alpha=self.alpha)


def set_findings(
    sets: Sequence[MeasuredSet], *, worse: int, alpha: float, level: float, seed: int
) -> tuple[SetFinding, ...]:
    """Return what follows from sets, in their order; effects and excesses are each corrected over all sets."""
    report = {nth: one for nth, own in enumerate(sets) if (one := own.compared(Split.REPORT)) is not None}
    away = [sets[nth].compared(Split.HELD_OUT) for nth in report]
    every = with_replications([*report.values()], away, alpha=alpha, level=level, seed=seed)
    effects = dict(zip(report, (own[0] for own in every), strict=True))
    beyond = beyond_members([one.splits[Split.REPORT] for one in sets], level=level, seed=seed)
    found = []
    for nth, (one, (together, alone, excess, p)) in enumerate(zip(sets, beyond, strict=True)):
        effect, again = effects.get(nth, (None, None))
        own = one.splits[Split.REPORT]
        found.append(
            SetFinding(
                one.heads, one.ablation, effect, again, together, alone, excess, p, own.unit, own.margin, worse, alpha
            )
        )
    return tuple(found)


def beyond_members(
    sets: Sequence[SetChanges], *, level: float, seed: int
) -> list[tuple[Interval, Interval, Interval, float]]:
    """Return what sets change together, the sum of their members, the excess over it, and p corrected over all sets."""
    found, p = [], []
    for one in sets:
        test, total = feasible_test(len(set(one.clusters)), n_tests=len(sets)), one.members.sum(0)
        against = paired_difference(one.together, total, one.clusters, test=test, level=level, seed=seed)
        together, alone = (
            bootstrap_interval(values, one.clusters, level=level, seed=seed).at() for values in (one.together, total)
        )
        found.append((together, alone, against.intervals.at()))
        p.append(float(against.p))
    adjusted = benjamini_hochberg(np.array(p)) if p else []
    return [(*intervals, float(one)) for intervals, one in zip(found, adjusted, strict=True)]
