"""Which features differ between two sets of documents: chosen on one half, reported on the other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import stats

from interp_lab.stats import Intervals, benjamini_hochberg, paired_difference

LEAST_UNITS = 3
"""Independent units on a side below which nothing is compared."""
NO_SPREAD = 1e-5
"""Share of the largest value below which a spread is rounding (activations are float32)."""


@dataclass(frozen=True)
class SideValues:
    """One number for every feature and document of two sides."""

    first: Float[np.ndarray, "latent first"]
    second: Float[np.ndarray, "latent second"]
    first_units: tuple[str, ...]
    second_units: tuple[str, ...]
    paired: bool

    def of(self, latents: Sequence[int] | Int[np.ndarray, " chosen"]) -> "SideValues":
        """Return some features."""
        return replace(self, first=self.first[list(latents)], second=self.second[list(latents)])


@dataclass(frozen=True)
class Compared:
    """Means of the first side less means of the second, feature by feature."""

    intervals: Intervals
    """In the unit of the features."""
    p: Float[np.ndarray, " latent"]
    spread: Float[np.ndarray, " latent"]
    """Standard deviation of documents around the mean of their side, pooled; 0 where it is rounding."""
    test: str
    smallest_p: float
    """The least p that so many units could give."""

    @property
    def effect(self) -> Intervals:
        """The difference in standard deviations of documents (taken as known in the interval).

        Infinite where documents of a side do not differ and the sides do: such a feature separates them completely.
        0 where nothing differs.

        Source: Cohen 1988 (d), with the pooled standard deviation.
        """
        own = self.intervals
        return replace(own, **{end: self._scaled(getattr(own, end)) for end in ("estimate", "low", "high")})

    def _scaled(self, difference: Float[np.ndarray, " latent"]) -> Float[np.ndarray, " latent"]:
        apart = np.where(difference == 0, 0.0, np.copysign(np.inf, difference))
        return np.where(self.spread > 0, difference / np.where(self.spread > 0, self.spread, 1.0), apart)


def compare(values: SideValues, *, level: float = 0.95, seed: int = 0) -> Compared:
    """Compare two sides, with templates or documents as independent units.

    Paired sides: partners, clustered by unit. Sides that share units (templates): within each unit, its means being
    the pair. Else: Welch's test and interval over units, each with its mean (documents that are units of their own have
    themselves).

    Raises: ValueError, for fewer than 3 units (of a side), or NaN.
    """
    shared = set(values.first_units) & set(values.second_units)
    spread = _pooled(values)
    if values.paired or len(shared) >= LEAST_UNITS:
        first, second, units = (
            (values.first, values.second, values.first_units) if values.paired else _by_unit(values, sorted(shared))
        )
        if len(set(units)) < LEAST_UNITS:
            raise ValueError(f"{len(set(units))} independent units say too little; give at least {LEAST_UNITS}")
        found = paired_difference(first, second, list(units), level=level, seed=seed)
        return Compared(found.intervals, found.p, spread, f"{found.test}, paired", found.smallest_p)
    few = min(len(set(values.first_units)), len(set(values.second_units)))
    if few < LEAST_UNITS:
        raise ValueError(f"{few} independent units on a side say too little; give at least {LEAST_UNITS}")
    first, second = (
        _means(side, own, list(dict.fromkeys(own)))
        for side, own in ((values.first, values.first_units), (values.second, values.second_units))
    )
    return _welch(first, second, spread, level=level)


def _by_unit(values: SideValues, units: Sequence[str]) -> tuple[np.ndarray, np.ndarray, Sequence[str]]:
    first = _means(values.first, values.first_units, units)
    return first, _means(values.second, values.second_units, units), units


def _means(
    side: Float[np.ndarray, "latent document"], own: Sequence[str], units: Sequence[str]
) -> Float[np.ndarray, "latent unit"]:
    at = np.array(own)
    return np.stack([side[:, at == unit].mean(1) for unit in units], 1)


def _pooled(values: SideValues) -> Float[np.ndarray, " latent"]:
    sides = [np.asarray(side, dtype=np.float64) for side in (values.first, values.second)]
    left = sum(np.square(side - side.mean(1, keepdims=True)).sum(1) for side in sides)
    spread = np.sqrt(left / max(sum(side.shape[1] for side in sides) - 2, 1))
    largest = np.maximum(*(np.abs(side).max(1, initial=0.0) for side in sides))
    return np.where(spread > NO_SPREAD * largest, spread, 0.0)


def _welch(
    first: Float[np.ndarray, "latent first"],
    second: Float[np.ndarray, "latent second"],
    spread: Float[np.ndarray, " latent"],
    *,
    level: float,
) -> Compared:
    """Compare units that have nothing to do with each other.

    Source: Welch 1947, through scipy.
    """
    first, second = (np.asarray(side, dtype=np.float64) for side in (first, second))
    n = first.shape[1], second.shape[1]
    difference = first.mean(1) - second.mean(1)
    flat = (first.std(1) <= 1e-12 * np.abs(first).max(1)) & (second.std(1) <= 1e-12 * np.abs(second).max(1))
    low, high, p = difference.copy(), difference.copy(), np.where(difference == 0, 1.0, 0.0)
    if not flat.all():
        found = stats.ttest_ind(first[~flat], second[~flat], axis=1, equal_var=False)
        interval = found.confidence_interval(level)
        low[~flat], high[~flat], p[~flat] = interval.low, interval.high, found.pvalue
    return Compared(Intervals(difference, low, high, level, min(n), "t"), p, spread, "Welch", 0.0)


@dataclass(frozen=True)
class Chosen:
    """What the choosing half says of all features."""

    effect: Float[np.ndarray, " latent"]
    """Standard deviations; see `Compared.effect`."""
    p_adjusted: Float[np.ndarray, " latent"]
    """Over the features that are active in that half at all; 1 for the others."""
    latents: Int[np.ndarray, " chosen"]
    """The largest effects among those that are clear."""
    n_tested: int
    n_clear: int
    test: str
    """Empty if no feature was active."""
    smallest_p: float
    """The least p that so many units could give one feature; not corrected."""


def choose(values: SideValues, *, fdr: float, n_shown: int, seed: int = 0) -> Chosen:
    """Test every feature that is active at all, correct over these, and choose the largest effects that are clear."""
    active: Bool[np.ndarray, " latent"] = (values.first != 0).any(1) | (values.second != 0).any(1)
    at = np.flatnonzero(active)
    effect, p, difference = np.zeros(len(active)), np.ones(len(active)), np.zeros(len(active))
    test, smallest_p = "", 1.0
    if len(at):
        found = compare(values.of(at), seed=seed)
        effect[at], p[at] = found.effect.estimate, benjamini_hochberg(found.p)
        difference[at], test, smallest_p = found.intervals.estimate, found.test, found.smallest_p
    clear = np.flatnonzero(p < fdr)
    order = clear[np.lexsort((-np.abs(difference[clear]), -np.abs(effect[clear])))]  # of the complete ones, the largest
    return Chosen(effect, p, order[:n_shown], len(at), len(clear), test, smallest_p)
