"""What a search costs: model calls, of which no more are made than there is budget for."""

from dataclasses import dataclass

FORWARD = 1
"""Calls of one forward pass of one sequence, however many run in a batch."""
BACKWARD = 2
"""Calls of the backward pass that follows: about the arithmetic of two forward passes."""


@dataclass
class Calls:
    """A budget that is being used up."""

    limit: int
    used: int = 0

    @property
    def left(self) -> int:
        """Calls that may still be made."""
        return self.limit - self.used

    def take(self, n: int) -> int:
        """Book forward passes of `n` sequences, or of as many as may still be run; returns how many."""
        granted = min(n, self.left // FORWARD)
        self.used += granted * FORWARD
        return granted

    def take_gradient(self) -> bool:
        """Book a forward and a backward pass of one sequence; whether there was budget for them."""
        if self.left < FORWARD + BACKWARD:
            return False
        self.used += FORWARD + BACKWARD
        return True
