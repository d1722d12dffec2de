"""Which sources are kept together: drawn at random, one left out, and what a linear model makes of the answers."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from interp_lab.production.sources.prompts import Kept
from interp_lab.stats.bootstrap import widened_level
from interp_lab.types import Interval

LEAST_HELD = 3
"""Subsets of which a rank correlation can be told."""
MOST_LISTED = 12
"""Sources up to which all subsets are listed, to draw from without drawing one twice."""
_TRIES = 50
"""Draws for one subset of more sources."""


def without_each(n_sources: int) -> list[Kept]:
    """Return the subsets that leave one source out, in order."""
    return [tuple(at != nth for at in range(n_sources)) for nth in range(n_sources)]


def drawn_subsets(n_sources: int, n: int, *, keep: float, rng: np.random.Generator) -> list[Kept]:
    """Draw different subsets, each source kept independently; of few sources all there are, if there are no more.

    Args:
        keep: probability of each source to be kept.

    Raises: ValueError, for no sources or subsets, a probability outside (0, 1), or one so near to an end that so many
        different subsets are not found.
    """
    if n_sources < 1 or n < 1:
        raise ValueError(f"{n} subsets of {n_sources} sources; ask for at least one of each")
    if not 0 < keep < 1:
        raise ValueError(f"keep={keep} must lie between 0 and 1: sources that are always kept tell nothing")
    if n_sources <= MOST_LISTED:
        every = (np.arange(2**n_sources)[:, None] >> np.arange(n_sources)) & 1 == 1
        weight = np.where(every, keep, 1 - keep).prod(1)
        chosen = rng.choice(len(every), size=min(n, len(every)), replace=False, p=weight / weight.sum())
        return [tuple(map(bool, every[nth])) for nth in chosen]
    found: dict[Kept, None] = {}
    for _ in range(_TRIES * n):
        found[tuple(map(bool, rng.random(n_sources) < keep))] = None
        if len(found) == n:
            return list(found)
    raise ValueError(
        f"{_TRIES * n} draws at keep={keep} gave {len(found)} different subsets of {n_sources} sources, and {n} are "
        "asked for; ask for fewer, or keep nearer to 0.5"
    )


def shared_out(drawn: Sequence[Kept], *, held: float) -> tuple[list[Kept], list[Kept]]:
    """Return the subsets to fit on, and those held out: a share of all, rounded, and none if that is less than three.

    Only subsets without two sources or more are held out: leaving one out is told by the others, and would foretell
    what it has seen. So nothing is held out of the four subsets of two sources; of fewer than three no rank
    correlation can be told.

    Args:
        drawn: different ones.
    """
    spare = [one for one in drawn if one.count(False) > 1]
    n_held = min(round(held * len(drawn)), len(spare), len(drawn) - 2)
    away = set(spare[-n_held:] if n_held >= LEAST_HELD else ())
    return [one for one in drawn if one not in away], [one for one in drawn if one in away]


def subset_weights(
    kept: Bool[np.ndarray, "subset source"], values: Float[np.ndarray, " subset"], *, alpha: float, n_tokens: int = 1
) -> tuple[Float[np.ndarray, " source"], float]:
    """Return what each source adds to the log odds of the answer when it is kept, and what there is without any.

    A lasso of the log odds per token on standardised columns; least squares where `alpha` is 0.

    Args:
        alpha: penalty.
        n_tokens: of the answer.

    Raises: ValueError, for fewer than two subsets or a negative penalty.
    Source: Cohen-Wang et al. 2024, arXiv 2409.00729 (ContextCite), there with alpha 0.01.
    """
    from sklearn.linear_model import Lasso, LinearRegression

    if len(kept) < 2 or alpha < 0:
        raise ValueError(f"{len(kept)} subsets at alpha={alpha}; fit on two or more, and take 0 or more")
    mean, spread = kept.mean(0), kept.std(0)
    spread = np.where(spread == 0, 1.0, spread)
    model = LinearRegression() if alpha == 0 else Lasso(alpha=alpha, max_iter=10_000)
    model.fit((kept - mean) / spread, values / n_tokens)
    slopes = model.coef_ / spread
    return n_tokens * slopes, float(n_tokens * (model.intercept_ - slopes @ mean))


def weight_intervals(
    kept: Bool[np.ndarray, "subset source"],
    values: Float[np.ndarray, " subset"],
    *,
    alpha: float,
    n_tokens: int = 1,
    level: float = 0.95,
    n_resamples: int = 200,
    seed: int = 0,
) -> list[Interval]:
    """Return intervals of the weights over the draw of subsets: what other subsets of the same prompt would give.

    Percentiles at a level widened for few subsets, stretched to hold the estimate.

    Raises: ValueError, as `subset_weights`.
    """
    estimate, _ = subset_weights(kept, values, alpha=alpha, n_tokens=n_tokens)
    rng, found = np.random.default_rng(seed), []
    for _ in range(n_resamples):
        rows = rng.integers(len(kept), size=len(kept))
        found.append(subset_weights(kept[rows], values[rows], alpha=alpha, n_tokens=n_tokens)[0])
    tail = (1 - widened_level(level, n_clusters=len(kept))) / 2
    low, high = np.quantile(np.stack(found), [tail, 1 - tail], axis=0)
    return [
        Interval(float(own), float(min(own, below)), float(max(own, above)), level, len(kept))
        for own, below, above in zip(estimate, low, high, strict=True)
    ]
