"""Figures of confidence."""

import numpy as np
import plotly.graph_objects as go

from interp_lab.plots import interval_plot
from interp_lab.plots.style import legend_above, styled
from interp_lab.production.confidence.claimed import ConfidenceClaims
from interp_lab.production.confidence.names import PROBABILITY
from interp_lab.stats.calibration import reliability
from interp_lab.stats.risk_coverage import risk_coverage

_COLOURS = ("#1f4e79", "#c55a11", "#548235", "#7f7f7f")
_POINTS = 120
"""Of a risk-coverage curve, at most."""


def reliability_figure(found: ConfidenceClaims) -> go.Figure:
    """Return shares right beside the probability given: the model's own, and the primary one, of every part."""
    figure = go.Figure()
    dotted = {"color": "#888", "dash": "dot"}
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line=dotted, showlegend=False, hoverinfo="skip")
    for nth, (label, confidence, right) in enumerate(_series(found)):
        bins = reliability(confidence, right, n_bins=found.config.n_bins)
        figure.add_scatter(
            x=bins["confidence"], y=bins["right"], mode="markers+lines", name=label, text=bins["n"],
            marker={"color": _COLOURS[nth % len(_COLOURS)], "size": 8}, line={"color": _COLOURS[nth % len(_COLOURS)]},
            hovertemplate="given %{x:.2f}, right %{y:.2f}, %{text} answers",
        )  # fmt: skip
    figure.update_xaxes(title="probability given (mean of a bin)", range=[-0.03, 1.03])
    figure.update_yaxes(title="share of answers right", range=[-0.03, 1.03])
    return legend_above(styled(figure, title="are probabilities what they say?", width=620, height=460))


def risk_figure(found: ConfidenceClaims) -> go.Figure:
    """Return the share wrong among the answers given, where the least certain are held back."""
    figure = go.Figure()
    for nth, (label, confidence, right) in enumerate(_series(found)):
        curve = risk_coverage(confidence, right)
        at = np.unique(np.linspace(0, len(curve) - 1, min(_POINTS, len(curve))).astype(int))
        colour = _COLOURS[nth % len(_COLOURS)]
        figure.add_scatter(
            x=curve["coverage"].iloc[at], y=curve["risk"].iloc[at], mode="lines", name=label, line={"color": colour}
        )
    figure.update_xaxes(title="share of answers given, the surest first", range=[0, 1.03])
    figure.update_yaxes(title="share of these that is wrong", rangemode="tozero")
    return legend_above(styled(figure, title="what is gained by holding back", width=620, height=420))


def brier_figure(found: ConfidenceClaims) -> go.Figure:
    """Return the Brier score of every probability, by part."""
    series = {part: list(found.measured("brier", held)) for part, held in found.parts.items()}
    title = "squared distance of probability and outcome (less is better)"
    return interval_plot(series, list(found.confidences), title=title, unit="Brier score")


def calibration_figure(found: ConfidenceClaims) -> go.Figure:
    """Return the calibration error of every probability without what chance adds, by part."""
    series = {
        part: [found.calibration(name, held)[1] for name in found.confidences] for part, held in found.parts.items()
    }
    title = "how far probabilities are off, without what chance adds"
    return interval_plot(series, list(found.confidences), title=title, unit="calibration error")


def _series(found: ConfidenceClaims) -> list[tuple[str, np.ndarray, np.ndarray]]:
    names = dict.fromkeys((PROBABILITY, found.config.primary))
    return [
        (f"{name}, {part}", found.given(name, held.signals)[0], held.right.astype(np.float64))
        for part, held in found.parts.items()
        for name in names
    ]
