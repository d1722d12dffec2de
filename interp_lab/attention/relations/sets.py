"""Heads that carry the same relation, ablated together: do they add up, or does one stand in for another?"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from jaxtyping import Float

from interp_lab.claims import Evidence
from interp_lab.interventions import Ablation
from interp_lab.stats import benjamini_hochberg, bootstrap_interval, feasible_test, paired_difference
from interp_lab.types import Interval


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
    """What ablating the heads of one relation together does."""

    relation: int
    kind: Ablation
    heads: tuple[str, ...]
    together: Evidence
    """On the report half, against random sets of as many heads that do not carry the relation."""
    replication: Evidence | None
    members: Interval
    """Sum of what ablating each member alone does."""
    interaction: Interval
    """Together minus that sum."""
    p_interaction: float
    """Corrected over the sets of all relations."""

    def acts(self, *, alpha: float) -> SetKind:
        """Return how the set compares with its members; clear is beyond the smallest effect of interest."""
        margin, side = self.together.margin, 0
        if self.p_interaction < alpha:
            side = int(self.interaction.low > margin) - int(self.interaction.high < -margin)
        whole = self.together.effect
        own = int(whole.low > 0) - int(whole.high < 0)
        if side != 0 and side == own:
            return SetKind.BACKUP
        return SetKind.SHARED if side != 0 and side == -np.sign(self.members.estimate) else SetKind.ADDS_UP


Members = tuple[Float[np.ndarray, "member example"], Float[np.ndarray, " example"], tuple[str, ...]]
"""What members do alone, what they do together, and the templates of the prompts."""


def interactions(sets: Sequence[Members], *, level: float, seed: int) -> list[tuple[Interval, Interval, float]]:
    """Return for each set the sum of its members, what it does beyond that, and p, corrected over all sets."""
    found, p = [], []
    for alone, together, templates in sets:
        test = feasible_test(len(set(templates)), n_tests=len(sets))
        total = alone.sum(0)
        against = paired_difference(together, total, templates, test=test, level=level, seed=seed)
        found.append((bootstrap_interval(total, templates, level=level, seed=seed).at(), against.intervals.at()))
        p.append(float(against.p))
    adjusted = benjamini_hochberg(np.array(p)) if p else []
    return [(members, beyond, float(one)) for (members, beyond), one in zip(found, adjusted, strict=True)]
