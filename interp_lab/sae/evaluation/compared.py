"""Autoencoders against their baselines, on the same documents."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from interp_lab.sae.evaluation.measured import Measured
from interp_lab.stats import PairedDifference, paired_difference

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

        Shares that have no meaning here are left at zero. Raises: ValueError, if there is no pair.
        """
        if not self.compared:
            raise ValueError("nothing to compare with; ask for baselines")
        values = np.nan_to_num(self.values[[self.metric_names.index(metric) for metric in COMPARED]])
        own, other = (values[:, [self.names.index(pair[side]) for pair in self.compared]] for side in (0, 1))
        return paired_difference(
            own, other, level=self.config.level, n_permutations=_N_PERMUTATIONS, seed=self.config.seed
        )
