"""What was measured of features: intervals, shares, agreement of the ways to choose, and what may be claimed."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from interp_lab.effects.behaviour import why_not_asked, why_not_replicable
from interp_lab.effects.metric_names import COSTS
from interp_lab.effects.untouched import Untouched
from interp_lab.experiment import Provenance
from interp_lab.sae.causal.accounting import steps_up_to
from interp_lab.sae.causal.config import FeatureEffectsConfig, Selection
from interp_lab.sae.causal.controls import reach
from interp_lab.sae.causal.selecting import Selected, found_of_largest
from interp_lab.sae.causal.splits import SHARES, Considered, FeatureSplit, Share, TextEffects
from interp_lab.stats import Intervals, bootstrap_interval, mean_interval, site_correlation
from interp_lab.stats.shares import ratio_of_means
from interp_lab.types import Interval

FAMILIES = 3
"""Kinds of controls that every feature stands beside."""


@dataclass(frozen=True)
class FeatureMeasurements:
    """Numbers of all splits, and what was chosen."""

    config: FeatureEffectsConfig
    provenance: Provenance
    metric: str
    """Its name in the config; `own metric 'NAME'` for one of your own."""
    unit: str
    where: str
    """The dictionary: its folder or release."""
    hook: str
    selected: Selected
    fires_on: tuple[str, ...]
    """Of each chosen latent the tokens with the largest shares of its activation, on the selection split."""
    writes: tuple[str, ...]
    """Of each chosen latent the tokens that its direction raises most; empty where that cannot be said."""
    select: Considered
    report: FeatureSplit
    held_out: FeatureSplit | None
    text: TextEffects | None

    @property
    def names(self) -> tuple[str, ...]:
        """Of the chosen latents."""
        return tuple(str(latent) for latent in self.selected.latents)

    @property
    def is_cost(self) -> bool:
        """Whether the metric is lower where the model is nearer to the answer."""
        return self.metric in COSTS

    @property
    def moves(self) -> str:
        """What losing the answer does to the metric: `fall of logit difference`, or the rise of a cost."""
        return f"{'rise' if self.is_cost else 'fall'} of {self.metric.replace('_', ' ')}"

    @cached_property
    def total(self) -> Interval:
        """What the corruption costs, on the report split."""
        held = self.report
        return mean_interval(held.total, held.clusters, level=self.config.level, seed=self.config.seed)

    def margin(self, held: Untouched) -> float:
        """Return the smallest effect of interest on a split, in the unit of the metric."""
        return self.config.smallest_effect * abs(float(held.total.mean()))

    @cached_property
    def not_asked(self) -> str | None:
        """Why nothing is claimed: no behaviour, or templates too few to tell; `None` if claims are made."""
        return self._no_answer(self.report)

    @cached_property
    def not_replicable(self) -> str | None:
        """Why nothing can be replicated on held-out templates; `None` if it can."""
        return why_not_replicable(self.held_out, self._no_answer)

    def _no_answer(self, split: Untouched) -> str | None:
        c, n_tests = self.config, FAMILIES * (len(self.names) + 1)
        return why_not_asked(
            split, metric=self.metric, unit=self.unit, least=c.least_logits, n_tests=n_tests, fdr=c.fdr,
            level=c.level, seed=c.seed,
        )  # fmt: skip

    def lost(self, changes: Float[np.ndarray, "*site example"]) -> Float[np.ndarray, "*site example"]:
        """Return how much worse operations make it; below zero where they make it better."""
        return changes if self.is_cost else -changes

    def interval(self, values: Float[np.ndarray, "*site example"]) -> Intervals:
        """Return means over the report split with their intervals."""
        return bootstrap_interval(values, self.report.clusters, level=self.config.level, seed=self.config.seed)

    def band(self, draws: Float[np.ndarray, "draw example"]) -> Interval:
        """Return the mean over draws, and the quantiles between which the config's share of them lies."""
        means, outside = draws.mean(-1), (1 - self.config.level) / 2
        low, high = np.quantile(means, [outside, 1 - outside])
        mean = float(means.mean())
        return Interval(mean, min(mean, float(low)), max(mean, float(high)), self.config.level)

    @cached_property
    def effects(self) -> tuple[Intervals, ...]:
        """What is lost by each operation on each chosen latent, by operation."""
        return tuple(self.interval(self.lost(changes)) for changes in self.report.operations)

    @cached_property
    def disagreeing(self) -> tuple[tuple[str, ...], ...]:
        """Of each chosen latent the operations whose effect is not clear of zero on the side of the first one's.

        None where the first one amplifies; another that does is left out.
        """
        operations = self.config.operations
        if operations[0].amplifies:
            return ((),) * len(self.names)
        found = []
        for nth in range(len(self.names)):
            sign = np.sign(self.effects[0].at(nth).estimate)
            each = ((one, told.at(nth)) for one, told in zip(operations[1:], self.effects[1:], strict=True))
            found.append(
                tuple(
                    f"{one} {told}"
                    for one, told in each
                    if not one.amplifies and min(sign * told.low, sign * told.high) <= 0
                )
            )
        return tuple(found)

    @cached_property
    def reached(self) -> Float[np.ndarray, " chosen"]:
        """How much of each chosen latent's length the matched ones could be brought to, on the report split."""
        return reach(self.report.lengths, self.selected.chosen, self.report.matched)

    @cached_property
    def active(self) -> Float[np.ndarray, " chosen"]:
        """Share of the report split's prompts on which the first operation changes each chosen latent."""
        return (self.report.lengths[self.selected.chosen] > 0).mean(-1)

    @cached_property
    def contrast(self) -> tuple[Interval | None, ...]:
        """Of each chosen latent, how much of its activation differs between clean and corrupted prompts, from 0 to 1.

        1 where it is active on one prompt of a pair at a time; `None` where it is not active on the report split.
        """
        held = self.report
        return tuple(
            self.interval(ratio_of_means(differs, strength)).at() if strength.any() else None
            for differs, strength in zip(held.differs, held.strength, strict=True)
        )

    def share(self, changes: Float[np.ndarray, "way *part example"]) -> Intervals:
        """Return patches as shares of what the corruption costs; means something only where that is clear of zero."""
        signed = self.report.towards_answer(changes)
        return self.interval(ratio_of_means(signed, self.report.total))

    @cached_property
    def shares(self) -> Intervals:
        """Share of the total effect by way and part, and what both parts of the whole do beyond their sum.

        `[way, part]`, in the order of `SHARES`; the last is whole minus features minus error.
        """
        changes = self.report.shares
        whole, features, error = (changes[:, SHARES.index(one)] for one in (Share.WHOLE, Share.FEATURES, Share.ERROR))
        return self.share(np.concatenate([changes, (whole - features - error)[:, None]], axis=1))

    @cached_property
    def steps(self) -> tuple[int, ...]:
        """How many latents each set of `growing` has."""
        return steps_up_to(len(self.selected.considered))

    def correlation(self, by: Selection) -> Interval | None:
        """Return the rank correlation over latents of the sizes of scores and of exact effects on the report split.

        The interval resamples templates of the report split, and leaves the scores as they are. `None` if all scores,
        or all effects, are the same.
        """
        scores, exact = self.selected.scores[by], self.report.alone
        if np.ptp(np.abs(scores)) == 0 or np.ptp(np.abs(exact.mean(-1))) == 0:
            return None
        told = np.repeat(scores[:, None], exact.shape[1], axis=1)
        c = self.config
        return site_correlation(
            told, exact, self.report.labels, of="size ranks", level=c.level, n_resamples=500, seed=c.seed
        )

    def recall(self, by: Selection, kept: int) -> float:
        """Return the share of the largest exact effects on the report split that are among the `kept` largest scores.

        As many of the largest as features are chosen.
        """
        return found_of_largest(
            self.selected.scores[by], self.report.alone.mean(-1), kept=kept, top=len(self.selected.chosen)
        )
