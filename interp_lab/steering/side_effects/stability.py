"""How a direction and its effect depend on the number of pairs it is made from, and on the layer."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from interp_lab.runs.fields import KeptFields
from interp_lab.stats import mean_interval
from interp_lab.steering.side_effects.cosines import cosine
from interp_lab.steering.side_effects.on_trait import share_of
from interp_lab.types import UNMEASURED, Interval


@dataclass(frozen=True)
class Stability(KeptFields):
    """Directions of one trait made again from fewer pairs, none of which made the full direction.

    Directions that are made again have the full one's length, so that the same coefficient is the same push.
    """

    trait: str
    hooks: tuple[str, ...]
    """Where directions are compared, layer by layer."""
    n_full: int
    """Pairs of the full direction."""
    noise: Float[np.ndarray, " hook"]
    """Variance of the difference within a pair (sides, if they are not paired) over the squared gap of the means."""
    sizes: Int[np.ndarray, " size"]
    disjoint: Bool[np.ndarray, " size"]
    """Whether no two directions of a size share a pair; else they are more alike than directions from new texts."""
    to_full: Float[np.ndarray, "size draw hook"]
    """Cosine with the full direction; NaN beyond the directions of a size."""
    between: Float[np.ndarray, "size pair hook"]
    """Cosine of every two directions of a size; NaN beyond them."""
    clean: Float[np.ndarray, " example"]
    """Log odds (nats) of the untouched prompts; the same unit below."""
    full: Float[np.ndarray, " example"]
    """Under the full direction, as it is steered."""
    drawn: Float[np.ndarray, "size draw example"]
    """Under those made again; NaN beyond the directions of a size."""
    depth_pairs: int
    by_layer: Float[np.ndarray, "hook example"]
    """Under the full direction of each layer, at that layer, at the same coefficient."""
    drawn_by_layer: Float[np.ndarray, "hook deep example"]
    """Under directions of `depth_pairs` pairs."""
    random_by_layer: Float[np.ndarray, "hook random example"]
    """Under random directions of the same length."""
    between_by_layer: Float[np.ndarray, "hook deep_pair"]
    """Cosine of every two directions of `depth_pairs` pairs."""
    templates: tuple[str, ...]
    """Independent unit of every prompt."""

    def change(self, values: Float[np.ndarray, "*site example"]) -> Float[np.ndarray, "*site example"]:
        """Return what steering changed (share of the possible range)."""
        return share_of(values) - share_of(self.clean)

    def expected(self, hook: int, n: float | int) -> float:
        """Return the cosine with the full direction that pairs drawn independently would give; see `expected_cosine`.

        Pairs of one template are alike, so that the cosine of few pairs is lower or higher with the templates drawn.
        """
        return expected_cosine(n, float(self.noise[hook])) * expected_cosine(self.n_full, float(self.noise[hook]))


def draws_of(n_pool: int, size: int, *, n_draws: int, seed: int) -> tuple[Int[np.ndarray, "draw row"], bool]:
    """Return which pairs each of several directions is made from, and whether no two share one.

    They share none as long as the pool holds two such sets; of a larger size each is a random part of the pool.

    Raises: ValueError, if the pool is smaller than the size.
    """
    if n_pool < size:
        raise ValueError(f"{size} pairs cannot be drawn from {n_pool}; leave the size out, or give more texts")
    rng = np.random.default_rng([seed, size])
    apart = min(n_draws, n_pool // size)
    if apart >= 2:
        return rng.permutation(n_pool)[: apart * size].reshape(apart, size), True
    return np.stack([rng.permutation(n_pool)[:size] for _ in range(n_draws)]), False


def expected_cosine(n: float | int, noise: float) -> float:
    """Return the cosine of a mean over `n` pairs with what it tends to, in many dimensions: `1 / sqrt(1 + noise / n)`.

    Args:
        noise: variance of a pair's difference, summed over dimensions, over the squared length of its mean. With
            independent noise of standard deviation s in d dimensions on either side it is `2 * d * s**2 / length**2`.
    """
    return float((1 + noise / n) ** -0.5)


def noise_of(
    positive: Float[np.ndarray, "hook example d"], negative: Float[np.ndarray, "hook other d"], *, paired: bool
) -> Float[np.ndarray, " hook"]:
    """Return the noise of the difference of means for one pair, as `expected_cosine` takes it.

    What noise adds to the squared length of the difference is taken off; where nothing is left it is infinite.
    """
    gap = positive.mean(1) - negative.mean(1)
    if paired:
        spread = (positive - negative).var(1, ddof=1).sum(-1)
        error = spread / positive.shape[1]
    else:
        sides = [side.var(1, ddof=1).sum(-1) for side in (positive, negative)]
        spread = sides[0] + sides[1]
        error = sides[0] / positive.shape[1] + sides[1] / negative.shape[1]
    squared = np.square(gap).sum(-1) - error
    return np.divide(spread, squared, out=np.full_like(spread, np.inf), where=squared > 0)


def between_draws(vectors: Float[np.ndarray, "draw hook d"]) -> Float[np.ndarray, "pair hook"]:
    """Return the cosine of every two directions."""
    first, second = np.triu_indices(len(vectors), 1)
    return cosine(vectors[first], vectors[second])


def filled(parts: list[np.ndarray]) -> np.ndarray:
    """Return arrays one behind the other, those that are shorter filled up with NaN."""
    most = max(len(part) for part in parts)
    full = np.full((len(parts), most, *parts[0].shape[1:]), np.nan)
    for row, part in zip(full, parts, strict=True):
        row[: len(part)] = part
    return full


def over_draws(values: Float[np.ndarray, " draw"], *, level: float, seed: int) -> Interval:
    """Return the mean over directions made again, with its interval over them, within -1 and 1; NaN are none."""
    held = values[np.isfinite(values)]
    if len(held) < 2:
        return UNMEASURED
    found = mean_interval(held, level=level, method="t", seed=seed)
    return replace(found, low=max(found.low, -1.0), high=min(found.high, 1.0))
