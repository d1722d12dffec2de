"""Words for probabilities, by ranges that are stated."""

from collections.abc import Mapping

LEVELS: dict[str, float] = {
    "almost certain": 0.95,
    "very likely": 0.8,
    "likely": 0.6,
    "about as likely as not": 0.4,
    "unlikely": 0.2,
    "very unlikely": 0.0,
}
"""The least probability of each word; the range ends where that of the word before begins."""


def level_of(probability: float, levels: Mapping[str, float]) -> str:
    """Return the word for a probability.

    Raises: ValueError, for what is no probability.
    """
    if not 0 <= probability <= 1:
        raise ValueError(f"{probability} is no probability; give one from 0 to 1")
    return next(name for name, least in levels.items() if probability >= least)


def ranges(levels: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """Return the range of every word: from its least probability to that of the word before."""
    ends = (1.0, *levels.values())
    return {name: (low, high) for (name, low), high in zip(levels.items(), ends, strict=False)}


def told(name: str, levels: Mapping[str, float]) -> str:
    """Return a word with its range, such as `very likely (80 to 95%)`."""
    low, high = ranges(levels)[name]
    return f"{name} ({100 * low:g} to {100 * high:g}%)"


def highest_first(levels: Mapping[str, float]) -> dict[str, float]:
    """Return levels in order: files keep mappings in orders of their own.

    Raises: ValueError, for fewer than two, two of the same probability, or some that leave probabilities out.
    """
    found = dict(sorted(levels.items(), key=lambda one: -one[1]))
    least = list(found.values())
    if len(least) < 2 or len(set(least)) < len(least) or least[-1] != 0 or least[0] > 1:
        raise ValueError(f"levels {found} must be two or more different ones from 0 to 1, the lowest of them 0")
    return found
