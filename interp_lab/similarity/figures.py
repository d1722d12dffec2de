"""Figures of the comparison of two models."""

import numpy as np
import plotly.graph_objects as go

from interp_lab.plots import error_bars, interval_plot, site_heatmap, styled
from interp_lab.similarity.claimed import DifferenceClaims
from interp_lab.similarity.crossed import WAYS, Way
from interp_lab.similarity.described import BASE, TUNED
from interp_lab.similarity.tables import cumulative_table
from interp_lab.stats import Intervals

MOST_ROWS = 14
"""Parts in an interval plot."""
_COLOURS = {Way.WRITES_IN: "#1f4e79", Way.WEIGHTS_IN: "#c55a11"}


def cka_map(found: DifferenceClaims, rows: str, columns: str) -> go.Figure:
    """Return CKA of every layer's places of one model with those of another (or itself), on text."""
    similar, level = found.text.similar, found.config.level
    at = [_whole(found, similar.places.of(model)) for model in (rows, columns)]
    cka = similar.cka(*at, level=level)
    labels = [[_short(similar.places.names[nth]) for nth in own] for own in at]
    names = {BASE: found.config.model, TUNED: found.config.tuned}
    return site_heatmap(
        cka.estimate, cka.low, cka.high, rows=labels[0], columns=labels[1],
        row_title=names.get(rows, rows), column_title=names.get(columns, columns),
        title=f"linear CKA: {names.get(rows, rows)} and {names.get(columns, columns)}", unit="CKA", limit=1.0,
    )  # fmt: skip


def _whole(found: DifferenceClaims, at: np.ndarray) -> np.ndarray:
    """Return the places that are no heads."""
    names = found.text.similar.places.names
    return np.array([nth for nth in at if "hook_" in names[nth]], int)


def _short(name: str) -> str:
    return name.replace("hook_", "").replace("_out", "").replace(".resid_post", " resid").replace(".", " ")


def same_place(found: DifferenceClaims) -> go.Figure:
    """Return CKA of base and tuned model at the same place, on text and on the prompts."""
    whole = _whole(found, np.arange(len(found.places)))
    series = {
        label: [found.same_places[kind].at(nth) for nth in whole.tolist()]
        for label, kind in {"on text": "text", "on the prompts": "prompts", "untrained model": "untrained"}.items()
    }
    return interval_plot(
        series, [_short(found.places[nth]) for nth in whole], title="CKA at the same place", unit="CKA"
    )


def moved(found: DifferenceClaims) -> go.Figure:
    """Return how far the parts moved that did so most on the prompts, beside other text."""
    order = np.argsort(-found.moved["prompts"].estimate, kind="stable")[:MOST_ROWS]
    series = {
        label: [found.moved[kind].at(nth) for nth in order.tolist()]
        for label, kind in {"on the prompts": "prompts", "on other text": "text"}.items()
    }
    names = [found.parts.names[nth] for nth in order.tolist()]
    return interval_plot(series, names, title="how far what a part writes moved", unit="share of its size")


def carried(found: DifferenceClaims) -> go.Figure:
    """Return how much of the change the parts carry that carry most, by way of exchange."""
    size = np.abs(np.stack([own.estimate for own in found.carried])).max(0)
    order = np.argsort(-size, kind="stable")[:MOST_ROWS]
    series = {str(way): [own.at(nth) for nth in order.tolist()] for way, own in zip(WAYS, found.carried, strict=True)}
    names = [found.parts.names[nth] for nth in order.tolist()]
    return interval_plot(series, names, title="how much of the change a part carries", unit=found.unit)


def moved_against_carried(found: DifferenceClaims) -> go.Figure:
    """Return, part by part, how far it moved on the prompts and how much of the change it carries into the base."""
    figure, at = go.Figure(), found.parts.apart
    x = found.moved["prompts"]
    for way, colour in _COLOURS.items():
        y = found.carried[WAYS.index(way)]
        figure.add_scatter(
            x=x.estimate[at], y=y.estimate[at], mode="markers+text", name=str(way), marker={"color": colour, "size": 8},
            text=[found.parts.names[nth] if nth in found.chosen and way is Way.WRITES_IN else "" for nth in at],
            textposition="top center", hovertext=[found.parts.names[nth] for nth in at],
            error_x=_bars(x, at), error_y=_bars(y, at),
        )  # fmt: skip
    figure.add_hline(y=0, line={"color": "#888", "width": 1, "dash": "dot"})
    figure.update_xaxes(title="moved on the prompts (share of its size)")
    figure.update_yaxes(title=f"carried into the base model ({found.unit})")
    figure.update_layout(legend={"orientation": "h", "y": -0.25})
    return styled(figure, title="moved, and carries", width=720, height=460)


def _bars(intervals: Intervals, at: np.ndarray) -> dict[str, object]:
    return error_bars([intervals.at(int(nth)) for nth in at]) | {"thickness": 1, "width": 0}


def cumulative(found: DifferenceClaims) -> go.Figure:
    """Return the gap of both models as the weights of more and more parts are taken from the other."""
    table, figure = cumulative_table(found), go.Figure()
    steps = [0, *table["step"]]
    for name, start, colour in (
        ("base_with_tuned", BASE, "#1f4e79"), ("tuned_with_base", TUNED, "#c55a11"),
        ("base_with_least", BASE, "#999999"),
    ):  # fmt: skip
        own = found.gap_of(start)
        y, low, high = (
            np.array([getattr(own, end), *table[name + suffix]])
            for end, suffix in (("estimate", ""), ("low", "_low"), ("high", "_high"))
        )
        figure.add_scatter(
            x=steps, y=y, mode="lines+markers", name=name.replace("_", " "), line={"color": colour},
            error_y={"type": "data", "symmetric": False, "array": high - y, "arrayminus": y - low},
        )  # fmt: skip
    figure.add_hline(y=0, line={"color": "#888", "width": 1, "dash": "dot"})
    figure.update_xaxes(
        title="weights besides", tickvals=steps, ticktext=["none", *(f"+ {one}" for one in table["besides"])]
    )
    figure.update_yaxes(title=f"gap ({found.unit})")
    figure.update_layout(legend={"orientation": "h", "y": -0.35})
    return styled(figure, title="weights of more and more parts from the other model", width=720, height=420)
