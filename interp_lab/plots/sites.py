"""Maps of sites: layers by places, by heads, or by whatever else has rows and columns."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Bool, Float

from interp_lab.plots.style import DIVERGING, styled

MOST_LABELLED = 200
"""Cells up to which the number is printed in the cell."""
MOST_NAMED = 60
"""Columns up to which each has its name below it."""


def site_heatmap(
    mean: Float[np.ndarray, "row column"],
    low: Float[np.ndarray, "row column"],
    high: Float[np.ndarray, "row column"],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    row_title: str,
    column_title: str,
    title: str,
    unit: str,
    marked: Bool[np.ndarray, "row column"] | None = None,
    limit: float | None = None,
) -> go.Figure:
    """Return a heatmap of signed effects; intervals are shown when the pointer rests on a cell.

    Columns stand by number under their names, so that a word that comes twice is two columns.

    Args:
        marked: cells that get a frame: those that were chosen.
        limit: value at both ends of the colour scale; `None` takes the largest magnitude there is.
    """
    end = limit or float(np.abs(mean).max()) or 1.0
    names = np.broadcast_to(np.array(columns, dtype=object), mean.shape)
    figure = go.Figure(
        go.Heatmap(
            z=mean,
            x=list(range(len(columns))),
            y=list(range(len(rows))),
            customdata=np.stack([low, high, names], axis=-1),
            text=np.broadcast_to(np.array(rows, dtype=object)[:, None], mean.shape),
            hovertemplate=f"{row_title} %{{text}}, %{{customdata[2]}}: %{{z:.3f}} "
            f"[%{{customdata[0]:.3f}}, %{{customdata[1]:.3f}}] {unit}<extra></extra>",
            texttemplate="%{z:.2f}" if mean.size <= MOST_LABELLED else None,
            colorscale=DIVERGING,
            zmin=-end,
            zmax=end,
            colorbar={"title": {"text": unit, "side": "right"}, "thickness": 12},
        )
    )
    for row, column in [] if marked is None else np.argwhere(marked):
        figure.add_shape(
            type="rect",
            x0=column - 0.5,
            x1=column + 0.5,
            y0=row - 0.5,
            y1=row + 0.5,
            line={"width": 2, "color": "black"},
        )
    named = len(columns) <= MOST_NAMED
    ticks = {"tickvals": list(range(len(columns))), "ticktext": list(columns)} if named else {}
    figure.update_xaxes(title=column_title, **ticks)
    figure.update_yaxes(title=row_title, tickvals=list(range(len(rows))), ticktext=list(rows), autorange="reversed")
    longest = max(map(len, columns), default=1) if named else 1
    width = 190 + (46 if named else 2) * max(len(columns), 6)
    return styled(figure, title=title, width=min(width, 1400), height=160 + 34 * max(len(rows), 2) + 5 * longest)
