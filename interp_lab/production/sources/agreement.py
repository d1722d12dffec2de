"""Whether scores rank sources alike, and whether the first one is the right one."""

import numpy as np
from jaxtyping import Bool, Float, Int


def kendall(first: Float[np.ndarray, "*_ source"], second: Float[np.ndarray, "*_ source"]) -> Float[np.ndarray, "*_"]:
    """Return Kendall's tau-b of two rankings; NaN where one of them ranks nothing. NaN scores do not count."""
    one, other = (np.nan_to_num(np.sign(side[..., :, None] - side[..., None, :])) for side in (first, second))
    both = np.isfinite(first) & np.isfinite(second)
    pairs = both[..., :, None] & both[..., None, :]
    one, other = np.where(pairs, one, 0.0), np.where(pairs, other, 0.0)
    spread = np.sqrt(np.square(one).sum((-2, -1)) * np.square(other).sum((-2, -1)))
    agree = np.asarray((one * other).sum((-2, -1)))
    return np.divide(agree, spread, out=np.full(agree.shape, np.nan), where=spread > 0)


def firsts(scores: Float[np.ndarray, "*_ source"]) -> Bool[np.ndarray, "*_ source"]:
    """Return which sources have the largest score: several, where they tie."""
    return scores == np.nanmax(scores, -1, keepdims=True)


def hits(scores: Float[np.ndarray, "*_ example source"], truth: Int[np.ndarray, " example"]) -> np.ndarray:
    """Return 1 where the first source is the true one, a share where it ties with others, NaN where none is true."""
    first = firsts(scores)
    at = np.maximum(truth, 0)[:, None]
    own = np.take_along_axis(first, np.broadcast_to(at, (*first.shape[:-1], 1)), -1)[..., 0]
    return np.asarray(np.where(truth < 0, np.nan, own / first.sum(-1)))


def same_first(first: Float[np.ndarray, "*_ source"], second: Float[np.ndarray, "*_ source"]) -> np.ndarray:
    """Return the probability that two methods name the same source first, ties being broken by lot."""
    one, other = firsts(first), firsts(second)
    return np.asarray((one & other).sum(-1) / (one.sum(-1) * other.sum(-1)))


def top_k(scores: Float[np.ndarray, " source"], k: int) -> tuple[bool, ...]:
    """Return what is kept when the `k` sources with the largest scores are left out; of equal ones, the earlier."""
    order = np.argsort(-np.where(np.isnan(scores), -np.inf, scores), kind="stable")[:k]
    return tuple(nth not in order for nth in range(len(scores)))
