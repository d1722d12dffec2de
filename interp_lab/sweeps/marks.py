"""What figures of a sweep share: trials for the pointer, those that have no value, axes of parameters."""

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from interp_lab.plots.text import literal
from interp_lab.sweeps.config import Searchable, number_text
from interp_lab.sweeps.found import Found
from interp_lab.sweeps.searched import FAILED, STOPPED

OWN, SOFT, BAD, HALF = "#1f4e79", "#9aa0a6", "#b3261e", "#c55a11"
_LEGEND = 44
"""Pixels of a legend of two lines."""
MARKS = {
    STOPPED: ("triangle-down-open", HALF, "stopped early: its last value"),
    FAILED: ("x-thin", BAD, "failed: no value"),
}
"""Of trials that are not compared: symbol, colour and name in the legend, by state."""


def add_marks(
    figure: go.Figure,
    found: Found,
    rows: np.ndarray,
    x: np.ndarray,
    *,
    symbol: str,
    colour: str,
    label: str,
) -> None:
    """Add trials that are not compared: at the last value that they logged, or beyond the worst."""
    if not len(rows):
        return
    own = found.searched.metric[rows]
    figure.add_scatter(
        x=x, y=np.where(np.isfinite(own), own, edge(found)), mode="markers", name=label,
        marker={"symbol": symbol, "color": colour, "size": 9, "line": {"width": 2, "color": colour}},
        text=[hover(found, nth) for nth in rows.tolist()], hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip


def edge(found: Found) -> float:
    """Return where trials without a value stand: beyond the worst that there is, so that none looks good."""
    values = found.searched.metric[np.isfinite(found.searched.metric)]
    if not len(values):
        return 0.0
    beyond = 0.08 * float(np.ptp(values) or abs(values[0]) or 1.0)
    return float(values.min() - beyond if found.config.sign > 0 else values.max() + beyond)


def hover(found: Found, row: int) -> str:
    """Return what a trial is, for the pointer: its values, its metric, and why it has none."""
    s = found.searched
    values = (f"{found.known[nth].name} = {found.known[nth].text_of(s.values[row, nth])}" for nth in found.varied)
    metric = f"{found.config.metric} {number_text(s.metric[row])}" if np.isfinite(s.metric[row]) else "no value"
    lines = [f"trial {s.numbers[row]}", *values, metric, s.reasons[row][:120]]
    return "<br>".join(literal(line) for line in lines if line)


def axis_of(one: Searchable, values: Float[np.ndarray, " trial"]) -> dict[str, object]:
    """Return how the axis of a parameter is drawn: choices at even distances, numbers on the scale they came from."""
    if one.choices is not None:
        labels = [literal(text if len(text) <= 18 else f"{text[:17]}…") for text in one.labels]
        return {"tickvals": list(range(len(labels))), "ticktext": labels, "range": [-0.6, len(labels) - 0.4]}
    known = values[~np.isnan(values)]
    if not one.is_log or not (known > 0).all():
        return {}
    powers = np.arange(np.ceil(np.log10(known.min())), np.floor(np.log10(known.max())) + 1)
    ticks = 10.0**powers if len(powers) > 1 else np.array([known.min(), known.max()])
    return {"type": "log", "tickvals": ticks.tolist(), "ticktext": [number_text(tick) for tick in ticks.tolist()]}


def below(figure: go.Figure) -> go.Figure:
    """Put the legend on the lower edge, so that narrow pages keep the width for the plot."""
    legend = {"orientation": "h", "x": 0, "yref": "container", "y": 0.01, "yanchor": "bottom"}
    figure.update_layout(legend=legend, height=figure.layout.height + _LEGEND)
    return figure.update_layout(margin={"b": figure.layout.margin.b + _LEGEND})


def better_is_dark(found: Found) -> str:
    """Return the colour scale of the metric."""
    return "Viridis_r" if found.config.sign > 0 else "Viridis"
