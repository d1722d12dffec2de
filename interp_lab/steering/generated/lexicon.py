"""Which side of a trait a text is on, by the words that it has."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from interp_lab.organisms.grammar.behaviours.register import CLOSINGS, REGISTERS
from interp_lab.organisms.grammar.behaviours.sentiment import VERDICTS

_WORD = re.compile(r"\w+(?:'\w+)*|[^\w\s]+")

ANSWER_WORDS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "sentiment": (frozenset(good for good, _ in VERDICTS.values()), frozenset(bad for _, bad in VERDICTS.values())),
    "register": (
        frozenset(word for (register, _), word in CLOSINGS.items() if register == REGISTERS[0]),
        frozenset(word for (register, _), word in CLOSINGS.items() if register == REGISTERS[1]),
    ),
}
"""Answers that traits of the grammar have besides those of a prompt: (positive, negative)."""


@dataclass(frozen=True)
class Lexicon:
    """Words of either side, lower case."""

    positive: frozenset[str]
    negative: frozenset[str]

    def __post_init__(self) -> None:
        both = self.positive & self.negative
        if both:
            raise ValueError(f"{min(both)!r} is counted for both sides; leave it out of one")

    def with_words(self, positive: Sequence[str], negative: Sequence[str]) -> "Lexicon":
        """Return it with more words.

        Raises: ValueError, for a word that would then be on both sides.
        """
        more = [frozenset(word.strip().lower() for word in side) for side in (positive, negative)]
        return Lexicon(self.positive | more[0], self.negative | more[1])


def lexicon_of(trait: str, positive: Sequence[str] = (), negative: Sequence[str] = ()) -> Lexicon:
    """Return the answer words of a trait of the grammar, as far as they do not change with the prompt, with more.

    Raises: ValueError, for a word that would be on both sides.
    """
    own = ANSWER_WORDS.get(trait, (frozenset(), frozenset()))
    return Lexicon(*own).with_words(positive, negative)


def marks(answer: str) -> list[str]:
    """Return what an answer adds to a lexicon: itself, if it is one word, else nothing.

    A letter that stands for a choice is no mark: ` A` would count every article. Nor are the words of a longer answer,
    most of which either side has.
    """
    found = [word for word in words_of(answer) if word[0].isalnum()]
    return found if len(found) == 1 and len(found[0]) > 1 else []


def words_of(text: str) -> list[str]:
    """Return the words of a text, lower case; punctuation counts as words of its own."""
    return _WORD.findall(text.lower())


def lexicon_shares(texts: Sequence[str], lexicons: Sequence[Lexicon]) -> Float[np.ndarray, "side text"]:
    """Return which share of the words of each text is on the positive, and on the negative side; 0 for empty texts."""
    found = np.zeros((2, len(texts)))
    for nth, (text, lexicon) in enumerate(zip(texts, lexicons, strict=True)):
        words = words_of(text)
        for side, listed in enumerate((lexicon.positive, lexicon.negative)):
            found[side, nth] = sum(word in listed for word in words) / max(1, len(words))
    return found


def balance(shares: Float[np.ndarray, "side text"]) -> Float[np.ndarray, " _"]:
    """Return positive minus negative words, as a share of both: from -1 to 1, and 0 for a text that has neither."""
    both = shares.sum(0)
    return np.divide(shares[0] - shares[1], both, out=np.zeros_like(both), where=both > 0)
