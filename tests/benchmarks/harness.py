"""Time two ways of doing the same thing, turn by turn, so that a noisy machine is noisy for both."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Comparison:
    """What is timed: ours against a reference, on the same input, with the outputs compared first."""

    name: str
    reference_name: str
    ours: Callable[[], object]
    reference: Callable[[], object]
    same: Callable[[object, object], bool]


@dataclass(frozen=True)
class Timing:
    """Median seconds of both sides, and the ratios seen in single rounds."""

    ours: float
    reference: float
    ratios: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Median over rounds of reference time / our time; above 1 we are faster."""
        return statistics.median(self.ratios)


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def measure(comparison: Comparison, *, rounds: int = 7) -> Timing:
    """Check that both sides agree (which warms both up), then time them in turn."""
    if not comparison.same(comparison.ours(), comparison.reference()):
        raise AssertionError(f"{comparison.name}: ours and {comparison.reference_name} disagree; nothing is timed")
    pairs = [(seconds(comparison.ours), seconds(comparison.reference)) for _ in range(rounds)]
    ours, reference = zip(*pairs, strict=True)
    ratios = tuple(theirs / own for own, theirs in pairs)
    return Timing(statistics.median(ours), statistics.median(reference), ratios)
