"""Do the instruments read true here? Rows collected from the `known_answers.py` of every experiment folder."""

from collections.abc import Sequence
from dataclasses import dataclass

from interp_lab.experiment import KnownAnswer, Progress, silent
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


def verify_all(rows: Sequence[KnownAnswer] | None = None, *, progress: Progress = silent) -> list[Reading]:
    """Read every instrument, one after the other; one that breaks down reads wrong, and the others are read."""
    rows = known_answers() if rows is None else rows
    readings = []
    for done, row in enumerate(rows):
        progress(done, len(rows), row.instrument)
        try:
            ok, measured = row.measure()
        except (ValueError, RuntimeError, IndexError) as error:
            ok, measured = False, f"{type(error).__name__}: {error}"
        readings.append(Reading(row.instrument, row.expected, measured, ok))
    return readings
