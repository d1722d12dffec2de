"""The look shared by all figures; passed to each figure, never set globally."""

import plotly.graph_objects as go

SEQUENTIAL = "Viridis"
"""For quantities that start at zero (probabilities, densities)."""
DIVERGING = "RdBu_r"
"""For signed quantities, centred on zero (effects)."""

_GRID = "#ebf0f8"
_AXIS = {
    "gridcolor": _GRID, "linecolor": _GRID, "zerolinecolor": _GRID, "zerolinewidth": 2, "ticks": "",
    "automargin": True, "title": {"standoff": 15},
}  # fmt: skip
_LOOK = go.layout.Template(
    layout={
        "plot_bgcolor": "white",
        "hovermode": "closest",
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "font": {"color": "#2a3f5f"},
    }
)
"""The look of `plotly_white`, without its defaults for every kind of trace: 6 KB in each figure of a page."""


def legend_above(figure: go.Figure) -> go.Figure:
    """Lay the legend out above the plot, where it takes no width from it and no names stand, and return the figure."""
    height = int(figure.layout.height) + 40
    legend = {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom"}
    return figure.update_layout(legend=legend, height=height, margin={"t": 90})


def styled(figure: go.Figure, *, title: str, width: int, height: int) -> go.Figure:
    """Give a figure its title, its size and the house look, and return it."""
    return figure.update_layout(
        template=_LOOK,
        title={"text": title, "x": 0, "xanchor": "left", "font": {"size": 15}},
        width=width,
        height=height,
        margin={"l": 60, "r": 20, "t": 50, "b": 50},
        paper_bgcolor="white",
        font={"family": "system-ui, sans-serif", "size": 13},
    )
