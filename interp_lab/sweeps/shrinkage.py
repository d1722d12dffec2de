"""What is left of a winner on held-out examples: differences between runs, and what selection alone would take away."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import stats
from scipy.integrate import quad

from interp_lab.stats import mean_interval
from interp_lab.types import Interval


@dataclass(frozen=True)
class Remeasured:
    """Winner and base config, in the search and again on the held-out fold; higher is better throughout."""

    winner_search: float
    """What the winner was chosen for; one run."""
    winner: Float[np.ndarray, " seed"]
    """On the held-out fold."""
    base_search: float
    """The config without the swept values, on the fold of the search; NaN if that run has no metric."""
    base: Float[np.ndarray, " seed"]
    """On the held-out fold, with the winner's seeds."""
    level: float

    @property
    def difference(self) -> Interval:
        """Winner minus base on the held-out fold, paired by seed."""
        return mean_of(self.winner - self.base, level=self.level)

    @property
    def shrinkage(self) -> Interval:
        """How much better the winner looked in the search than it is on the held-out fold."""
        return beyond_one_run(self.winner_search, self.winner, level=self.level)

    @property
    def shrinkage_of_base(self) -> Interval:
        """The same of the base config, which nothing was chosen by: what another fold does by itself."""
        return beyond_one_run(self.base_search, self.base, level=self.level)

    @property
    def excess(self) -> Interval:
        """Shrinkage of the winner beyond the base's, paired by seed."""
        return beyond_one_run(self.winner_search - self.base_search, self.winner - self.base, level=self.level)

    @property
    def is_same_on_every_seed(self) -> bool:
        """Whether neither config came to different values on different seeds, of which there are several."""
        return len(self.winner) > 1 and not (tells_chance(self.winner) or tells_chance(self.base))

    @property
    def spread(self) -> float:
        """Standard deviation over seeds of one config on the held-out fold, of both pooled; NaN for one seed."""
        if len(self.winner) < 2:
            return math.nan
        return float(np.sqrt((np.var(self.winner, ddof=1) + np.var(self.base, ddof=1)) / 2))


def mean_of(values: Float[np.ndarray, " seed"], *, level: float) -> Interval:
    """Return the mean over seeds with its interval; without one where seeds show no chance to reckon with."""
    if not np.isfinite(values).all() or not tells_chance(values):
        return Interval(float(values.mean()) if len(values) else math.nan, math.nan, math.nan, level, len(values))
    return mean_interval(values, level=level)


def tells_chance(values: Float[np.ndarray, " seed"]) -> bool:
    """Whether seeds differ: one seed, or several that agree to rounding, say nothing of how far chance reaches."""
    return len(values) > 1 and float(np.ptp(values)) > 1e-9 * float(np.abs(values).max())


def beyond_one_run(once: float, again: Float[np.ndarray, " seed"], *, level: float) -> Interval:
    """Return one run minus the mean of others, with the interval in which chance between seeds would leave it.

    The single run is a draw as each of the others is, so that its own chance belongs to the interval: Student's, with
    the standard deviation of the others times the root of 1 + 1 / n (a prediction interval). Others that are all alike
    give none.
    """
    n = len(again)
    found = float(once - again.mean()) if n else math.nan
    if not math.isfinite(found) or not tells_chance(again):
        return Interval(found, math.nan, math.nan, level, n)
    half = float(stats.t.ppf((1 + level) / 2, n - 1) * np.std(again, ddof=1) * math.sqrt(1 + 1 / n))
    return Interval(found, found - half, found + half, level, n)


def expected_maximum(n: int) -> float:
    """Return the mean of the largest of `n` independent standard normal numbers (0 for one, 1.77 for 16).

    It is how much better than it is the best of `n` equally good settings looks, in standard deviations of a run.

    Raises: ValueError, for fewer than one.
    """
    if n < 1:
        raise ValueError(f"n={n}: the largest of no numbers is none; give at least 1")

    def weighed(x: float) -> float:
        return x * n * float(np.exp(stats.norm.logpdf(x) + (n - 1) * stats.norm.logcdf(x)))

    return float(quad(weighed, -10, 10, limit=200)[0])
