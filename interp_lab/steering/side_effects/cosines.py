"""Cosines between directions, beside those of directions that mean nothing and have the same covariance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from interp_lab.runs.fields import KeptFields
from interp_lab.types import Interval


def cosine(first: Float[np.ndarray, "*any d"], second: Float[np.ndarray, "*other d"]) -> Float[np.ndarray, "*both"]:
    """Return the cosine along the last axis, from -1 to 1.

    Raises: ValueError, for a vector of length zero.
    """
    first, second = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    lengths = [np.linalg.norm(vectors, axis=-1, keepdims=True) for vectors in (first, second)]
    if any((length == 0).any() for length in lengths):
        raise ValueError("a direction of length zero has no cosine; leave it out, or give texts that differ")
    return np.asarray((first / lengths[0] * (second / lengths[1])).sum(-1))


@dataclass(frozen=True)
class Other:
    """A direction from elsewhere, such as a row of a decoder or the weights of a probe."""

    name: str
    hook: str
    vector: Float[np.ndarray, " d"]


@dataclass(frozen=True)
class Cosines(KeptFields):
    """Cosines of traits' directions with each other, and with directions from elsewhere at their own hook point."""

    traits: tuple[str, ...]
    hooks: tuple[str, ...]
    width: int
    own: Float[np.ndarray, "hook trait again"]
    resampled: Float[np.ndarray, "resample hook trait again"]
    """Of directions made again from resampled templates."""
    shuffled: Float[np.ndarray, "draw hook trait again"]
    """Of the row's trait with its labels shuffled, and the column's as it is: they share all but the labels."""
    others: tuple[str, ...]
    other_hooks: tuple[str, ...]
    other_own: Float[np.ndarray, "other trait"]
    other_resampled: Float[np.ndarray, "resample other trait"]
    other_shuffled: Float[np.ndarray, "draw other trait"]

    @property
    def isotropic(self) -> float:
        """Standard deviation of the cosine of two directions drawn evenly from the whole space."""
        return self.width**-0.5

    def between(self, hook: int, first: int, second: int, *, level: float) -> tuple[Interval, Interval]:
        """Return the cosine of two traits with its interval, and the null band around its mean."""
        both = (self.shuffled[:, hook, first, second], self.shuffled[:, hook, second, first])
        own = float(self.own[hook, first, second])
        return _beside(own, self.resampled[:, hook, first, second], np.concatenate(both), level=level)

    def with_other(self, other: int, trait: int, *, level: float) -> tuple[Interval, Interval]:
        """Return the cosine of a trait with a direction from elsewhere, and its null band."""
        resampled, shuffled = self.other_resampled[:, other, trait], self.other_shuffled[:, other, trait]
        return _beside(float(self.other_own[other, trait]), resampled, shuffled, level=level)


def cosines_of(
    traits: Sequence[str],
    hooks: Sequence[str],
    others: Sequence[Other],
    *,
    shown: Sequence[str],
    own: Float[np.ndarray, "trait hook d"],
    resampled: Float[np.ndarray, "resample trait hook d"],
    shuffled: Float[np.ndarray, "draw trait hook d"],
) -> Cosines:
    """Compare directions at the hook points that are shown, and those from elsewhere at their own.

    Args:
        hooks: of the directions, on their axis.

    Raises: ValueError, for a direction of length zero.
    """
    at = [list(hooks).index(one.hook) for one in others]
    kept = [list(hooks).index(hook) for hook in shown]
    vectors = np.array([one.vector for one in others], dtype=np.float64).reshape(len(others), own.shape[-1])

    def compared(made: Float[np.ndarray, "draw trait hook d"]) -> Float[np.ndarray, "draw other trait"]:
        if not others:
            return np.zeros((len(made), 0, made.shape[1]))
        return cosine(made[:, :, at].swapaxes(1, 2), vectors[:, None])

    return Cosines(
        traits=tuple(traits),
        hooks=tuple(shown),
        width=own.shape[-1],
        own=_of_pairs(own[None, :, kept], own[None, :, kept])[0],
        resampled=_of_pairs(resampled[:, :, kept], resampled[:, :, kept]),
        shuffled=_of_pairs(shuffled[:, :, kept], np.broadcast_to(own[:, kept], shuffled[:, :, kept].shape)),
        others=tuple(one.name for one in others),
        other_hooks=tuple(one.hook for one in others),
        other_own=compared(own[None])[0],
        other_resampled=compared(resampled),
        other_shuffled=compared(shuffled),
    )


def _of_pairs(
    rows: Float[np.ndarray, "draw trait hook d"], columns: Float[np.ndarray, "draw trait hook d"]
) -> Float[np.ndarray, "draw hook trait again"]:
    return cosine(rows.swapaxes(1, 2)[:, :, :, None], columns.swapaxes(1, 2)[:, :, None])


def _beside(
    own: float, resampled: Float[np.ndarray, " resample"], null: Float[np.ndarray, " draw"], *, level: float
) -> tuple[Interval, Interval]:
    ends = [(1 - level) / 2, (1 + level) / 2]
    (low, high), (null_low, null_high) = np.quantile(resampled, ends), np.quantile(null, ends)
    around = Interval(own, min(float(low), own), max(float(high), own), level)
    return around, Interval(float(null.mean()), float(null_low), float(null_high), level)


def outside(found: Interval, null: Interval) -> bool:
    """Whether a cosine lies outside its null band."""
    return null.excludes(found.estimate)
