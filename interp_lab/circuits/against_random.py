"""Sufficiency: is a circuit closer to the model than random circuits of its size?"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import binomtest

from interp_lab.circuits.bench import Bench
from interp_lab.circuits.circuit import Kept, kept_edges
from interp_lab.circuits.faithfulness import ROUNDING
from interp_lab.circuits.graph import all_edges, require_edges
from interp_lab.edges import Edge
from interp_lab.stats import PairedDifference, difference_from_several
from interp_lab.types import HookedModel, Interval


@dataclass(frozen=True)
class AgainstRandom:
    """A circuit beside random circuits of as many edges."""

    circuit: Float[np.ndarray, " example"]
    """The metric of the circuit."""
    random: Float[np.ndarray, "random example"]
    """The metric of each random circuit."""
    distance: float
    """|F(M) - F(C)| of the means over prompts, in the metric's unit."""
    random_distances: Float[np.ndarray, " random"]
    """The same for each random circuit."""
    share: Interval
    """Of random circuits that are less faithful, on these prompts; ties count against the circuit. The interval
    (Clopper and Pearson) speaks for all circuits of this size."""
    p: float
    """Of the test that the share is at most 0.9; one-sided, binomial."""
    closer: PairedDifference
    """Prompt by prompt, the distance of the circuit from the model minus the mean of that of random ones (metric's
    unit): below zero whichever prompts and whichever random circuits had been drawn."""


def against_random(bench: Bench, circuit: Kept, *, n_random: int = 100, seed: int = 0) -> AgainstRandom:
    """Compare a circuit with random circuits of as many edges.

    A weak control: most random circuits of few edges connect nothing. To be no better than they is damning; to be
    better says little about whether another circuit does as well.

    Raises: ValueError, for a circuit that is empty or all of the model, or fewer than two random ones.
    Source: Shi et al. 2024, arXiv 2410.13032 (sufficiency test, with its quantile of 0.9); less faithful here means
        further from the model.
    """
    kept = frozenset(require_edges(bench.model, kept_edges(bench.model, circuit)))
    if n_random < 2 or kept == bench.edges:
        told = f"n_random={n_random}" if n_random < 2 else f"a circuit of all {len(kept)} edges"
        raise ValueError(f"{told} leaves nothing to compare with; give at least 2 random circuits of some of the edges")
    drawn = random_circuits(bench.model, n_edges=len(kept), n=n_random, seed=seed)
    found = bench.values([kept, *drawn])
    apart = np.abs((found - bench.whole).mean(-1))
    tiny = ROUNDING * max(np.abs(found).max(), np.abs(bench.whole).max())
    less = int((apart[1:] > apart[0] + tiny).sum())
    test = binomtest(less, n_random, 0.9, alternative="greater")
    limits = binomtest(less, n_random).proportion_ci(bench.level, method="exact")
    by_prompt = np.abs(found - bench.whole)
    return AgainstRandom(
        found[0], found[1:], float(apart[0]), apart[1:],
        Interval(less / n_random, float(limits.low), float(limits.high), bench.level, n_random), float(test.pvalue),
        difference_from_several(by_prompt[:1], [by_prompt[1:]], bench.clusters, level=bench.level, seed=bench.seed),
    )  # fmt: skip


def random_circuits(model: HookedModel, *, n_edges: int, n: int, seed: int) -> list[frozenset[Edge]]:
    """Draw sets of edges, all sets of that size being equally likely; one set may come twice.

    Raises: ValueError, for a size that the model has no set of.
    """
    every = all_edges(model)
    if not 0 < n_edges <= len(every):
        raise ValueError(f"n_edges={n_edges} of a model with {len(every)} edges; give 1 to {len(every)}")
    rng = np.random.default_rng(seed)
    return [frozenset(every[nth] for nth in rng.choice(len(every), n_edges, replace=False)) for _ in range(n)]
