"""What searches found, drawn."""

import numpy as np
import plotly.graph_objects as go

from interp_lab.plots.intervals import interval_plot
from interp_lab.plots.style import legend_above, styled
from interp_lab.production.red_team.claimed import PER, UNIT, RedTeamClaims
from interp_lab.production.red_team.measured import Followed
from interp_lab.types import Interval


def rates(found: RedTeamClaims) -> go.Figure | None:
    """Return hits per 1,000 model calls of each search, and those that are the planted edits if any are known."""
    if not found.searches:
        return None
    series = {"hits": [found.rate(name) for name in found.searches]}
    if found.config.planted is not None:
        series["planted edits"] = [found.rate(name, found.is_planted) for name in found.searches]
    title = f"what {PER:,} model calls find, {found.config.behaviour} in {found.config.model}"
    return interval_plot(series, found.searches, title=title, unit=f"hits per {PER:,} model calls")


def until_planted(found: RedTeamClaims) -> go.Figure | None:
    """Return after how many model calls each run came to the planted edits; at the right edge, those that did not."""
    if found.config.planted is None or not found.searches:
        return None
    figure, beyond = go.Figure(), 1.5 * found.config.budget
    shown = {"found": ("circle", "#1f4e79"), "not found": ("x", "#c55a11")}
    for label, (symbol, colour) in shown.items():
        places: list[tuple[float, int]] = []
        for row, name in enumerate(found.searches):
            calls = found.first_planted(name)
            own = calls[np.isfinite(calls)] if label == "found" else np.full(int(np.isnan(calls).sum()), beyond)
            places += [(float(one), row) for one in own]
        figure.add_scatter(
            name=label,
            mode="markers",
            x=[x for x, _ in places],
            y=[row + 0.06 * (nth % 7 - 3) for nth, (_, row) in enumerate(places)],
            marker={"symbol": symbol, "color": colour, "size": 8, "opacity": 0.7},
        )
    figure.add_vline(x=found.config.budget, line={"color": "#888", "width": 1, "dash": "dot"})
    figure.update_xaxes(title="model calls (dotted: budget)", type="log")
    names = found.searches
    figure.update_yaxes(tickvals=list(range(len(names))), ticktext=list(names), autorange="reversed")
    title = f"model calls until {' and '.join(found.config.planted)}"
    return legend_above(styled(figure, title=title, width=720, height=140 + 34 * max(len(names), 2)))


def followed(found: RedTeamClaims) -> go.Figure | None:
    """Return the share of other texts whose answer each edit turns, beside random edits."""
    if not found.report.names:
        return None
    splits: dict[str, Followed] = {"": found.report}
    if found.held_out is not None:
        splits["held-out templates"] = found.held_out
    own: list[Interval] = []
    control: list[Interval] = []
    names = []
    for split, held in splits.items():
        for nth, name in enumerate(held.names):
            both = found.shares(held, nth)
            own.append(both[0])
            control.append(both[1])
            names.append(name + (f"<br>({split})" if split else ""))
    title = f"does the answer follow? {found.config.behaviour} in {found.config.model}"
    return interval_plot({"the edit": own, "random edits": control}, names, title=title, unit=f"{UNIT} turned around")
