"""What an audit measured, and what follows from it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from interp_lab.audit.asked import Asked
from interp_lab.audit.config import AuditConfig
from interp_lab.audit.named import TURN, Chosen, PairsThat, TwoGroups
from interp_lab.audit.proxies import gap_of
from interp_lab.audit.screen import Screen
from interp_lab.audit.single import Scan, differences
from interp_lab.audit.turned import SIDES, sides_of, turned_by
from interp_lab.claims import Split
from interp_lab.experiment import Provenance
from interp_lab.stats import bootstrap_interval, bounded_interval, mean_interval, ratio_of_means
from interp_lab.types import UNMEASURED, Interval

_PARTS = ("singles", "others", "pairs", "proxies", "gaps", "ordinary")
MOST_PAIRS = 3
"""Pairs of values that are tested at most: those that turn most."""
FEWEST_ON_A_SIDE = 4
"""Texts with either answer that a pair of values needs, so that it can be said to turn both."""


@dataclass(frozen=True)
class AuditSplit:
    """What was read on one split."""

    singles: Asked
    """Attributes that were chosen."""
    others: Asked
    """Attributes that were not, for comparison: nothing is claimed of them."""
    pairs: Asked
    proxies: Asked
    gaps: Asked
    """By hidden latent."""
    ordinary: Asked
    """Ordinary texts, for the share that is decided as it should be."""

    def arrays(self, prefix: str) -> dict[str, np.ndarray]:
        """Return all of it under a prefix."""
        found: dict[str, np.ndarray] = {}
        for name in _PARTS:
            found |= getattr(self, name).arrays(f"{prefix}_{name}")
        return found

    @classmethod
    def from_arrays(cls, prefix: str, arrays: Mapping[str, np.ndarray]) -> "AuditSplit":
        """Rebuild from what `arrays` returned."""
        return cls(*(Asked.from_arrays(f"{prefix}_{name}", arrays) for name in _PARTS))


@dataclass(frozen=True)
class AuditMeasurements:
    """Numbers of all splits, and what was chosen."""

    config: AuditConfig
    provenance: Provenance
    source: str
    """Its name."""
    answers: tuple[str, str]
    attributes: tuple[str, ...]
    """All that were varied."""
    legitimate: tuple[str, ...]
    hidden: tuple[str, ...]
    groups: tuple[TwoGroups, ...]
    """Of every attribute that is measured on the report split, those that were not chosen too."""
    chosen: Chosen
    scan: Scan | None
    """`None` where all was stated in advance."""
    screen: Screen | None
    candidates: Asked | None
    """Pairs of values that the screen passed on, on the selection split."""
    report: AuditSplit
    held_out: AuditSplit | None
    not_replicable: str | None
    """Why there are no held-out templates though they were asked for; `None` if there are, or were not."""
    under: str | None
    """What was measured under."""

    @property
    def not_asked(self) -> str | None:
        """Why nothing is claimed; `None` if something was asked."""
        if self.chosen.texts:
            return None
        return (
            f"on the selection split no attribute of {self.source} moves the probability of {self.answers[0].strip()} "
            f"by {self.config.smallest_effect:g}, and no pair of values turns it around"
        )

    def split(self, split: Split) -> AuditSplit:
        """Return what was read on a split, which must be there."""
        found = {Split.REPORT: self.report, Split.HELD_OUT: self.held_out}[split]
        assert found is not None, "the caller asks only for splits that were measured"
        return found

    def interval(self, values: Float[np.ndarray, " example"], clusters: Shaped[np.ndarray, " example"]) -> Interval:
        """Return the interval of a mean."""
        return mean_interval(values, clusters, level=self.config.level, seed=self.config.seed)

    def effect_of(self, groups: TwoGroups, *, split: Split = Split.REPORT, steered: bool = False) -> Interval:
        """Return what changing an attribute does, between its two groups of values."""
        asked = self._single(groups, split)
        row = asked.row(str(groups))
        return self.interval(differences((asked.steered if steered else asked.plain)[row]), asked.clusters(row))

    def _single(self, groups: TwoGroups, split: Split) -> Asked:
        held = self.split(split)
        return held.singles if str(groups) in held.singles.names else held.others

    def rewording(self, groups: TwoGroups) -> Interval:
        """Return by how much arbitrary other changes of the same texts move the answer, whichever way."""
        asked = self._single(groups, Split.REPORT)
        row = asked.row(str(groups))
        own = np.abs(asked.plain[row][:, 2:] - asked.plain[row][:, :1]).mean(1)
        return self.interval(own, asked.clusters(row))

    def gap(self, hidden: str, *, split: Split = Split.REPORT, steered: bool = False) -> Interval:
        """Return the gap by a hidden latent over ordinary texts."""
        asked = self.split(split).gaps
        row = asked.row(hidden)
        return self.interval(gap_of((asked.steered if steered else asked.plain)[row]), asked.clusters(row))

    def remaining(self, proxy: str, *, split: Split = Split.REPORT) -> tuple[Interval, Interval, Interval]:
        """Return the gap on the texts of a proxy, what is left with the attribute redrawn, and the share removed."""
        asked = self.split(split).proxies
        row = asked.row(proxy)
        held, clusters = asked.plain[row], asked.clusters(row)
        before, after = gap_of(held), gap_of(held, at=2)
        gap = self.interval(before, clusters)
        share = self.interval(ratio_of_means(before - after, before), clusters) if gap.excludes(0.0) else UNMEASURED
        return gap, self.interval(after, clusters), share

    def accuracy(self, *, split: Split = Split.REPORT, steered: bool = False) -> Interval:
        """Return the share of ordinary texts that are decided as what is declared to decide says."""
        right, clusters = self.right(split=split, steered=steered)
        return bounded_interval(right, clusters, level=self.config.level) if len(right) else UNMEASURED

    def right(
        self, *, split: Split = Split.REPORT, steered: bool = False
    ) -> tuple[Float[np.ndarray, " example"], Shaped[np.ndarray, " example"]]:
        """Return for each ordinary text whether it is decided as it should be, with its template."""
        asked = self.split(split).ordinary
        known = np.isfinite(asked.should[0])
        p = (asked.steered if steered else asked.plain)[0, :, 0]
        right = ((p >= 0.5) == (asked.should[0] == 1)).astype(np.float64)
        return right[known], asked.clusters(0)[known]


def sides_asked(asked: Asked, row: int, that: PairsThat) -> tuple[int, ...]:
    """Return the sides on which a pair of values is asked about: both, or that of most of its texts."""
    if that == TURN:
        return SIDES
    return (1,) if (sides_of(asked.plain[row]) == 1).mean() >= 0.5 else (-1,)


def turning(asked: Asked, row: int) -> dict[int, float]:
    """Return by side how far a pair of values turns answers on average; minus infinity where a side has too few."""
    held = asked.plain[row]
    own, sides = turned_by(held)[0], sides_of(held)
    return {
        side: float(own[sides == side].mean()) if (sides == side).sum() >= FEWEST_ON_A_SIDE else -np.inf
        for side in SIDES
    }


def shares_of_change(
    before: Float[np.ndarray, " example"],
    after: Float[np.ndarray, " example"],
    clusters: Shaped[np.ndarray, " example"],
    *,
    level: float,
    seed: int,
) -> Interval:
    """Return which share of a mean is gone; not measured where there is none to be gone."""
    if not mean_interval(before, clusters, level=level, seed=seed).excludes(0.0):
        return UNMEASURED
    return bootstrap_interval(ratio_of_means(before - after, before), clusters, level=level, seed=seed).at()
