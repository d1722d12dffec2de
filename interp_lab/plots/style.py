"""The look shared by all figures; passed to each figure, never set globally."""

import plotly.graph_objects as go

SEQUENTIAL = "Viridis"
"""For quantities that start at zero (probabilities, densities)."""
DIVERGING = "RdBu_r"
"""For signed quantities, centred on zero (effects)."""


def styled(figure: go.Figure, *, title: str, width: int, height: int) -> go.Figure:
    """Give a figure its title, its size and the house look, and return it."""
    return figure.update_layout(
        template="plotly_white",
        title={"text": title, "x": 0, "xanchor": "left", "font": {"size": 15}},
        width=width,
        height=height,
        margin={"l": 60, "r": 20, "t": 50, "b": 50},
        paper_bgcolor="white",
        font={"family": "system-ui, sans-serif", "size": 13},
    )
