"""Figures of a dictionary's features."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from interp_lab.plots import interval_plot, styled
from interp_lab.sae.features.combination import COMMONEST, DENSE, FEW, PAIR, SHUFFLED, SINGLE, WORDS, Combination
from interp_lab.sae.features.differing import Difference
from interp_lab.sae.features.overview import Overview
from interp_lab.sae.features.reported import accuracy
from interp_lab.types import Interval

MOST_POINTS = 4000
"""In one figure."""
_FOUND, _REST = "#c55a11", "#9fb3c8"


def density_histogram(overview: Overview) -> go.Figure:
    """Return how many features are active how often (logarithmic); those that never are stand apart, in the title."""
    density = overview.numbers["density"][~overview.dead]
    edges = np.arange(np.floor(np.log10(density.min(initial=1.0)) * 4), 1) / 4
    counts, _ = np.histogram(np.log10(density), np.append(edges, 0.25))
    figure = go.Figure(
        go.Bar(
            x=edges + 0.125,
            y=counts,
            marker={"color": "#1f4e79"},
            hovertemplate="10^%{x:.2f} of tokens: %{y} features<extra></extra>",
        )
    )
    ticks = list(range(int(np.floor(edges[0])), 1)) if len(edges) else [0]
    figure.update_xaxes(
        title="share of tokens at which a feature is active", tickvals=ticks, ticktext=[f"{10.0**t:g}" for t in ticks]
    )
    figure.update_yaxes(title="features")
    title = f"how often features are active ({int(overview.dead.sum())} of {len(overview.dead)} never)"
    return styled(figure, title=title, width=720, height=340)


def specific_features(overview: Overview) -> go.Figure:
    """Return for every feature (of very many: every so many-th) how often it is active, and its share at one token."""
    alive = np.flatnonzero(~overview.dead)
    alive = latent = alive[:: 1 + len(alive) // MOST_POINTS]
    numbers, words = overview.numbers, overview.words
    figure = go.Figure(
        go.Scatter(
            x=numbers["density"][alive],
            y=numbers["top_token_share"][alive],
            mode="markers",
            marker={"color": "#1f4e79", "size": 5, "opacity": 0.6},
            text=[f"{nth}: {words['top_token'][nth]}" for nth in latent],
            hovertemplate="%{text}<br>active at %{x:.2%}, %{y:.0%} of it at this token<extra></extra>",
        )
    )
    figure.update_xaxes(
        title="share of tokens at which a feature is active", type="log", exponentformat="power", dtick=1
    )
    figure.update_yaxes(title="share of its activation at one token", range=[0, 1.02])
    return styled(figure, title="features of one token, and features of many", width=720, height=380)


def volcano(one: Difference, *, fdr: float) -> go.Figure:
    """Return, on the choosing half, effect and adjusted p of every feature; those that were found again in colour."""
    active = one.chosen.p_adjusted < 1
    again = {
        latent for latent, word in zip(one.chosen.latents.tolist(), one.holds(fdr=fdr), strict=True) if word != "no"
    }
    edge = _edge(one.chosen.effect)
    figure = go.Figure()
    for label, colour, at in (
        ("other features", _REST, [n for n in np.flatnonzero(active).tolist() if n not in again]),
        ("chosen here, clear on the other half too", _FOUND, sorted(again)),
    ):
        figure.add_scatter(
            x=one.chosen.effect[at].clip(-edge, edge), y=-np.log10(np.maximum(one.chosen.p_adjusted[at], 1e-12)),
            mode="markers", name=label, marker={"color": colour, "size": 7}, text=[str(n) for n in at],
            hovertemplate="feature %{text}: d = %{x:.2f}<extra></extra>",
        )  # fmt: skip
    figure.add_hline(y=-np.log10(fdr), line={"color": "#888", "width": 1, "dash": "dot"})
    figure.update_xaxes(title=f"d on the choosing half (right: more in {one.names[0]})")
    figure.update_yaxes(title="-log10 of adjusted p")
    figure.update_layout(legend={"orientation": "h", "y": -0.25})
    return styled(figure, title=f"{one.name}, {one.reading}", width=720, height=400)


def effects(one: Difference) -> go.Figure | None:
    """Return the chosen features on the reporting half and on held-out templates; `None` if none was chosen."""
    found, away = one.reported, one.replicated
    if found is None:
        return None
    names = [str(latent) for latent in one.chosen.latents]
    parts = {"report half": found.effect} | ({} if away is None else {"held-out templates": away.effect})
    edge = _edge(*(part.estimate for part in parts.values()))
    series = {label: [_within(part.at(nth), edge) for nth in range(len(names))] for label, part in parts.items()}
    title = f"{one.name}, {one.reading}: {one.names[0]} less {one.names[1]}"
    if any(np.isinf(part.estimate).any() for part in parts.values()):
        title += " (at the edge: separates completely)"
    return interval_plot(series, names, title=title, unit="standard deviations of documents")


def _edge(*effects: np.ndarray) -> float:
    """Return where infinite effects are drawn: beyond all others."""
    values = np.abs(np.concatenate(effects))
    return 1.25 * float(values[np.isfinite(values)].max(initial=0.8))


def _within(interval: Interval, edge: float) -> Interval:
    """Return an interval as it can be drawn: an infinite effect at the edge; limits of finite ones are left alone."""
    if np.isfinite([interval.estimate, interval.low, interval.high]).all():
        return interval
    ends = (float(np.clip(value, -edge, edge)) for value in (interval.estimate, interval.low, interval.high))
    return Interval(*ends, interval.level, interval.n_clusters)


def accuracies(one: Combination, *, level: float) -> go.Figure:
    """Return how often every classifier is right, on both parts."""
    names = [SINGLE, PAIR, FEW, WORDS, DENSE, COMMONEST, SHUFFLED]
    series = {
        label: [accuracy(told, name, one.names, level=level) for name in names]
        for label, told in (("report half", one.report), ("held-out templates", one.held_out))
        if told is not None
    }
    shown = [f"{FEW} ({one.n_features})" if name == FEW else name for name in names]
    return interval_plot(series, shown, title=f"right about {one.values[1]} ({one.reading})", unit="share of documents")


def all_figures(
    overview: Overview, differences: Sequence[Difference], combined: Sequence[Combination], *, fdr: float, level: float
) -> dict[str, go.Figure]:
    """Return every figure by name."""
    found = {"density": density_histogram(overview), "specific": specific_features(overview)}
    for nth, one in enumerate(differences):
        found[f"volcano_{nth}"] = volcano(one, fdr=fdr)
        drawn = effects(one)
        found |= {} if drawn is None else {f"effects_{nth}": drawn}
    return found | {f"accuracy_{one.reading}": accuracies(one, level=level) for one in combined}
