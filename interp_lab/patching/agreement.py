"""What parts write to the logits, beside what happens when they are ablated: where the two agree, and where not."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from interp_lab.engine import Effects
from interp_lab.patching.direct_logit_attribution import DirectLogitAttribution
from interp_lab.stats import Intervals, bootstrap_interval, of_largest, site_correlation
from interp_lab.types import Interval


@dataclass(frozen=True)
class Agreement:
    """Direct logit attribution (descriptive) and ablation (causal) of the same sites, on the same prompts."""

    names: tuple[str, ...]
    metric: str
    unit: str
    direct: Intervals
    """Mean of what each site writes straight to the metric. Descriptive: nothing was changed."""
    falls: Intervals
    """Mean fall of the metric when the site is ablated: its effect with the sign turned, so that a site whose direct
    writing is all that it does has the same value in both. Causal, for the ablation that was made."""
    pearson: Interval
    """Correlation of the two over sites, from -1 to 1."""
    spearman: Interval
    """Correlation of the ranks, from -1 to 1."""
    margin: float
    """Smallest effect of interest, in the metric's unit."""

    @property
    def direct_only(self) -> tuple[str, ...]:
        """Sites that clearly write to the metric although ablating them clearly does nothing.

        Others make up for them, or later parts cancel what they write. Clearly: the whole interval lies beyond the
        margin, or within it. Not corrected for the number of sites: these are leads, and no claims.
        """
        return self._named(_beyond(self.direct, self.margin) & _within(self.falls, self.margin))

    @property
    def ablation_only(self) -> tuple[str, ...]:
        """Sites whose ablation clearly matters although they clearly write nothing straight to the metric.

        They act through later parts. Clearly: as in `direct_only`.
        """
        return self._named(_within(self.direct, self.margin) & _beyond(self.falls, self.margin))

    @property
    def opposed(self) -> tuple[str, ...]:
        """Sites that are clear in both, with opposite signs: their way through later parts outweighs what they write.

        Clearly: as in `direct_only`.
        """
        both = _beyond(self.direct, self.margin) & _beyond(self.falls, self.margin)
        return self._named(both & (self.direct.estimate * self.falls.estimate < 0))

    def _named(self, which: Bool[np.ndarray, " site"]) -> tuple[str, ...]:
        return tuple(name for name, here in zip(self.names, which, strict=True) if here)


def _beyond(intervals: Intervals, margin: float) -> Bool[np.ndarray, " site"]:
    return (intervals.low > margin) | (intervals.high < -margin)


def _within(intervals: Intervals, margin: float) -> Bool[np.ndarray, " site"]:
    return (intervals.low >= -margin) & (intervals.high <= margin)


def agreement(
    direct: DirectLogitAttribution,
    effects: Effects,
    *,
    margin: float,
    clusters: Sequence[Hashable] | None = None,
    level: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Agreement:
    """Compare what sites write straight to a metric with what ablating each of them does to it.

    The intervals of the correlations say what other prompts would give, not other sites (`stats.site_correlation`).

    Args:
        direct: of parts that have a site, such as `.of_kind("head")`.
        effects: of ablating these sites one by one, in the same order. Zero ablation takes away what is written;
            under another kind a site keeps its part of that, and both differ even where nothing makes up for anything.
        margin: smallest effect of interest, in the metric's unit; what lies within it clearly counts as nothing.
        clusters: independent units (templates); `None` if every example is one.

    Raises: ValueError, for biases among the parts, other sites, metrics or numbers of prompts, fewer than three sites,
        sites that are all the same, or a margin that is not above zero.
    """
    if margin <= 0:
        raise ValueError(f"margin={margin}: without a smallest effect of interest nothing is small; give one above 0")
    _require_same(direct, effects)
    falls = -effects.changes
    _require_spread(direct.values.mean(1), falls.mean(1))
    pearson, spearman = (
        site_correlation(direct.values, falls, clusters, of=compared, level=level, n_resamples=n_resamples, seed=seed)
        for compared in ("values", "ranks")
    )
    own, fallen = (bootstrap_interval(values, clusters, level=level, seed=seed) for values in (direct.values, falls))
    return Agreement(direct.names, direct.metric, direct.unit, own, fallen, pearson, spearman, margin)


def _require_spread(direct: Float[np.ndarray, " site"], falls: Float[np.ndarray, " site"]) -> None:
    if len(direct) < 3 or any(np.ptp(of_largest(means)) == 0 for means in (direct, falls)):
        raise ValueError(
            f"no correlation over {len(direct)} sites with mean direct values {direct} and mean falls {falls}; "
            "give at least three sites, not all the same in either"
        )


def _require_same(direct: DirectLogitAttribution, effects: Effects) -> None:
    if None in direct.sites:
        name = direct.names[direct.sites.index(None)]
        raise ValueError(f"{name!r} has no site that could be ablated; leave it out, as direct.of_kind('head') does")
    if (direct.metric, direct.values.shape) != (effects.metric, effects.changes.shape):
        raise ValueError(
            f"direct values are of {direct.metric!r} for (sites, prompts) {direct.values.shape}, effects of "
            f"{effects.metric!r} for {effects.changes.shape}; measure both on the same"
        )
    for site, name in zip(direct.sites, effects.names, strict=True):
        if not name.endswith(f" {site}"):
            raise ValueError(
                f"effect {name!r} stands where that of {site} should; ablate [[site] for site in direct.sites]"
            )
