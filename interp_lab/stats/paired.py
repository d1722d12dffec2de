"""Treated against control on the same examples: intervals and p-values in one call."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from interp_lab.stats.bootstrap import Intervals, Method, bootstrap_interval
from interp_lab.stats.clusters import Labels
from interp_lab.stats.fdr import benjamini_hochberg
from interp_lab.stats.permutation import Alternative, sign_flip_test


@dataclass(frozen=True)
class PairedDifference:
    """Mean of treated minus control over the same examples, at every site."""

    intervals: Intervals
    """Of the mean difference, in the unit of the values."""
    p: Float[np.ndarray, "*site"]
    """Of the sign-flip test by cluster; not corrected for the number of sites."""
    smallest_p: float
    """The least p that this many clusters could give."""

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
    test = sign_flip_test(difference, clusters, alternative=alternative, n_resamples=n_permutations, seed=seed)
    return PairedDifference(intervals, test.p, test.smallest_p)
