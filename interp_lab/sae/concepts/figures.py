"""Figures of which features go with concepts."""

import numpy as np
import plotly.graph_objects as go

from interp_lab.claims import Split
from interp_lab.plots import interval_plot, styled
from interp_lab.sae.concepts import texts
from interp_lab.sae.concepts.claimed import ConceptsClaims
from interp_lab.sae.concepts.judged import Judged
from interp_lab.sae.concepts.measured import FULL
from interp_lab.sae.concepts.sides import Kind
from interp_lab.types import Interval

MOST_ROWS = 24
"""Concepts in one figure; of more, those whose feature is farthest from the best neuron."""
_COLOURS = {Kind.FEATURE: "#1f4e79", Kind.NEURON: "#c55a11", Kind.COORDINATE: "#548235", Kind.COMPONENT: "#8064a2",
            Kind.RANDOM: "#7f7f7f", "shuffled labels": "#bf9000"}  # fmt: skip
UNIT = "area under the ROC curve"


def all_figures(found: ConceptsClaims) -> dict[str, go.Figure]:
    """Return the best units side by side, features less neurons, what choosing flatters, and sparse probes."""
    return {
        "best": best_units(found), "beyond": beyond_rival(found), "choosing": choosing(found), "probes": probes(found),
    }  # fmt: skip


def shown(found: ConceptsClaims) -> list[Judged]:
    """Return the concepts that have room, largest difference first."""
    beyond = np.array([one.beyond_rival.estimate for one in found.judged])
    kept = np.argsort(-np.abs(beyond), kind="stable")[:MOST_ROWS]
    return [found.judged[nth] for nth in sorted(kept.tolist(), key=lambda nth: -beyond[nth])]


def best_units(found: ConceptsClaims) -> go.Figure:
    """Return the best feature, neuron and random feature, and a probe of all coordinates."""
    rows = shown(found)
    rival = rows[0].rival
    series = {
        "best feature": [one.score(Kind.FEATURE) for one in rows],
        f"best {rival}": [one.score(rival) for one in rows],
        "best random features (mean, range)": [_mean_random(one) for one in rows],
        "probe of all coordinates": [one.probe(Kind.COORDINATE, FULL) for one in rows],
    }
    figure = interval_plot(series, _names(rows), title="one unit per concept, report split", unit=UNIT)
    figure.add_vline(x=0.5, line={"color": "#888", "width": 1, "dash": "dot"})
    return _with_legend_below(figure).update_xaxes(range=[0.35, 1.03])


def beyond_rival(found: ConceptsClaims) -> go.Figure:
    """Return the best feature less the best neuron and the best component, and the first on held-out templates."""
    rows = shown(found)
    rival = rows[0].rival
    series = {f"less {rival}": [one.beyond_rival for one in rows]}
    series[f"less {Kind.COMPONENT}"] = [one.beyond(Kind.COMPONENT) for one in rows]
    if all(Split.HELD_OUT in one.splits for one in rows):
        series[f"less {rival}, held-out templates"] = [one.beyond(rival, Split.HELD_OUT) for one in rows]
    title = f"best feature less best {rival} or component"
    figure = interval_plot(series, _names(rows), title=title, unit="difference of areas under the ROC curve")
    return _with_legend_below(figure).update_xaxes(range=[-0.6, 0.6])


def choosing(found: ConceptsClaims) -> go.Figure:
    """Return, for every unit that was chosen, the score it was chosen by and the one it has on other texts."""
    figure = go.Figure()
    names = [one.measured.short for one in found.judged]
    for side in found.judged[0].measured.sides:
        rows = [(one.measured, one.measured.sides.index(side)) for one in found.judged]
        x = [float(measured.chosen[nth]) for measured, nth in rows]
        y = [float(measured.scores[Split.REPORT].best[nth].mean()) for measured, nth in rows]
        _dots(figure, side, x, y, names)
    x = [float(one.measured.chosen_shuffled.mean()) for one in found.judged]
    y = [float(one.measured.scores[Split.REPORT].shuffled.mean()) for one in found.judged]
    _dots(figure, "shuffled labels", x, y, names)
    figure.add_scatter(
        x=[0.4, 1], y=[0.4, 1], mode="lines", showlegend=False, line={"color": "#888", "dash": "dot"}, hoverinfo="skip"
    )
    figure.update_xaxes(title=f"{UNIT}, select split (chosen by it)", range=[0.45, 1.02])
    figure.update_yaxes(title="report split", range=[0.3, 1.02])
    styled(figure, title="what choosing the best of many flatters", width=620, height=500)
    return _with_legend_below(figure)


def probes(found: ConceptsClaims) -> go.Figure:
    """Return the mean over concepts of probes that read few units, by how many they read."""
    first, series = found.judged[0].measured, {}
    for side in first.probed:
        means = np.array([[one.probe(side, k).estimate for one in found.judged] for k in first.k])
        series[f"{side}s"] = [found.over_concepts(row) for row in means]
    title = "probes of few units, mean over concepts, report split"
    names = [f"{k} unit{'' if k == '1' else 's'}" for k in texts.k_told(found)]
    figure = interval_plot(series, names, title=title, unit=UNIT)
    figure.add_vline(x=0.5, line={"color": "#888", "width": 1, "dash": "dot"})
    return _with_legend_below(figure.update_layout(height=380)).update_xaxes(range=[0.35, 1.03])


def _mean_random(one: Judged) -> Interval:
    """Return the mean over random dictionaries, between the least and the largest of them."""
    each = one.measured.scores[Split.REPORT].random.mean(-1)
    return Interval(float(each.mean()), float(each.min()), float(each.max()))


def _dots(figure: go.Figure, name: str, x: list[float], y: list[float], text: list[str]) -> None:
    figure.add_scatter(
        name=name, x=x, y=y, mode="markers", text=text, marker={"color": _COLOURS[name], "size": 8, "opacity": 0.75},
        hovertemplate="%{text}: %{x:.3f} chosen, %{y:.3f} on other texts<extra>" + name + "</extra>",
    )  # fmt: skip


def _names(rows: list[Judged]) -> list[str]:
    return [f"{one.measured.short} (#{one.measured.feature})" for one in rows]


def _with_legend_below(figure: go.Figure) -> go.Figure:
    height = float(figure.layout.height or 400)
    legend = {"orientation": "h", "yanchor": "top", "y": -75 / (height - 100), "x": 0}
    return figure.update_layout(legend=legend, margin={"b": 110}, height=height + 60)
