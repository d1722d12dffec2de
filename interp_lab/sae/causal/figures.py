"""Figures of features: each beside its controls, what goes through features, how the ways to choose agree."""

import numpy as np
import plotly.graph_objects as go

from interp_lab.plots import error_bars, interval_plot, styled
from interp_lab.sae.causal.claimed import FeatureClaims
from interp_lab.sae.causal.config import SELECTIONS
from interp_lab.sae.causal.splits import SHARES, WAYS

_WAYS = {"denoise": "#1f4e79", "noise": "#c55a11"}
_METHODS = ("#1f4e79", "#c55a11", "#548235", "#7030a0")


def effects_plot(found: FeatureClaims) -> go.Figure:
    """Return what is lost without each chosen feature, beside its controls (means, and bands over draws)."""
    held, nths = found.report, range(len(found.names))
    series = {
        "feature": [found.effects[0].at(nth) for nth in nths],
        "random directions": [found.band(found.lost(held.random[nth])) for nth in nths],
        "other latents' directions": [found.band(found.lost(held.borrowed[nth])) for nth in nths],
        "other latents": [found.band(found.lost(held.beside[nth])) for nth in nths],
    }
    names = [f"{name} ({_short(found.fires_on[nth])})" for nth, name in enumerate(found.names)]
    title = f"{found.config.operations[0].phrase} each feature, beside its controls: {found.moves}"
    return interval_plot(series, names, title=title, unit=found.unit)


def _short(tokens: str) -> str:
    return tokens if len(tokens) <= 28 else f"{tokens[:27]}…"


def shares_plot(found: FeatureClaims) -> go.Figure:
    """Return what the whole activation, all features, the error term and the chosen features carry."""
    names = [*map(str, SHARES), "interaction"]
    series = {str(way): [found.shares.at(at, nth) for nth in range(len(names))] for at, way in enumerate(WAYS)}
    return interval_plot(series, names, title="what goes through features", unit="share of what the corruption costs")


def growing_curve(found: FeatureClaims) -> go.Figure:
    """Return the share of the total effect that sets of the first latents carry, the largest score first."""
    figure, shares = go.Figure(), found.share(found.report.growing)
    for at, way in enumerate(map(str, WAYS)):
        points = [shares.at(at, nth) for nth in range(len(found.steps))]
        figure.add_scatter(
            x=list(found.steps), y=[one.estimate for one in points], mode="lines+markers", name=way,
            line={"color": _WAYS[way]}, error_y=error_bars(points),
        )  # fmt: skip
        whole = found.shares.at(at, 1).estimate
        figure.add_hline(y=whole, line={"color": _WAYS[way], "width": 1, "dash": "dot"})
    figure.update_xaxes(title="latents patched together (log scale)", type="log", tickvals=list(found.steps))
    figure.update_yaxes(title="share of what the corruption costs")
    return styled(figure, title="sets of latents; dotted: all features", width=720, height=400)


def selection_curve(found: FeatureClaims) -> go.Figure:
    """Return how many of the largest exact effects each way to choose finds, by how many latents it keeps."""
    every = len(found.selected.considered)
    kept = sorted({int(n) for n in np.geomspace(1, every, 40).round()})
    figure = go.Figure()
    for nth, by in enumerate(one for one in SELECTIONS if one in found.selected.scores):
        figure.add_scatter(
            x=kept, y=[found.recall(by, n) for n in kept], mode="lines", name=by, line={"color": _METHODS[nth]}
        )
    chance = [n / every for n in kept]
    figure.add_scatter(x=kept, y=chance, mode="lines", name="chance", line={"color": "#999", "dash": "dot"})
    figure.update_xaxes(title="latents kept (log scale)", type="log")
    figure.update_yaxes(title=f"share of the {len(found.names)} largest found", range=[-0.03, 1.03])
    title = "which latents matter on other prompts: exact effects, found by each way to choose"
    return styled(figure, title=title, width=720, height=380)
