"""Intervals for many sites, against scipy called directly."""

import numpy as np
from scipy import stats

from interp_lab.stats import bootstrap_interval
from tests.benchmarks.harness import Comparison


def comparisons() -> list[Comparison]:
    values = np.random.default_rng(0).normal(size=(144, 64))

    def directly() -> np.ndarray:
        found = stats.bootstrap((values,), np.mean, axis=-1, n_resamples=2000, rng=np.random.default_rng(0))
        return found.confidence_interval.low

    return [
        Comparison(
            "BCa intervals of 144 sites, 64 examples, 2000 resamples",
            "scipy.stats.bootstrap, vectorised",
            lambda: bootstrap_interval(values).low,
            directly,
            lambda ours, theirs: np.allclose(ours, theirs, atol=0.05),
        )
    ]
