"""What a report shows of continuations."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from interp_lab.experiment import Section
from interp_lab.steering.generated.continuations import MEASURES, Continuations
from interp_lab.steering.generated.tables import said

DOES_NOT_SHOW = (
    "That the text is good, or says what its words say: words are counted, and `never again` would count on both "
    "sides. Fluency is what the unsteered model would say of the text: a trait that is rare in training is unlikely "
    "without being bad. Random directions are as long as the setting's; in a space of many dimensions they touch "
    "little of anything in particular. Openings of one template are not independent: intervals resample templates."
)


def section(found: Continuations, tables: Mapping[str, pd.DataFrame], figures: Mapping[str, go.Figure]) -> Section:
    """Return continuations side by side, with what was measured of them."""
    return Section(
        title=f"What is written under steering: {found.trait}",
        causal=True,
        suggests=suggests(found),
        does_not_show=DOES_NOT_SHOW,
        figures=dict(figures),
        tables={"continuations, side by side": tables["continuations"], "what was measured": tables["generated"]},
    )


def suggests(found: Continuations) -> str:
    """Return how far each setting moves what is written, at what loss of fluency, and what it touched by the audit."""
    what = "classifier" if found.target == "classifier" else "balance of words"
    clean = found.interval(found.values[found.target][0])
    told = [
        f"{len(found.openings)} openings, continued without steering and under each setting. The {what} of the "
        f"unsteered model is {clean} ({MEASURES[found.target]}; 0 is neither side)."
    ]
    for nth, name in enumerate(found.names):
        moved, random = found.interval(found.changes(found.target)[nth]), found.random_interval(found.target, nth)
        fluent, other = found.interval(found.changes("fluency")[nth]), found.random_interval("fluency", nth)
        touched, first = (found.values[one][nth + 1].mean() for one in ("touched", "first"))
        told.append(
            f"{name}: {said(moved)} (random directions {random.low:+.2f} to {random.high:+.2f}), fluency "
            f"{said(fluent)} nats per token (random {other.estimate:+.2f}); {touched:.0%} of the tokens read were "
            f"changed, and {first:.0%} of the continuations were steered before their first token."
        )
    return " ".join(told)
