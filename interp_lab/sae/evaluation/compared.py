"""Autoencoders against their baselines, on the same documents."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float

from interp_lab.sae.evaluation.measured import Measured
from interp_lab.stats import Intervals, PairedDifference, benjamini_hochberg, paired_difference

COMPARED = ("r2", "ce", "kl", "ce_recovered_mean")
"""What is compared; of `ce` and `kl` less is better."""
_N_PERMUTATIONS = 4_999
Pair = tuple[str, str]
"""An autoencoder and a baseline."""


@dataclass(frozen=True)
class Compared(Measured):
    """The measurements, and paired differences over documents."""

    @cached_property
    def compared(self) -> tuple[Pair, ...]:
        """Every autoencoder with each of its baselines."""
        return tuple((name, other) for name in self.asked for other in self.baselines[name])

    @cached_property
    def differences(self) -> PairedDifference:
        """By metric, in the order of `COMPARED`, and pair, in that of `compared`: autoencoder minus baseline.

        NaN, also as p, where a share has no meaning. Raises: ValueError, if there is no pair.
        """
        if not self.compared:
            raise ValueError("nothing to compare with; ask for baselines")
        values = self.values[[self.metric_names.index(metric) for metric in COMPARED]]
        own, other = (values[:, [self.names.index(pair[side]) for pair in self.compared]] for side in (0, 1))
        known = np.asarray(np.isfinite(own - other).all(-1))
        found = paired_difference(
            np.where(known[..., None], own, 0.0), np.where(known[..., None], other, 0.0), level=self.config.level,
            n_permutations=_N_PERMUTATIONS, seed=self.config.seed,
        )  # fmt: skip
        ends = (
            np.where(known, end, np.nan)
            for end in (found.intervals.estimate, found.intervals.low, found.intervals.high)
        )
        intervals = Intervals(*ends, found.intervals.level, found.intervals.n_clusters, found.intervals.method)
        return replace(found, intervals=intervals, p=np.where(known, found.p, np.nan))

    @cached_property
    def p_adjusted(self) -> Float[np.ndarray, "metric pair"]:
        """Benjamini-Hochberg over all metrics and pairs that were tested; claims and tables have the same."""
        p = self.differences.p
        found, known = np.full_like(p, np.nan), np.isfinite(p)
        found[known] = benjamini_hochberg(p[known])
        return found
