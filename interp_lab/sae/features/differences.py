"""Which features differ between two sets of documents: chosen on one half, reported on the other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import stats

from interp_lab.stats import Intervals, benjamini_hochberg, paired_difference

LEAST_UNITS = 3
"""Independent units on a side below which nothing is compared."""


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
    """Standard deviation of documents around the mean of their side, pooled."""
    test: str

    @property
    def effect(self) -> Intervals:
        """The difference in standard deviations of documents (taken as known in the interval); 0 where there is none.

        Source: Cohen 1988 (d), with the pooled standard deviation.
        """
        own = self.intervals
        scale = np.where(self.spread > 0, self.spread, np.inf)
        return replace(own, estimate=own.estimate / scale, low=own.low / scale, high=own.high / scale)


def compare(values: SideValues, *, level: float = 0.95, seed: int = 0) -> Compared:
    """Compare two sides, with templates or documents as independent units.

    Paired sides: partners, clustered by unit. Sides that share units (templates): within each unit, its means being
    the pair. Else: Welch's test and interval over documents.

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
        return Compared(found.intervals, found.p, spread, f"{found.test}, paired")
    if min(len(values.first_units), len(values.second_units)) < LEAST_UNITS:
        raise ValueError(f"each side needs at least {LEAST_UNITS} documents")
    return _welch(values, spread, level=level)


def _by_unit(values: SideValues, units: Sequence[str]) -> tuple[np.ndarray, np.ndarray, Sequence[str]]:
    first, second = (
        np.stack([side[:, np.array(own) == unit].mean(1) for unit in units], 1)
        for side, own in ((values.first, values.first_units), (values.second, values.second_units))
    )
    return first, second, units


def _pooled(values: SideValues) -> Float[np.ndarray, " latent"]:
    sides = [np.asarray(side, dtype=np.float64) for side in (values.first, values.second)]
    left = sum(np.square(side - side.mean(1, keepdims=True)).sum(1) for side in sides)
    return np.sqrt(left / max(sum(side.shape[1] for side in sides) - 2, 1))


def _welch(values: SideValues, spread: Float[np.ndarray, " latent"], *, level: float) -> Compared:
    """Compare documents that have nothing to do with each other.

    Source: Welch 1947, through scipy.
    """
    first, second = (np.asarray(side, dtype=np.float64) for side in (values.first, values.second))
    n = first.shape[1], second.shape[1]
    difference = first.mean(1) - second.mean(1)
    flat = (first.std(1) <= 1e-12 * np.abs(first).max(1)) & (second.std(1) <= 1e-12 * np.abs(second).max(1))
    low, high, p = difference.copy(), difference.copy(), np.where(difference == 0, 1.0, 0.0)
    if not flat.all():
        found = stats.ttest_ind(first[~flat], second[~flat], axis=1, equal_var=False)
        interval = found.confidence_interval(level)
        low[~flat], high[~flat], p[~flat] = interval.low, interval.high, found.pvalue
    return Compared(Intervals(difference, low, high, level, min(n), "t"), p, spread, "Welch")


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


def choose(values: SideValues, *, fdr: float, n_shown: int, seed: int = 0) -> Chosen:
    """Test every feature that is active at all, correct over these, and choose the largest effects that are clear."""
    active: Bool[np.ndarray, " latent"] = (values.first != 0).any(1) | (values.second != 0).any(1)
    at = np.flatnonzero(active)
    effect, p = np.zeros(len(active)), np.ones(len(active))
    if len(at):
        found = compare(values.of(at), seed=seed)
        effect[at], p[at] = found.effect.estimate, benjamini_hochberg(found.p)
    clear = np.flatnonzero(p < fdr)
    order = clear[np.argsort(-np.abs(effect[clear]), kind="stable")]
    return Chosen(effect, p, order[:n_shown], len(at), len(clear))
