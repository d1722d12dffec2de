"""Which parameters tell the better half of the trials from the rest, beside the same with the metric shuffled.

The instrument is PED-ANOVA: for each parameter, how far its values in the better half are distributed otherwise than
among all. Unlike a share of variance it takes each parameter by itself. From few trials it is far from zero for
an inert one too, so that the number means nothing without its null: the metric dealt out at random among the trials.

Share of searches among four parameters in which one that decides stands out: of 16 random trials, a choice of two 0.75,
a quadratic in a number 0.80; where a Gaussian process proposes, which goes where everything is good, the quadratic only
0.38. Any one inert parameter stands out in 0.02 of random searches, and of those by a Gaussian process in 0.04 of 16
trials and 0.07 of 32 (60 and 30 searches), for it then holds values that the search has come to.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from interp_lab.stats import benjamini_hochberg
from interp_lab.sweeps.divergence import Cells, share_of_best

BEST_SHARE = 1 / 2
"""Of the trials: those whose values are set apart. A smaller share looks closer at the best and needs more trials: of a
choice between two that decides everything, among four parameters and 16 random trials, a half finds 75%, a third 46%,
a quarter 15%."""
FEWEST_TRIALS = 9
"""Of these the half can be dealt in 126 ways: of fewer, too few for one parameter among several to stand out."""
_ROUNDING = 1e-9
"""Relative: what differs by less is the same value, added up in another order."""


@dataclass(frozen=True)
class Importance:
    """Importance of parameters over the trials as they are, and over the same with the metric shuffled."""

    names: tuple[str, ...]
    """Of the parameters that varied."""
    observed: Float[np.ndarray, " parameter"]
    """A divergence: 0 where the better half has the values of all; no upper bound."""
    shuffled: Float[np.ndarray, "shuffle parameter"]
    """What it would be if no parameter had anything to do with the metric; every shuffle deals to all of them alike."""
    level: float

    @property
    def null_median(self) -> Float[np.ndarray, " parameter"]:
        """Median over shuffles."""
        return np.median(self.shuffled, axis=0)

    @property
    def null_high(self) -> Float[np.ndarray, " parameter"]:
        """What a share of `level` of the shuffles stays below."""
        return np.quantile(self.shuffled, self.level, axis=0)

    @property
    def p(self) -> Float[np.ndarray, " parameter"]:
        """Share of shuffles, the trials as they are among them, in which the importance is at least the observed.

        Source: Phipson and Smyth 2010, arXiv 1603.05766 (add one to both counts).
        """
        at_least = self.shuffled >= self.observed * (1 - _ROUNDING)
        return (1 + at_least.sum(axis=0)) / (1 + len(self.shuffled))

    @property
    def adjusted_p(self) -> Float[np.ndarray, " parameter"]:
        """The same, corrected for the number of parameters (Benjamini-Hochberg)."""
        return benjamini_hochberg(self.p)

    @property
    def stands_out(self) -> Bool[np.ndarray, " parameter"]:
        """Whether a parameter is among those of which no more than `1 - level` are expected to be inert."""
        return self.adjusted_p <= 1 - self.level + _ROUNDING

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what `from_arrays` takes."""
        return {
            "importance_names": np.array(self.names, dtype=str),
            "importance_observed": self.observed,
            "importance_shuffled": self.shuffled,
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray], *, level: float) -> "Importance | None":
        """Rebuild; `None` if it was not measured."""
        if "importance_names" not in arrays:
            return None
        names = tuple(map(str, arrays["importance_names"]))
        return cls(names, arrays["importance_observed"], arrays["importance_shuffled"], level)


def importance_of(
    values: Float[np.ndarray, "trial parameter"],
    gains: Float[np.ndarray, " trial"],
    *,
    names: tuple[str, ...],
    n_choices: tuple[int | None, ...],
    n_shuffles: int,
    level: float,
    seed: int,
) -> Importance:
    """Measure the importance of each parameter on the trials, and with the metric shuffled among them.

    Args:
        values: numbers, on the scale on which they were drawn; of choices their place.
        gains: the metric, higher is better.
        n_choices: of each parameter; `None` for numbers.
        n_shuffles: raised where there are so many parameters that none could stand out by itself.

    Raises: ValueError, for values or metrics that are not finite, fewer than nine trials, or a metric that is the same
        for all.
    Source: Watanabe, Bansal and Hutter 2023, arXiv 2304.10255; ours are the test, the half, and that numbers are
        taken between the smallest and largest there are.
    """
    _require_ranked(values, gains)
    best = share_of_best(gains, BEST_SHARE)
    rng, n = np.random.default_rng(seed), len(gains)
    n_shuffles = max(n_shuffles, math.ceil(len(names) / (1 - level)))
    dealt = [best, *(rng.permutation(n)[: len(best)] for _ in range(n_shuffles))]
    parameters = [Cells.of(column, n_known) for column, n_known in zip(values.T, n_choices, strict=True)]
    found = [one.divergence(np.stack([one.counts(chosen) for chosen in dealt])) for one in parameters]
    whole = np.stack(found, axis=1)
    return Importance(names, whole[0], whole[1:], level)


def _require_ranked(values: Float[np.ndarray, "trial parameter"], gains: Float[np.ndarray, " trial"]) -> None:
    if len(gains) < FEWEST_TRIALS:
        raise ValueError(f"{len(gains)} trials are too few to say what matters; at least {FEWEST_TRIALS}")
    if not (np.isfinite(values).all() and np.isfinite(gains).all()):
        raise ValueError("values and metrics must be finite; leave out trials that have none")
    if np.ptp(gains) == 0:
        raise ValueError("the metric is the same for all trials: there is nothing to rank")
