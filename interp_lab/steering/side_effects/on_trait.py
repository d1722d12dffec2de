"""What every steering does to the prompts of one trait, prompt by prompt."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from interp_lab.runs.fields import KeptFields

Unit = Literal["share", "nats"]
"""Share of the possible range, or log odds."""


def share_of(log_odds: Float[np.ndarray, "*site"]) -> Float[np.ndarray, "*site"]:
    """Return `(P(positive) - P(negative)) / (P(positive) + P(negative))`, from -1 to 1, of the log of their ratio.

    The same as `2 * P(positive) / (P(positive) + P(negative)) - 1`.
    """
    return np.tanh(log_odds / 2)


@dataclass(frozen=True)
class OnTrait(KeptFields):
    """Log odds (nats) of the positive answer to each prompt of one trait, untouched and steered."""

    trait: str
    clean: Float[np.ndarray, " example"]
    alone: Float[np.ndarray, "sign steered example"]
    """Under each trait's direction: as it is, and (if it is one that has two ways) its negative."""
    random: Float[np.ndarray, "steered draw example"]
    """Under random directions, as long as each trait's."""
    both: Float[np.ndarray, "pair example"]
    """Under two traits' directions at once; pairs in the order of `pairs_of`."""
    with_random: Float[np.ndarray, "pair partner example"]
    """Under the first of two, and one of the random directions that are as long as the second."""
    templates: tuple[str, ...]
    """Independent unit of every prompt."""

    def change(self, values: Float[np.ndarray, "*site example"], unit: Unit) -> Float[np.ndarray, "*site example"]:
        """Return what steering changed, in one of the units."""
        if unit == "nats":
            return values - self.clean
        return share_of(values) - share_of(self.clean)

    def beyond_the_sum(self, unit: Unit) -> Float[np.ndarray, "pair example"]:
        """Return what two directions do at once, less what each does alone.

        In log odds zero means that they add up. The share of the range ends at -1 and 1: there two that add up fall
        short of the sum wherever each goes far.
        """
        own = self.change(self.alone[0], unit)
        first, second = np.array(pairs_of(len(own))).T
        return self.change(self.both, unit) - own[first] - own[second]

    def if_they_added_up(self) -> Float[np.ndarray, "pair example"]:
        """Return the change (share) that two directions would make at once, if their log odds added up."""
        first, second = np.array(pairs_of(self.alone.shape[1])).T
        return self.change(self.alone[0][first] + self.alone[0][second] - self.clean, "share")

    def beyond_with_random(self, unit: Unit) -> Float[np.ndarray, "pair partner example"]:
        """Return the same with a random direction in the place of the second."""
        own, random = self.change(self.alone[0], unit), self.change(self.random, unit)
        first, second = np.array(pairs_of(len(own))).T
        n_partners = self.with_random.shape[1]
        return self.change(self.with_random, unit) - own[first][:, None] - random[second][:, :n_partners]


def pairs_of(n: int) -> list[tuple[int, int]]:
    """Return every two of `n`, the earlier one first."""
    return [(first, second) for first in range(n) for second in range(first + 1, n)]
