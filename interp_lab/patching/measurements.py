"""What activation patching measured, split by split: shares, intervals, and whether anything may be claimed."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from interp_lab.effects.behaviour import lacks_behaviour, too_few_templates
from interp_lab.experiment import Provenance
from interp_lab.patching.changes import PATCHES, Patch, SplitMeasurements
from interp_lab.patching.choice import MapLabels
from interp_lab.patching.config import PatchingConfig
from interp_lab.stats import Intervals, bootstrap_interval, mean_interval, paired_difference, ratio_of_means
from interp_lab.stats.paired import FEWEST_FOR_T
from interp_lab.types import Interval


@dataclass(frozen=True)
class PatchingMeasurements:
    """Numbers of all splits, and what is chosen and compared."""

    config: PatchingConfig
    provenance: Provenance
    metric: str
    """Its name in the config; `own metric 'NAME'` for one of your own."""
    unit: str
    """Of the metric."""
    same_answers: bool
    """Whether controls are taken from prompts with the same answers, right and wrong, or from any of the template."""
    names: tuple[str, ...]
    """Of all sites, map by map."""
    maps: Mapping[str, MapLabels]
    select: SplitMeasurements
    report: SplitMeasurements
    held_out: SplitMeasurements | None
    chosen: Int[np.ndarray, " chosen"]
    """Sites that the selection split speaks for."""
    by_construction: Bool[np.ndarray, " site"]
    """Sites through which all that differs passes in any model: shown, and neither chosen nor tested; see `screening`.
    """

    @cached_property
    def total(self) -> Interval:
        """What the corruption costs, on the report split, in the unit of the metric."""
        return self.total_on(self.report)

    def total_on(self, split: SplitMeasurements) -> Interval:
        """Return what the corruption costs on one split."""
        return mean_interval(split.total, split.clusters, level=self.config.level, seed=self.config.seed)

    @cached_property
    def not_asked(self) -> str | None:
        """Why nothing is claimed: no behaviour to carry, or templates too few to tell; `None` if claims are made."""
        few = self._too_few(self.report)
        if few is not None:
            return f"{few}: use one template (pairs are then the units) or at least {FEWEST_FOR_T}"
        return self._no_behaviour(self.report)

    @cached_property
    def not_replicable(self) -> str | None:
        """Why nothing can be replicated on held-out templates; `None` if it can."""
        held = self.held_out
        if held is None:
            return "there are none"
        if not held.has_templates:
            return "there is one, whose pairs cannot speak for others"
        few = self._too_few(held)
        return self._no_behaviour(held) if few is None else f"{few}: hold out at least {FEWEST_FOR_T}"

    def _too_few(self, split: SplitMeasurements) -> str | None:
        return too_few_templates(split, n_tests=2 * len(self.names), fdr=self.config.fdr)

    def _no_behaviour(self, split: SplitMeasurements) -> str | None:
        c = self.config
        return lacks_behaviour(
            split, metric=self.metric, unit=self.unit, least=c.least_logits, level=c.level, seed=c.seed
        )

    @property
    def is_normalised(self) -> bool:
        """Whether effects are given as shares of the total effect: only where that is clear of zero."""
        return self.total.excludes(0.0)

    @property
    def effect_unit(self) -> str:
        """Of effects and their intervals."""
        return "share of the total effect" if self.is_normalised else self.unit

    @property
    def margin(self) -> float:
        """Smallest effect of interest, in the unit of effects; raw effects have none to be taken a share of."""
        return self.config.smallest_effect if self.is_normalised else 0.0

    def in_unit(self, split: SplitMeasurements, effects: Float[np.ndarray, "*site example"]) -> np.ndarray:
        """Return effects, example by example, in the unit that they are given in."""
        return ratio_of_means(effects, split.total) if self.is_normalised else effects

    @cached_property
    def intervals(self) -> dict[Patch, Intervals]:
        """Effects of every site on the report split."""
        return {patch: self._interval(self.report, self.report.effect(patch)) for patch in PATCHES}

    @cached_property
    def disagreement(self) -> Intervals:
        """Denoising minus noising.

        Above zero where a site suffices more than it is needed, because others carry the same; below, where it is
        needed and not enough.
        """
        difference = self.report.effect(Patch.DENOISE) - self.report.effect(Patch.NOISE)
        return self._interval(self.report, difference)

    @cached_property
    def disagreement_p(self) -> Float[np.ndarray, " site"]:
        """Of denoising against noising, corrected over all sites (Benjamini and Hochberg).

        NaN where by construction both do everything.
        """
        held, adjusted = self.report, np.full(len(self.names), np.nan)
        asked = ~self.by_construction
        if asked.any():
            both = (self.in_unit(held, held.effect(patch)[asked]) for patch in (Patch.DENOISE, Patch.NOISE))
            adjusted[asked] = paired_difference(*both, held.clusters, seed=self.config.seed).p_adjusted()
        return adjusted

    @cached_property
    def disagrees(self) -> Bool[np.ndarray, " site"]:
        """Where denoising and noising differ by more than the smallest effect of interest, among all sites."""
        beyond = (self.disagreement.low > self.margin) | (self.disagreement.high < -self.margin)
        return beyond & (self.disagreement_p < self.config.fdr)

    @cached_property
    def specificity(self) -> Intervals:
        """What the own clean value brings back beyond that of another clean prompt of the template.

        If partners have the same answers (`same_answers`), this is what the site says of the prompt besides its answer;
        else the answer counts too.
        """
        difference = self.report.effect(Patch.DENOISE) - self.report.effect(Patch.DENOISE_OTHER)
        return self._interval(self.report, difference)

    def _interval(self, split: SplitMeasurements, effects: np.ndarray) -> Intervals:
        values, c = self.in_unit(split, effects), self.config
        return bootstrap_interval(values, split.clusters, level=c.level, seed=c.seed)
