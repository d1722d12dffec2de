"""What ablations measured: intervals, whether anything may be claimed, sets against their members, agreement."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np
from jaxtyping import Float

from interp_lab.effects.behaviour import why_not_asked, why_not_replicable
from interp_lab.effects.metric_names import COSTS
from interp_lab.effects.untouched import Untouched
from interp_lab.engine import Effects
from interp_lab.experiment import Provenance
from interp_lab.patching.ablating.config import AblatingConfig
from interp_lab.patching.ablating.parts import AblatedSites
from interp_lab.patching.ablating.plan import Plan, lost, margin_of
from interp_lab.patching.ablating.screen import Screened
from interp_lab.patching.ablating.splits import AblatedSplit
from interp_lab.patching.agreement import Agreement, agreement
from interp_lab.patching.direct_logit_attribution import DirectLogitAttribution
from interp_lab.patching.sets import SetEffects
from interp_lab.stats import Intervals, bootstrap_interval, mean_interval
from interp_lab.types import Interval


class Together(StrEnum):
    """What parts do together beside the sum of what each does alone."""

    BACKUP = "backup"
    """Clearly more: when one is gone another does its work."""
    SHARED = "shared"
    """Clearly less: one works through the other, or both are needed at once."""
    ADDS_UP = "adds up"
    """Neither is clear."""


@dataclass(frozen=True)
class AblationMeasurements:
    """Numbers of all splits, and what was tested."""

    config: AblatingConfig
    provenance: Provenance
    metric: str
    """Its name in the config; `own metric 'NAME'` for one of your own."""
    unit: str
    sites: AblatedSites
    plan: Plan
    direct_refused: str | None
    """Why the metric cannot be taken apart into what each part writes; `None` if it was."""
    select: AblatedSplit
    report: AblatedSplit
    held_out: AblatedSplit | None
    directions: tuple[str, ...]
    screen: Screened | None

    @property
    def names(self) -> tuple[str, ...]:
        """Of all sites."""
        return self.sites.names

    @property
    def n_layers(self) -> int:
        """Layers of the model."""
        return 1 + max(site.layer or 0 for site in self.sites.sites)

    @property
    def is_cost(self) -> bool:
        """Whether the metric is lower where the model is nearer to the answer."""
        return self.metric in COSTS

    @property
    def moves(self) -> str:
        """What losing the answer does to the metric: `fall of logit_difference`, or the rise of a cost."""
        return f"{'rise' if self.is_cost else 'fall'} of {self.metric.replace('_', ' ')}"

    @cached_property
    def margin(self) -> float:
        """Smallest effect of interest on the report split, in the unit of the metric."""
        return margin_of(self.report, self.config)

    @cached_property
    def total(self) -> Interval:
        """What the corruption costs, on the report split."""
        held = self.report
        return mean_interval(held.total, held.clusters, level=self.config.level, seed=self.config.seed)

    @cached_property
    def not_asked(self) -> str | None:
        """Why nothing is claimed: no behaviour, or templates too few to tell; `None` if claims are made."""
        return self._no_answer(self.report)

    @cached_property
    def not_replicable(self) -> str | None:
        """Why nothing can be replicated on held-out templates; `None` if it can."""
        return why_not_replicable(self.held_out, self._no_answer)

    def _no_answer(self, split: Untouched) -> str | None:
        c = self.config
        n_tests = len(self.names) + len(c.sites) + len(self.plan.backups) + len(self.directions)
        return why_not_asked(
            split, metric=self.metric, unit=self.unit, least=c.least_logits, n_tests=n_tests, fdr=c.fdr,
            level=c.level, seed=c.seed,
        )  # fmt: skip

    def lost(self, changes: Float[np.ndarray, "*site example"]) -> Float[np.ndarray, "*site example"]:
        """Return how much worse ablations make it; below zero where they make it better."""
        return lost(changes, cost=self.is_cost)

    def interval(self, values: Float[np.ndarray, "*site example"], split: AblatedSplit | None = None) -> Intervals:
        """Return means over a split (the report split unless told otherwise) with their intervals."""
        clusters = (split or self.report).clusters
        return bootstrap_interval(values, clusters, level=self.config.level, seed=self.config.seed)

    @cached_property
    def ablated(self) -> tuple[Intervals, ...]:
        """What is lost without each site, by kind of ablation."""
        return tuple(self.interval(self.lost(changes)) for changes in self.report.changes)

    @cached_property
    def direct(self) -> Intervals | None:
        """What each site writes straight to the metric; `None` if that cannot be said."""
        return None if self.direct_refused else self.interval(self.report.direct)

    @cached_property
    def agreements(self) -> tuple[Agreement | None, ...]:
        """What sites write beside what is lost without them, by kind of ablation.

        `None` where there is no correlation to speak of: sites that all do the same, or fewer than three.
        """
        c, at = self.config, self.sites.apart
        return tuple(
            agreement(
                self._written(at), self._effects(nth, at), margin=self.margin, clusters=self.report.labels,
                level=c.level, seed=c.seed,
            )
            if self._comparable(nth) else None
            for nth in range(len(c.ablations))
        )  # fmt: skip

    def _comparable(self, kind: int) -> bool:
        at, held = self.sites.apart, self.report
        means = [] if self.direct_refused else [one[at].mean(-1) for one in (held.direct, held.changes[kind])]
        vary = bool(means) and all(np.ptp(one) > 1e-9 * max(1.0, np.abs(held.clean).max()) for one in means)
        return vary and len(at) >= 3 and self.margin > 0

    def _written(self, at: np.ndarray) -> DirectLogitAttribution:
        sites = tuple(self.sites.sites[nth] for nth in at)
        kinds = tuple(self.sites.maps[nth] for nth in at)
        names = tuple(self.names[nth] for nth in at)
        return DirectLogitAttribution(names, kinds, sites, self.metric, self.unit, self.report.direct[at])

    def _effects(self, kind: int, at: Sequence[int] | np.ndarray) -> Effects:
        names = tuple(f"{self.config.ablations[kind]} ablation of {self.names[nth]}" for nth in at)
        held = self.report
        return Effects(names, self.metric, self.unit, held.clean, held.changes[kind, list(at)])

    def together(self, sets: Sequence[tuple[int, Sequence[int]]], changes: np.ndarray) -> SetEffects:
        """Return sets of sites, each under a kind of ablation, beside their members; on the report split.

        Args:
            sets: kind of ablation and sites, one per row of `changes`.
        """
        kinds, n = range(len(self.config.ablations)), len(self.names)
        alone = [self._effects(kind, range(n)) for kind in kinds]
        single = Effects(
            tuple(name for one in alone for name in one.names), self.metric, self.unit, self.report.clean,
            np.concatenate([one.changes for one in alone]),
        )  # fmt: skip
        both = Effects(("set",) * len(sets), self.metric, self.unit, self.report.clean, changes)
        members = tuple(tuple(kind * n + int(site) for site in own) for kind, own in sets)
        return SetEffects(single, both, members, self.report.labels, self.config.seed)

    def findings(self, effects: SetEffects) -> list[Together]:
        """Return how each set compares with its members; corrected over these sets."""
        options = {"level": 1 - self.config.fdr, "margin": self.margin}
        marked = zip(effects.is_backup(**options), effects.is_shared(**options), strict=True)
        return [Together.BACKUP if more else Together.SHARED if less else Together.ADDS_UP for more, less in marked]
