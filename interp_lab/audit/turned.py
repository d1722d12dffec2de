"""What two values do together, beyond what either does alone."""

import numpy as np
from jaxtyping import Float, Int

SIDES = (1, -1)
"""Whether the answer without the pair is the positive one."""
EDGE = 1e-4
"""Probabilities nearer than this to 0 or 1 are taken for it."""


def turned(
    neither: Float[np.ndarray, " example"], others: Float[np.ndarray, "example 3"]
) -> Float[np.ndarray, " example"]:
    """Return how far both values together push an answer to the other side, beyond what either does alone.

    The answer without either is on one side of one half; of the three texts that lack one value or both, take the one
    that is nearest to the other side. From there to the text with both is counted, towards the other side.

    Args:
        neither: P without either value.
        others: P with the first, with the second, with both.
    """
    three = np.stack([neither, others[:, 0], others[:, 1]])
    return np.where(neither >= 0.5, three.min(0) - others[:, 2], others[:, 2] - three.max(0))


def turned_by(held: Float[np.ndarray, "example text"]) -> Float[np.ndarray, "change example"]:
    """Return `turned` of the pair itself, and then of each control."""
    return np.stack([turned(held[:, 0], held[:, at : at + 3]) for at in range(1, held.shape[1], 3)])


def interaction(held: Float[np.ndarray, "example text"], *, log_odds: bool = False) -> Float[np.ndarray, " example"]:
    """Return what both values do together beyond the sum of what each does alone, in probability or log odds."""
    own = held[:, :4]
    if log_odds:
        own = np.clip(own, EDGE, 1 - EDGE)
        own = np.log(own / (1 - own))
    return own[:, 3] - own[:, 1] - own[:, 2] + own[:, 0]


def sides_of(held: Float[np.ndarray, "example text"]) -> Int[np.ndarray, " example"]:
    """Return on which side of one half each answer is without either value: 1 or -1."""
    return np.where(held[:, 0] >= 0.5, 1, -1)
