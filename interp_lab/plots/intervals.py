"""Estimates with their intervals, beside their controls."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from interp_lab.plots.style import styled
from interp_lab.types import Interval

_SPREAD = 0.2
"""Rows between the marks of two series, so that none hides another."""
_COLOURS = ("#1f4e79", "#c55a11", "#548235", "#7f7f7f")


def error_bars(intervals: Sequence[Interval]) -> dict[str, object]:
    """Return intervals as plotly draws them, at the estimates: for `error_x` or `error_y`."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [interval.high - interval.estimate for interval in intervals],
        "arrayminus": [interval.estimate - interval.low for interval in intervals],
    }


def interval_plot(
    series: Mapping[str, Sequence[Interval]], names: Sequence[str], *, title: str, unit: str
) -> go.Figure:
    """Return one row per name, one mark with its interval per series (the effect first, then its control).

    Args:
        series: by legend name; each as long as `names`.

    Raises: ValueError, if a series and the names differ in length.
    """
    figure = go.Figure()
    for nth, (label, intervals) in enumerate(series.items()):
        if len(intervals) != len(names):
            raise ValueError(f"series {label!r} has {len(intervals)} intervals for {len(names)} names")
        figure.add_scatter(
            name=label,
            mode="markers",
            x=[interval.estimate for interval in intervals],
            y=[row + _SPREAD * (nth - (len(series) - 1) / 2) for row in range(len(names))],
            marker={"color": _COLOURS[nth % len(_COLOURS)], "size": 9},
            error_x=error_bars(intervals),
            hovertext=[str(interval) for interval in intervals],
        )
    figure.add_vline(x=0, line={"color": "#888", "width": 1, "dash": "dot"})
    figure.update_xaxes(title=unit)
    figure.update_yaxes(tickvals=list(range(len(names))), ticktext=list(names), autorange="reversed")
    return styled(figure, title=title, width=720, height=140 + 34 * max(len(names), 2))
