"""Hit rates, clusters, and what edits do to other texts, as evidence and claims."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from interp_lab.claims import Claim
from interp_lab.effects import Compared, Tested, with_replications
from interp_lab.effects.confirming import ToTest, confirmation_of
from interp_lab.experiment import Provenance
from interp_lab.hypotheses import Component, Confirmation
from interp_lab.production.red_team.clusters import Cluster, clusters_of
from interp_lab.production.red_team.config import RedTeamConfig
from interp_lab.production.red_team.edits import edit_from, edit_name, told
from interp_lab.production.red_team.measured import Followed, Hits, Runs
from interp_lab.stats import bounded_interval, mean_interval, ratio_of_means, share_interval
from interp_lab.types import UNMEASURED, Interval

UNIT = "share of texts"
PER = 1000
"""Model calls by which hits are counted."""


@dataclass(frozen=True)
class RedTeamClaims:
    """What was measured, and what follows."""

    config: RedTeamConfig
    provenance: Provenance
    weights: str
    """Checksum of the weights of the model."""
    target: str
    unit: str
    threshold: float
    """What made a hit (unit of the target)."""
    runs: Runs
    hits: Hits
    report: Followed
    """Edits on other texts of ordinary templates."""
    held_out: Followed | None
    not_replicable: str | None
    """Why there are none of held-out templates."""

    @property
    def searches(self) -> tuple[str, ...]:
        """Those that were run, in the order of the config."""
        return tuple(dict.fromkeys(self.runs.search.tolist()))

    @cached_property
    def clusters(self) -> list[Cluster]:
        """Hits by what they share, the largest cluster first."""
        return clusters_of(self.hits.edit.tolist())

    @cached_property
    def is_planted(self) -> Bool[np.ndarray, " hit"]:
        """Which hits are exactly the edits that are known to be there."""
        planted = None if self.config.planted is None else edit_name(edit_from(" with ".join(self.config.planted)))
        return np.array([one == planted for one in self.hits.edit.tolist()], dtype=bool)

    def rows_of(self, search: str) -> list[int]:
        """Return the runs of a search."""
        return np.flatnonzero(self.runs.search == search).tolist()

    def counts(self, search: str, counted: Bool[np.ndarray, " hit"] | None = None) -> Float[np.ndarray, " run"]:
        """Return the hits of each run of a search, or those of a kind."""
        kept = np.ones(len(self.hits), dtype=bool) if counted is None else counted
        return np.array([float((kept & (self.hits.run == run)).sum()) for run in self.rows_of(search)])

    def rate(self, search: str, counted: Bool[np.ndarray, " hit"] | None = None) -> Interval:
        """Return hits per 1,000 model calls, over runs.

        Where nothing was hit, the upper limit is the rate at which as many calls would miss in 1 - `level` of cases.
        """
        hits = self.counts(search, counted)
        calls = self.runs.calls[self.rows_of(search)].astype(np.float64)
        if not hits.any():
            return Interval(
                0.0, 0.0, -math.log(1 - self.config.level) / calls.sum() * PER, self.config.level, len(hits)
            )
        found = mean_interval(PER * ratio_of_means(hits, calls), level=self.config.level, seed=self.config.seed)
        return replace(found, low=max(found.low, 0.0))

    def above(self, search: str, method: str) -> Interval:
        """Return the rate less that of another method in the same space.

        Limits are made of those of both rates, as if runs did not share their texts; where neither found anything they
        are those of what may have been missed.

        Source: Zou and Donner 2008 (limits of a difference from limits of its parts).
        """
        space, _, own_method = search.partition("/")
        other = f"{space}/{method}"
        if own_method == method or other not in self.searches:
            return UNMEASURED
        own, control = self.rate(search), self.rate(other)
        more = own.estimate - control.estimate
        low = more - math.hypot(own.estimate - own.low, control.high - control.estimate)
        high = more + math.hypot(own.high - own.estimate, control.estimate - control.low)
        return Interval(more, low, high, self.config.level, own.n_clusters)

    def share_planted(self, search: str) -> Interval:
        """Return the share of runs that came to what is known to be there."""
        return share_interval(np.isfinite(self.first_planted(search)), level=self.config.level)

    def first_planted(self, search: str) -> Float[np.ndarray, " run"]:
        """Return the model calls after which each run came to what is known to be there; NaN where it did not."""
        found = []
        for run in self.rows_of(search):
            calls = self.hits.calls[self.is_planted & (self.hits.run == run)]
            found.append(float(calls.min()) if len(calls) else np.nan)
        return np.array(found)

    @cached_property
    def evidence(self) -> Mapping[str, Tested]:
        """By edit: the share of other texts whose answer turns, beside that under random edits."""
        c, names = self.config, self.report.names
        if not names:
            return {}
        report = [self._compared(self.report, nth) for nth in range(len(names))]
        away: list[Compared | None] = [None] * len(names)
        if self.held_out is not None:
            away = [self._compared(self.held_out, nth) for nth in range(len(names))]
        tested = with_replications(report, away, alpha=c.fdr, level=c.level, seed=c.seed)
        return {name: own[0] for name, own in zip(names, tested, strict=True)}

    def _compared(self, split: Followed, nth: int) -> Compared:
        name = split.names[nth]
        return Compared(
            names=(f"{name}: answers turned",),
            changes=(split.turn[nth] > 0).astype(np.float64)[None],
            controls=((split.turn_random[nth] > 0).astype(np.float64),),
            of=("shares turned by as many random edits",),
            unit=UNIT,
            margin=self.config.smallest_effect,
            clusters=tuple(map(str, split.clusters(nth))),
        )

    def shares(self, split: Followed, nth: int) -> tuple[Interval, Interval]:
        """Return the shares of texts whose answer an edit turns, and random edits turn."""
        both = ((split.turn[nth] > 0).astype(np.float64), (split.turn_random[nth] > 0).mean(0))
        own, control = (bounded_interval(one, split.clusters(nth), level=self.config.level) for one in both)
        return own, control

    def rises(self, split: Followed, nth: int) -> tuple[Interval, Interval]:
        """Return by how much an edit, and random edits, drive the target up (unit of the target)."""
        both = (split.value[nth] - split.value_before[nth], split.value_random[nth].mean(0) - split.value_before[nth])
        own, control = (
            mean_interval(one, split.clusters(nth), level=self.config.level, seed=self.config.seed) for one in both
        )
        return own, control

    def statement(self, name: str) -> str:
        """Return what is claimed of an edit."""
        return f"In {self.config.model}, {told(edit_from(name))} turns the answer of {self.config.behaviour} around"

    def claims(self) -> list[Claim]:
        """Return a claim per edit that was tried on other texts."""
        return [self._claim(name) for name in self.report.names]

    def _claim(self, name: str) -> Claim:
        effect, again = self.evidence[name]
        return Claim(self.statement(name), self._observed(name), effect, again, alpha=self.config.fdr)

    def _observed(self, name: str) -> str:
        if not len(self.hits):
            return "stated in advance, and not searched for here"
        n = int((self.hits.edit == name).sum())
        by = [one for one in self.searches if (self.hits.edit[np.isin(self.hits.run, self.rows_of(one))] == name).any()]
        return f"{n} of {len(self.hits)} hits are this and no more, found by {', '.join(by)}"

    def confirmation(self) -> Confirmation | None:
        """Return how the edits that turn answers are tried on other texts, stated in advance; `None` if none do."""
        names = self.report.names
        testable = [ToTest(self._claim(name), component_of(name), _UNCERTAIN) for name in names]
        holding = [name for name, one in zip(names, testable, strict=True) if one.claim.grade]
        return confirmation_of({"chosen": holding}, testable) if holding else None

    def components(self) -> list[Component]:
        """Return for each edit the share of texts whose answer it turns."""
        return [
            Component(
                component_of(name), "edits found by red-teaming", True, self.shares(self.report, nth)[0], UNIT,
                self._claim(name).grade, True,
            )
            for nth, name in enumerate(self.report.names)
        ]  # fmt: skip


_UNCERTAIN = (
    "What else turns the answer: a search finds what it is able to find. What the words go through in the model, and "
    "texts that are no application of these templates."
)


def component_of(name: str) -> str:
    """Return an edit by the attributes that it changes, as the audit names them."""
    return f"attribute {' with '.join(slot for slot, _ in edit_from(name))}"
