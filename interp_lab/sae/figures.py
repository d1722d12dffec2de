"""Figures of a training of autoencoders; those of the evaluation are its own."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float
from plotly.subplots import make_subplots

from interp_lab.plots import styled
from interp_lab.plots.text import literal
from interp_lab.sae.made import Curves, Made

_COLOURS = ("#1f4e79", "#c55a11", "#548235", "#7f7f7f", "#7030a0", "#bf9000", "#00798c", "#a61e4d")
_ADDED = "added"
_PANELS = {
    "loss_mse": "squared error",
    _ADDED: "added in the loss",
    "l0": "active latents (L0)",
    "explained_variance": "R2 in the batch",
}
_DASHES = ("solid", "dash", "dot")


def training_curves(curves: Curves, made: Sequence[Made]) -> go.Figure:
    """Return reconstruction, the rest of the loss, L0 and R2 of the training batches by step, a line per autoencoder.

    The rest (penalties, and the auxiliary loss of dead latents) stands apart: that loss rises from zero when the first
    latents count as dead, which in the sum looks like a training that diverges.
    """
    figure = make_subplots(rows=len(_PANELS), cols=1, shared_xaxes=True, vertical_spacing=0.06)
    for row, (metric, title) in enumerate(_PANELS.items(), start=1):
        for nth, one in enumerate(made):
            colour, dash = _COLOURS[nth % len(_COLOURS)], _DASHES[nth // len(_COLOURS) % len(_DASHES)]
            figure.add_scatter(
                x=curves.steps, y=_values(curves, one.name, metric), mode="lines", name=literal(one.name),
                legendgroup=one.name, showlegend=row == 1 and len(made) > 1,
                line={"color": colour, "dash": dash, "width": 1.5}, row=row, col=1,
                hovertemplate=f"{literal(one.name)}, step %{{x}}: %{{y:.4g}}<extra></extra>",
            )  # fmt: skip
        figure.update_yaxes(title=title, type="log" if metric == "loss_mse" else "linear", row=row, col=1)
    figure.update_xaxes(title="step", row=len(_PANELS), col=1)
    styled(figure, title="training batches", width=720, height=960)
    return figure.update_layout(legend={"orientation": "h", "y": -0.08})


def _values(curves: Curves, name: str, metric: str) -> Float[np.ndarray, " row"]:
    return curves.of(name, "loss") - curves.of(name, "loss_mse") if metric == _ADDED else curves.of(name, metric)
