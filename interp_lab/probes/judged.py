"""What is made of the scores of one label: intervals, differences from every control, and a verdict."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property, partial, reduce

import numpy as np
from jaxtyping import Float

from interp_lab.claims import Evidence, Split
from interp_lab.effects import Tested
from interp_lab.probes.config import ProbesConfig
from interp_lab.probes.measured import Probed, SplitScores, UseScores
from interp_lab.stats import (
    Intervals,
    bootstrap_interval,
    bounded_interval,
    bounded_intervals,
    difference_from_several,
    mean_interval,
    paired_difference,
)
from interp_lab.types import UNMEASURED, Interval


class Verdict(StrEnum):
    """What can be said of a label."""

    USED = "decodable and used"
    NOT_USED = "decodable, not used"
    UNCLEAR = "decodable, use unclear"
    NOT_ASKED = "decodable, use not asked"
    NOT_DECODABLE = "not decodable"


MOST_APART = 0.05
"""Between the commonest label's score and that of control tasks, up to which probes of both are compared."""
AGAINST = ("majority", "shuffled", "token")
"""What a probe must beat, its interval included, for a label to count as decodable: the commonest label, probes of
shuffled labels, and what the token that is read says itself."""


@dataclass(frozen=True)
class Judged:
    """One label, with the intervals of its scores; clusters are templates."""

    probed: Probed
    config: ProbesConfig
    by_family: Mapping[str, Mapping[str, Tested]]
    """By way of acting and family of controls, the evidence on the report split and on held-out templates."""

    @cached_property
    def tested(self) -> Mapping[str, Tested]:
        """By way of acting, the evidence against the controls that leave less: what `used` must rest on."""
        alpha = self.config.fdr
        return {
            way: reduce(partial(harsher, alpha=alpha), families.values()) for way, families in self.by_family.items()
        }

    def interval(self, values: np.ndarray, split: Split) -> Intervals:
        """Return the interval of a mean over examples of a split, at every site."""
        clusters = self.probed.scores[split].templates
        return bootstrap_interval(values, clusters, level=self.config.level, seed=self.config.seed)

    def score(self, values: np.ndarray, split: Split) -> Intervals:
        """Return the same of scores: where labels are classes, shares of examples."""
        if self.probed.is_number:
            return self.interval(values, split)
        return bounded_intervals(values, self.probed.scores[split].templates, level=self.config.level)

    @cached_property
    def scores(self) -> Mapping[Split, Intervals]:
        """Of the probe at every site."""
        return {split: self.score(part.probe, split) for split, part in self.probed.scores.items()}

    @cached_property
    def selectivity(self) -> Mapping[Split, Intervals]:
        """Score of the probe minus that of the control tasks, at every site; the spread of the tasks counts.

        NaN where the control tasks are no fair comparison: see `unfair_controls`.
        """
        found = {split: self._from_several(part, part.control) for split, part in self.probed.scores.items()}
        nothing = np.full(len(self.probed.sites), np.nan)
        return {
            split: replace(one, estimate=nothing, low=nothing, high=nothing) if self.unfair_controls(split) else one
            for split, one in found.items()
        }

    @property
    def selectivity_at_chosen(self) -> Interval:
        """Selectivity at the chosen site, on the report split."""
        return self.selectivity[Split.REPORT].at(self.probed.chosen)

    def unfair_controls(self, split: Split = Split.REPORT) -> str:
        """Return why control tasks say nothing here, if so: their commonest label is right more or less often."""
        part = self.probed.scores[split]
        own, control = float(part.majority.mean()), float(part.control_majority.mean())
        if abs(own - control) <= MOST_APART:
            return ""
        return (
            f"the commonest label scores {own:.3f}, that of the control tasks {control:.3f}: word types are too few, "
            "or one too frequent, for random labels in the same shares"
        )

    def beyond(self, control: str, split: Split) -> Interval:
        """Return how far the probe of the chosen site is above a control: any of `SplitScores`."""
        part, site = self.probed.scores[split], self.probed.chosen
        other = getattr(part, control)
        if control == "majority":
            return self._paired(part, other)
        if other.ndim == 2:
            return self._paired(part, other[self.probed.position_of(site)])
        if len(other) < 2:
            return self._paired(part, other[0, site])
        return self._from_several(part, other, site).at(0)

    def _paired(self, part: SplitScores, other: np.ndarray) -> Interval:
        own, c = part.probe[self.probed.chosen], self.config
        return paired_difference(own, other, part.templates, level=c.level, seed=c.seed).intervals.at()

    def _from_several(self, part: SplitScores, draws: np.ndarray, site: int | None = None) -> Intervals:
        sites = slice(None) if site is None else slice(site, site + 1)
        own, others = part.probe[sites], list(np.moveaxis(draws[:, sites], 1, 0))
        c = self.config
        return difference_from_several(own, others, part.templates, level=c.level, seed=c.seed).intervals

    @property
    def hidden_layer(self) -> tuple[Interval, Interval]:
        """Score and selectivity of the probe with one hidden layer; unmeasured where there is none, or no fair one."""
        one, templates = self.probed.contrast, self.probed.scores[Split.REPORT].templates
        if one is None:
            return UNMEASURED, UNMEASURED
        score = self.score(one.probe, Split.REPORT).at()
        if self.unfair_controls():
            return score, UNMEASURED
        c = self.config
        beyond = difference_from_several(one.probe[None], [one.control], templates, level=c.level, seed=c.seed)
        return score, beyond.intervals.at(0)

    def is_decodable(self, split: Split = Split.REPORT) -> bool:
        """Whether the chosen site's probe beats all that it must on a split."""
        return all(self.beyond(control, split).low > 0 for control in AGAINST)

    @property
    def is_selective(self) -> bool:
        """Whether selectivity is above zero at the chosen site, on the report split."""
        return self.selectivity_at_chosen.low > 0

    @property
    def margin(self) -> float:
        """Smallest effect of interest (logits): a share of what changing the text costs, on the report split."""
        return margin_of(self.probed.use[Split.REPORT], self.config)

    def flipped(self, changes: Float[np.ndarray, "*draw example"]) -> Interval:
        """Return of the prompts answered rightly the share whose answer turns to the wrong one, on the report split."""
        use, c = self.probed.use[Split.REPORT], self.config
        right = use.clean > 0
        turned = (use.clean + changes < 0).reshape(-1, right.size).mean(0)
        return bounded_interval(turned[right], use.templates[right], level=c.level)

    def flipped_by(self, way: str) -> Interval:
        """Return the share of right answers that a way of acting turns."""
        return self.flipped(self.probed.use[Split.REPORT].changes[self.probed.ways.index(way)])

    @property
    def is_cost_of_label(self) -> bool:
        """Whether each changed text has another label; else what it costs says nothing of what is too small."""
        return bool(self.probed.use[Split.REPORT].changes_label.all())

    @property
    def where(self) -> str:
        """Where the model is acted upon."""
        return "at every token" if self.config.by_token else "there"

    @property
    def is_small(self) -> bool:
        """Whether acting surely does less than the margin: by itself, and beside each family of controls.

        Controls that leave less make `used` harder to say; here every difference counts, and the effect most of all.
        """
        return all(-self.margin <= one.low and one.high <= self.margin for one in self._of_acting())

    def _of_acting(self) -> Iterator[Interval]:
        """Yield all intervals of what acting does, on the report split."""
        for families in self.by_family.values():
            for effect, _ in families.values():
                yield from (effect.effect, effect.versus_control)

    @cached_property
    def no_behaviour(self) -> str:
        """Why nothing can be asked of the behaviour, if so: it must be there to follow anything."""
        if self.probed.why_not:
            return self.probed.why_not
        use = self.probed.use[Split.REPORT]
        named = {"logit difference": use.clean, "cost of changing the text": use.clean - use.corrupted}
        for what, values in named.items():
            found = mean_interval(values, use.templates, level=self.config.level, seed=self.config.seed)
            if found.low <= 0:
                return f"the {what} is {found} logits, not clear of zero"
        return ""

    @cached_property
    def used_by(self) -> tuple[str, Tested] | None:
        """Of the ways of acting that clearly take the answer away, the one that surely does so by most, if any does.

        Only the one that was stated in advance, where that is so.
        """
        if self.no_behaviour:
            return None
        stated = (self.config.chosen or {}).get(self.probed.label)
        clear = {
            way: pair
            for way, pair in self.tested.items()
            if (stated is None or way == stated[1])
            and pair[0].is_clear(alpha=self.config.fdr)
            and pair[0].effect.estimate < 0
        }
        return min(clear.items(), key=lambda item: item[1][0].versus_control.high) if clear else None

    @cached_property
    def verdict(self) -> Verdict:
        """Return what can be said, from the report split."""
        if not self.is_decodable():
            return Verdict.NOT_DECODABLE
        if self.no_behaviour:
            return Verdict.NOT_ASKED
        if self.used_by is not None:
            return Verdict.USED
        return Verdict.NOT_USED if self.is_cost_of_label and self.is_small else Verdict.UNCLEAR


def margin_of(use: UseScores, config: ProbesConfig) -> float:
    """Return the smallest effect of interest (logits)."""
    return config.smallest_effect * abs(float((use.clean - use.corrupted).mean()))


def harsher(first: Tested, second: Tested, *, alpha: float) -> Tested:
    """Return the evidence of two control families that says less; a replication only where both have one."""
    report = _harsher(first[0], second[0], alpha=alpha)
    if first[1] is None or second[1] is None:
        return report, None
    return report, _harsher(first[1], second[1], alpha=alpha)


def _harsher(first: Evidence, second: Evidence, *, alpha: float) -> Evidence:
    def strength(one: Evidence) -> tuple[bool, float]:
        return one.is_clear(alpha=alpha), abs(one.versus_control.estimate)

    return min(first, second, key=strength)
