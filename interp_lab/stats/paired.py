"""Treated against control on the same examples: intervals and p-values in one call."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.stats import t as student

from interp_lab.stats.bootstrap import Intervals, Method, bootstrap_interval
from interp_lab.stats.clusters import ROUNDING, Labels
from interp_lab.stats.fdr import benjamini_hochberg
from interp_lab.stats.permutation import Alternative, sign_flip_test
from interp_lab.stats.student import t_test

Test = Literal["auto", "sign-flip", "t"]

FEWEST_FOR_T = 4
"""Clusters from which a t test is relied upon: with fewer it stands on one or two degrees of freedom."""


@dataclass(frozen=True)
class PairedDifference:
    """Mean of treated minus control over the same examples, at every site."""

    intervals: Intervals
    """Of the mean difference, in the unit of the values."""
    p: Float[np.ndarray, "*site"]
    """Not corrected for the number of sites."""
    smallest_p: float
    """The least p that this many clusters could give."""
    test: str
    """Where p comes from: `sign-flip` or `t`, by cluster."""

    def p_adjusted(self) -> Float[np.ndarray, "*site"]:
        """Return Benjamini-Hochberg adjusted p-values over all sites."""
        return benjamini_hochberg(self.p)


def paired_difference(
    treated: Float[np.ndarray, "*site example"],
    control: Float[np.ndarray, "*#site paired"],
    clusters: Labels | None = None,
    *,
    level: float = 0.95,
    n_resamples: int = 2000,
    n_permutations: int = 19_999,
    method: Method = "auto",
    test: Test = "auto",
    alternative: Alternative = "two-sided",
    seed: int = 0,
) -> PairedDifference:
    """Compare two conditions example by example, with clusters as the independent units.

    Args:
        treated: one number per site and example.
        control: the same examples in the same order; site axes of length 1 are stretched over the sites.
        clusters: one label per example, usually its template; `None` if the examples are independent.
        level: of the intervals; they are two-sided whatever the alternative of the test.
        n_resamples: for the intervals, see `bootstrap_interval`.
        n_permutations: for the p-values, see `sign_flip_test`.
        method: of the intervals.
        test: where p-values come from. `auto` is `sign-flip`, which assumes least, wherever so many clusters have sign
            patterns enough to reject at 5% among so many sites (Bonferroni: 8 templates for 6 sites, 12 for 102); else
            `t`, if there are 4 clusters. Fewer support nothing, and are left to `sign-flip`, which cannot reject.
        alternative: of the test; `greater` if treated above control is what would count.
        seed: of both.

    Raises: ValueError, if the examples do not match, or as `bootstrap_interval`.
    """
    if treated.shape[-1] != control.shape[-1]:
        raise ValueError(
            f"treated has {treated.shape[-1]} examples and control {control.shape[-1]}; a paired difference needs "
            "the same examples in both, in the same order"
        )
    difference = np.asarray(treated, dtype=np.float64) - np.asarray(control, dtype=np.float64)
    intervals = bootstrap_interval(difference, clusters, level=level, n_resamples=n_resamples, method=method, seed=seed)
    if test == "auto":
        test = feasible_test(intervals.n_clusters, n_tests=difference[..., 0].size)
    if test == "t":
        found = t_test(difference, clusters, alternative=alternative)
    else:
        found = sign_flip_test(difference, clusters, alternative=alternative, n_resamples=n_permutations, seed=seed)
    return PairedDifference(intervals, found.p, found.smallest_p, test)


def difference_from_several(
    treated: Float[np.ndarray, "site example"],
    controls: Sequence[Float[np.ndarray, "_ _"]],
    clusters: Labels | None = None,
    *,
    level: float = 0.95,
    test: Test = "auto",
    seed: int = 0,
) -> PairedDifference:
    """Compare each condition with the mean of several controls, which are themselves a sample.

    Controls differ from each other (heads drawn at random, random sets), so that another draw would have another mean:
    their spread enters the interval (limits combined as squares) and the test (the larger p of two, of a test over
    examples and a t test over controls). So an effect is clear if it is so whichever examples *and* whichever controls
    had been drawn.

    Args:
        controls: for each site, one row per control and one column per example; at least two controls.
        test: over examples; see `paired_difference`.

    Raises: ValueError, for fewer than two controls of a site, or as `paired_difference`.
    Source: Zou and Donner 2008 (limits of a difference from limits of its parts).
    """
    few = [len(rows) for rows in controls if len(rows) < 2]
    if few or len(controls) != len(treated):
        told = f"{few[0]} controls of a site" if few else f"{len(controls)} sets of controls for {len(treated)} sites"
        raise ValueError(f"{told}; give at least two controls for each site: their spread is what is asked about")
    found = paired_difference(
        treated, np.stack([rows.mean(0) for rows in controls]), clusters, level=level, test=test, seed=seed
    )
    n = np.array([len(rows) for rows in controls])
    means = [rows.mean(-1) for rows in controls]
    error = np.array([np.std(values, ddof=1) / np.sqrt(len(values)) for values in means])
    error[error <= ROUNDING * np.array([np.abs(values).max() for values in means])] = 0.0
    beyond = error * student.ppf((1 + level) / 2, n - 1)
    own = found.intervals
    low = own.estimate - np.hypot(own.estimate - own.low, beyond)
    high = own.estimate + np.hypot(own.high - own.estimate, beyond)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(own.estimate == 0, 0.0, np.abs(own.estimate) / error)
    p = np.maximum(found.p, 2 * student.sf(statistic, n - 1))
    widened = Intervals(own.estimate, low, high, level, own.n_clusters, own.method)
    return PairedDifference(widened, p, found.smallest_p, found.test)


def feasible_test(n_clusters: int, *, n_tests: int) -> Literal["sign-flip", "t"]:
    """Return the test that can reject with so many clusters among so many tests; see `paired_difference`.

    Args:
        n_tests: all that are corrected together, in one call of `paired_difference` or in several.
    """
    can_reject = 2.0 ** (1 - n_clusters) * n_tests <= 0.05
    return "t" if n_clusters >= FEWEST_FOR_T and not can_reject else "sign-flip"
