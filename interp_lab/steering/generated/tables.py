"""What was written, as tables."""

import pandas as pd

from interp_lab.steering.generated.continuations import MEASURES, Continuations
from interp_lab.types import UNMEASURED, Interval

UNSTEERED = "unsteered"
MOST_OPENINGS = 24
"""Rows of the table of continuations."""


def measures_table(found: Continuations) -> pd.DataFrame:
    """Return one row per setting (the unsteered model first) and measure.

    `mean` is over continuations, `change` the paired difference to the unsteered model, `random` the mean change under
    the setting's random directions, between the quantiles of single ones.
    """
    rows = []
    for nth, name in enumerate((UNSTEERED, *found.names)):
        for measure in found.values:
            row: dict[str, object] = {"setting": name, "measure": measure, "unit": MEASURES[measure]}
            row |= found.interval(found.values[measure][nth]).columns("mean")
            change, random = UNMEASURED, UNMEASURED
            if nth > 0:
                change = found.interval(found.changes(measure)[nth - 1])
                random = found.random_interval(measure, nth - 1)
            rows.append(row | change.columns("change") | random.columns("random"))
    return pd.DataFrame(rows)


def continuations_table(found: Continuations) -> pd.DataFrame:
    """Return one row per opening, side by side: unsteered, each setting, and one random direction of the first."""
    shown = {UNSTEERED: 0} | {name: nth + 1 for nth, name in enumerate(short_names(found))}
    shown["a random direction"] = found.random(0)[0]
    return pd.DataFrame(
        [
            {"opening": opening, **{name: found.continuations[variant][row] for name, variant in shown.items()}}
            for row, opening in enumerate(found.openings[:MOST_OPENINGS])
        ]
    )


def short_names(found: Continuations) -> list[str]:
    """Return what is done by each setting, without where it is done; with its number where that is not enough."""
    what = [name.split(" at ")[0] for name in found.names]
    return [one if what.count(one) == 1 else f"{one} ({nth + 1})" for nth, one in enumerate(what)]


def said(interval: Interval) -> str:
    """Return an interval with its sign."""
    return f"{interval.estimate:+.2f} [{interval.low:+.2f}, {interval.high:+.2f}]"
