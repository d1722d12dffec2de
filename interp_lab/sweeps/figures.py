"""Figures of what was searched: trials in order, and against the values that they were given."""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from interp_lab.plots import styled
from interp_lab.plots.text import literal
from interp_lab.sweeps.config import number_text
from interp_lab.sweeps.found import Found
from interp_lab.sweeps.marks import HALF, MARKS, OWN, add_marks, axis_of, below, better_is_dark, hover
from interp_lab.sweeps.searched import STOPPED

MOST_PANELS = 12
"""Parameters that are drawn against the metric."""
MOST_CELLS = 900
"""Of a map of two parameters."""


def history(found: Found) -> go.Figure:
    """Return every trial in the order of proposals, and the best so far; what has no value stands beyond the worst."""
    s, metric = found.searched, found.config.metric
    figure, rows = go.Figure(), np.flatnonzero(s.comparable)
    figure.add_scatter(
        x=s.numbers[rows], y=s.metric[rows], mode="markers", name="trial", marker={"color": OWN, "size": 8},
        text=[hover(found, nth) for nth in rows.tolist()], hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip
    if len(rows):
        best = found.config.sign * np.maximum.accumulate(found.config.sign * s.metric[rows])
        last = max(s.numbers[-1], s.numbers[rows[-1]])
        figure.add_scatter(
            x=[*s.numbers[rows], last], y=[*best, best[-1]], mode="lines", name="best so far",
            line={"color": HALF, "shape": "hv", "width": 2}, hoverinfo="skip",
        )  # fmt: skip
    for state, (symbol, colour, label) in MARKS.items():
        at = s.ended(state)
        add_marks(figure, found, at, s.numbers[at], symbol=symbol, colour=colour, label=label)
    figure.update_xaxes(title="trial, in the order of proposals")
    figure.update_yaxes(title=literal(metric))
    if not np.isfinite(s.metric).any():
        figure.update_yaxes(showticklabels=False, range=[-1, 1])
    return below(styled(figure, title="trials and the best so far", width=720, height=380))


def against_parameters(found: Found) -> go.Figure | None:
    """Return the metric against each parameter that varied; `None` if no trial has a value."""
    s, shown = found.searched, found.varied[:MOST_PANELS]
    if not shown or not s.n_comparable:
        return None
    n_columns = min(3, len(shown))
    n_rows = -(-len(shown) // n_columns)
    figure = make_subplots(
        n_rows, n_columns, shared_yaxes=True, horizontal_spacing=0.05, vertical_spacing=0.28 / n_rows
    )
    rows = np.flatnonzero(s.comparable)
    for place, nth in enumerate(shown):
        row, column = place // n_columns + 1, place % n_columns + 1
        panel = go.Figure()
        panel.add_scatter(
            x=s.values[rows, nth], y=s.metric[rows], mode="markers", name="trial",
            marker={"color": OWN, "size": 7, "opacity": 0.75},
            text=[hover(found, one) for one in rows.tolist()], hovertemplate="%{text}<extra></extra>",
        )  # fmt: skip
        for state, (symbol, colour, label) in MARKS.items():
            at = s.ended(state)
            add_marks(panel, found, at, s.values[at, nth], symbol=symbol, colour=colour, label=label)
        for trace in panel.data:
            figure.add_trace(trace.update(showlegend=place == 0), row=row, col=column)
        figure.update_xaxes(
            row=row, col=column, title=literal(found.known[nth].name), **axis_of(found.known[nth], s.values[:, nth])
        )
        if column == 1:
            figure.update_yaxes(row=row, col=column, title=literal(found.config.metric))
    width = 120 + 240 * n_columns if n_columns > 1 else 480
    title = f"{found.config.metric} against each parameter"
    return below(styled(figure, title=literal(title), width=width, height=130 + 230 * n_rows))


def grid(found: Found) -> go.Figure | None:
    """Return the metric as a map, where exactly two parameters varied on a grid that is at least half tried."""
    s = found.searched
    if len(found.varied) != 2 or not s.n_comparable:
        return None
    axes = [np.unique(s.values[:, nth][~np.isnan(s.values[:, nth])]) for nth in found.varied]
    n_cells = len(axes[0]) * len(axes[1])
    tried = {tuple(pair) for pair in s.values[:, found.varied]}
    if n_cells > MOST_CELLS or 2 * len(tried) < n_cells:
        return None
    columns, rows = (
        [found.known[nth].text_of(code) for code in axis] for nth, axis in zip(found.varied, axes, strict=True)
    )
    mean, told = (
        np.full((len(rows), len(columns)), np.nan),
        np.full((len(rows), len(columns)), "not tried", dtype=object),
    )
    for y, row in enumerate(axes[1]):
        for x, column in enumerate(axes[0]):
            here = np.flatnonzero((s.values[:, found.varied] == [column, row]).all(1))
            own = s.metric[here][s.comparable[here]]
            if len(own):
                mean[y, x] = own.mean()
                told[y, x] = number_text(mean[y, x]) + (f"<br>mean of {len(own)}" if len(own) > 1 else "")
            elif len(here):
                told[y, x] = "stopped" if (s.states[here] == STOPPED).any() else "failed"
    return _map(found, mean, told, columns=columns, rows=rows)


def _map(found: Found, mean: np.ndarray, told: np.ndarray, *, columns: list[str], rows: list[str]) -> go.Figure:
    across, down = (found.known[nth].name for nth in found.varied)
    figure = go.Figure(
        go.Heatmap(
            z=mean, x=list(range(len(columns))), y=list(range(len(rows))), colorscale=better_is_dark(found), text=told,
            texttemplate="%{text}" if mean.size <= 80 else None, hoverongaps=True,
            hovertemplate="%{text}<extra></extra>",
            colorbar={"title": {"text": literal(found.config.metric), "side": "right"}, "thickness": 12},
        )
    )  # fmt: skip
    figure.update_xaxes(title=literal(across), tickvals=list(range(len(columns))), ticktext=list(map(literal, columns)))
    figure.update_yaxes(title=literal(down), tickvals=list(range(len(rows))), ticktext=list(map(literal, rows)))
    width = min(220 + 66 * max(len(columns), 4), 1100)
    title = literal(f"{found.config.metric} over {across} and {down}")
    return styled(figure, title=title, width=width, height=160 + 40 * max(len(rows), 3))
