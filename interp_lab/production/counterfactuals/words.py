"""A text as words, and edits of it: what stands where, and what may be put there instead."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from interp_lab import folds
from interp_lab.organisms.grammar import Value

_WORD = re.compile(r"\w+|[^\w\s]+")
State = tuple[int, ...]
"""Edits that are made together, by their numbers, in order."""


@dataclass(frozen=True)
class Words:
    """A text taken apart at its words and marks."""

    words: tuple[str, ...]
    gaps: tuple[str, ...]
    """What stands before each word, and behind the last."""

    @classmethod
    def of(cls, text: str) -> "Words":
        """Take a text apart."""
        found = list(_WORD.finditer(text))
        stops = [0, *(match.end() for match in found)]
        starts = [*(match.start() for match in found), len(text)]
        gaps = tuple(text[stop:start] for stop, start in zip(stops, starts, strict=True))
        return cls(tuple(match.group() for match in found), gaps)

    @property
    def _standing(self) -> list[tuple[str, str]]:
        """Each word with the gap before it."""
        return list(zip(self.gaps[:-1], self.words, strict=True))

    @property
    def text(self) -> str:
        """Put together again."""
        return self.written({})

    def written(self, changes: Mapping[int, str]) -> str:
        """Return the text with some words replaced; one that is replaced by nothing goes with the gap before it."""
        kept = [(gap, changes.get(nth, word)) for nth, (gap, word) in enumerate(self._standing)]
        text = "".join(gap + word for gap, word in kept if word) + self.gaps[-1]
        return text if self.gaps[0] else text.lstrip()

    def starts(self) -> list[int]:
        """Return the character at which each word begins."""
        found, at = [], 0
        for gap, word in self._standing:
            found.append(at + len(gap))
            at += len(gap) + len(word)
        return found

    def place(self, value: str) -> tuple[int, ...] | None:
        """Return the words that are a value, which may be several; `None`, unless it stands there exactly once."""
        wanted = Words.of(value).words
        starts = range(len(self.words) - len(wanted) + 1)
        found = [start for start in starts if wanted and self.words[start : start + len(wanted)] == wanted]
        return tuple(range(found[0], found[0] + len(wanted))) if len(found) == 1 else None


@dataclass(frozen=True)
class Edit:
    """One thing that may be done to a text."""

    what: str
    """The attribute that is changed, or what else is done; two edits of the same are never made together."""
    places: tuple[tuple[int, str], ...]
    """Words by number, each with what takes its place; nothing, if it is deleted."""
    told: str
    """Such as `income: low > high`."""
    value: Value | None = None
    """Of the attribute; `None` for what changes none."""


def replaced(words: Words, place: Sequence[int], value: str) -> tuple[tuple[int, str], ...]:
    """Return the places of an edit that puts a value where some words stand; words that both begin or end with stay."""
    old, new = [words.words[nth] for nth in place], Words.of(value)
    most = min(len(old), len(new.words)) - (len(old) == len(new.words))
    if len(old) <= len(new.words):
        most = min(most, len(old) - 1)  # something must stand where words are put in
    start = next((nth for nth in range(most) if old[nth] != new.words[nth]), most)
    most -= start
    stop = next((nth for nth in range(most) if old[-1 - nth] != new.words[-1 - nth]), most)
    middle = range(start, len(new.words) - stop)
    put = "".join((new.gaps[nth] if nth > start else "") + new.words[nth] for nth in middle)
    first, *rest = place[start : len(old) - stop]
    return ((first, put), *((nth, "") for nth in rest))


def go_together(one: Edit, other: Edit) -> bool:
    """Whether two edits change different things at different places."""
    return one.what != other.what and not {nth for nth, _ in one.places} & {nth for nth, _ in other.places}


def written(words: Words, edits: Iterable[Edit]) -> str:
    """Return a text with some edits made."""
    return words.written({nth: new for edit in edits for nth, new in edit.places})


def may_be_seen(words: Words, edits: Iterable[Edit]) -> bool:
    """Whether a text with some edits made may be seen here (see `folds`); where all may, it is not even written."""
    return folds.seen_now() == "all" or folds.shows(written(words, edits))
