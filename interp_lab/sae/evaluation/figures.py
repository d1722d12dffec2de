"""Figures of autoencoders beside their baselines."""

import numpy as np
import plotly.graph_objects as go

from interp_lab.plots import error_bars, interval_plot, styled
from interp_lab.plots.text import literal
from interp_lab.sae.evaluation.compared import Compared

_COLOURS = {"autoencoder": "#1f4e79", "principal components": "#c55a11", "random directions, searched": "#7f7f7f",
            "activations as directions, searched": "#548235", "own directions, searched": "#8fb3d9"}  # fmt: skip
_KINDS = dict(zip(("pca", "random", "data", "own"), list(_COLOURS)[1:], strict=True))
_TITLES = {
    "r2": ("variance explained on held-out text (R2)", "share of the variance"),
    "ce_recovered_mean": ("loss recovered, of what mean ablation costs", "share of the loss"),
}


def frontier(found: Compared, metric: str) -> go.Figure:
    """Return a metric by L0, with intervals, of autoencoders and baselines; the mean is the line at 0."""
    figure = go.Figure()
    for kind, colour in _COLOURS.items():
        names = [name for name in found.names if kind_of(found, name) == kind]
        names.sort(key=lambda name: found.interval(name, "l0").estimate)
        own = [found.interval(name, metric) for name in names]
        if names:
            figure.add_scatter(
                name=kind, mode="lines+markers" if len(names) > 1 else "markers", line={"color": colour, "width": 1},
                x=[found.interval(name, "l0").estimate for name in names], y=[one.estimate for one in own],
                marker={"color": colour, "size": 9}, error_y=error_bars(own),
                hovertext=[f"{literal(name)}: {one}" for name, one in zip(names, own, strict=True)], hoverinfo="text",
            )  # fmt: skip
    for level in (0.0, 1.0):
        figure.add_hline(y=level, line={"color": "#888", "width": 1, "dash": "dot"})
    figure.update_xaxes(title="latents active per token (L0)", rangemode="tozero")
    title, unit = _TITLES[metric]
    figure.update_yaxes(title=unit)
    figure.update_layout(showlegend=True, legend={"orientation": "h", "y": -0.25})
    return styled(figure, title=title, width=640, height=420)


def losses(found: Compared) -> go.Figure:
    """Return the loss with each codec in place, that of the untouched model, and of knowing frequencies (lines)."""
    clean, unigram = found.clean_loss(), found.unigram_loss()
    names = [*found.asked, *(name for name in found.names if name not in found.asked)]
    figure = interval_plot(
        {"with it in place": [found.interval(name, "ce") for name in names]},
        [literal(name) for name in names],
        title=f"loss (dashed: untouched, {clean.estimate:.3f}; dotted: unigram, {unigram.estimate:.3f})",
        unit="nats per token",
    )
    figure.layout.shapes = ()  # a line at no loss at all means nothing
    figure.add_vline(x=unigram.estimate, line={"color": "#888", "width": 1, "dash": "dot"})
    return figure.add_vline(x=clean.estimate, line={"color": _COLOURS["autoencoder"], "width": 1, "dash": "dash"})


def kind_of(found: Compared, name: str) -> str | None:
    """Return what a codec is, for its colour; `None` for the ablations."""
    return "autoencoder" if name in found.asked else _KINDS.get(name.split("_")[0])


def densities(found: Compared) -> go.Figure:
    """Return how many latents are active how often (log10 of the share of tokens); those never active apart."""
    figure = go.Figure()
    edges = np.arange(np.floor(np.log10(1 / found.n_tokens)), 0.26, 0.25)
    for name in found.asked:
        density = found.density(name)
        counts, _ = np.histogram(np.log10(density[density > 0]), bins=edges)
        label = f"{literal(name)} ({found.n_dead(name)} of {len(density)} never)"
        figure.add_bar(x=(edges[:-1] + edges[1:]) / 2, y=counts, name=label, opacity=0.7)
    figure.update_xaxes(title="share of tokens on which a latent is active (log10)")
    figure.update_yaxes(title="latents")
    figure.update_layout(barmode="overlay", showlegend=True, legend={"orientation": "h", "y": -0.25})
    return styled(figure, title=f"how often latents are active, in {found.n_tokens} tokens", width=640, height=420)
