"""Do the instruments read true here? Rows collected from the `known_answers.py` of every experiment folder."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from interp_lab.experiment import KnownAnswer
from interp_lab.registry import KNOWN_ANSWERS, resolve


@dataclass(frozen=True)
class Reading:
    """What one instrument read."""

    instrument: str
    expected: str
    measured: str
    ok: bool


def known_answers() -> list[KnownAnswer]:
    """Return the rows of every experiment folder."""
    return [row for dotted in KNOWN_ANSWERS for row in resolve(dotted)()]


def verify_all(rows: Iterable[KnownAnswer] | None = None) -> Iterator[Reading]:
    """Read every instrument, one after the other."""
    for row in known_answers() if rows is None else rows:
        ok, measured = row.measure()
        yield Reading(row.instrument, row.expected, measured, ok)
