"""Layer-by-head maps."""

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from interp_lab.plots.style import DIVERGING, SEQUENTIAL, styled

MOST_LABELLED = 200
"""Cells up to which the number is printed in the cell."""


def head_map(
    mean: Float[np.ndarray, "layer head"],
    low: Float[np.ndarray, "layer head"],
    high: Float[np.ndarray, "layer head"],
    *,
    title: str,
    unit: str,
    signed: bool = False,
    limit: float | None = None,
) -> go.Figure:
    """Return a heatmap of one number per head; the interval is shown when the pointer rests on a cell.

    Args:
        signed: centre the colours on zero (effects), instead of starting them there (probabilities).
        limit: value at the end of the colour scale; `None` takes the largest magnitude there is.
    """
    end = limit or float(np.abs(mean).max()) or 1.0
    n_layers, n_heads = mean.shape
    figure = go.Figure(
        go.Heatmap(
            z=mean,
            x=[str(head) for head in range(n_heads)],
            y=[str(layer) for layer in range(n_layers)],
            customdata=np.stack([low, high], axis=-1),
            hovertemplate="head %{y}.%{x}: %{z:.3f} [%{customdata[0]:.3f}, %{customdata[1]:.3f}] "
            + unit
            + "<extra></extra>",
            texttemplate="%{z:.2f}" if mean.size <= MOST_LABELLED else None,
            colorscale=DIVERGING if signed else SEQUENTIAL,
            zmin=-end if signed else 0.0,
            zmax=end,
            colorbar={"title": {"text": unit}, "thickness": 12},
        )
    )
    figure.update_xaxes(title="head", type="category")
    figure.update_yaxes(title="layer", type="category", autorange="reversed")
    return styled(figure, title=title, width=150 + 46 * max(n_heads, 6), height=150 + 42 * max(n_layers, 2))
