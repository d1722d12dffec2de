"""Figures of a whole investigation: what is left held out, two models side by side, methods side by side."""

import textwrap
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from interp_lab.investigation.agreement import Agreement, Method
from interp_lab.investigation.found import Decided, Investigated
from interp_lab.plots import error_bars, legend_above, styled
from interp_lab.plots.style import DIVERGING
from interp_lab.plots.text import literal
from interp_lab.types import Interval

MOST_ROWS = 24
"""Components that the map of methods shows; its table has all."""
_COLOURS = ("#7f7f7f", "#1f4e79")
_SPREAD = 0.16
_LONGEST = 34


def shrinkage(found: Investigated) -> dict[str, go.Figure]:
    """Return by unit the effect of each hypothesis where it was searched for and held out."""
    pairs = [(one, one.hypothesis.observed, one.claim.effect.effect) for one in found.decided
             if one.claim is not None and one.claim.effect is not None]  # fmt: skip
    title = "the effect where it was searched for, and held out"
    return _dumbbells(pairs, ("search fold (chosen here)", "held-out examples"), title=title)


def beside(found: Investigated) -> dict[str, go.Figure]:
    """Return by unit the effect of each hypothesis in the model and in the one that stands beside."""
    pairs = [(one, one.claim.effect.effect, one.beside.effect.effect) for one in found.decided
             if one.claim is not None and one.claim.effect is not None
             and one.beside is not None and one.beside.effect is not None]  # fmt: skip
    names = (literal(found.config.model), literal(str(found.config.beside)))
    return _dumbbells(pairs, names, title=f"the effect in {names[0]} and in {names[1]}")


def _dumbbells(
    pairs: Sequence[tuple[Decided, Interval, Interval]], names: tuple[str, str], *, title: str
) -> dict[str, go.Figure]:
    held: dict[str, list[tuple[Decided, Interval, Interval]]] = {}
    for one in pairs:
        held.setdefault(one[0].hypothesis.unit, []).append(one)
    return {f"{title} ({unit})": _dumbbell(own, names, unit=unit, title=title) for unit, own in held.items()}


def _dumbbell(
    pairs: Sequence[tuple[Decided, Interval, Interval]], names: tuple[str, str], *, unit: str, title: str
) -> go.Figure:
    figure = go.Figure()
    labels = [_short(f"{one.hypothesis.id} {one.hypothesis.component}") for one, _, _ in pairs]
    for row, (_, before, after) in enumerate(pairs):
        figure.add_scatter(
            x=[before.estimate, after.estimate], y=[row - _SPREAD, row + _SPREAD], mode="lines", hoverinfo="skip",
            line={"color": "#b8b8b8", "width": 2}, showlegend=False,
        )  # fmt: skip
    for nth, (name, colour) in enumerate(zip(names, _COLOURS, strict=True)):
        own = [(before, after)[nth] for _, before, after in pairs]
        figure.add_scatter(
            name=name, mode="markers", x=[one.estimate for one in own],
            y=[row + _SPREAD * (2 * nth - 1) for row in range(len(pairs))], error_x=error_bars(own),
            marker={"color": colour, "size": 9, "symbol": ("circle-open", "circle")[nth]},
            hovertext=[str(one) for one in own], hoverinfo="text+name",
        )  # fmt: skip
    figure.add_vline(x=0, line={"color": "#888", "width": 1, "dash": "dot"})
    figure.update_xaxes(title=literal(unit))
    figure.update_yaxes(tickvals=list(range(len(pairs))), ticktext=labels, range=[len(pairs) - 0.4, -0.6])
    height = 90 + 36 * max(len(pairs), 2)
    figure = legend_above(styled(figure, title=f"{title} ({literal(unit)})", width=720, height=height))
    return figure.update_layout(margin={"t": 62})


def matrix(found: Agreement) -> go.Figure | None:
    """Return components by methods, each method in its own unit; `None` where no component is shared."""
    rows = found.shared[:MOST_ROWS]
    sides = [[one for one in found.methods if one.causal is causal and set(rows) & set(one.said)]
             for causal in (False, True)]  # fmt: skip
    columns: list[Method | None] = [*sides[0], *([None] if all(sides) else []), *sides[1]]
    if not rows or not columns:
        return None
    figure = go.Figure(_map(columns, rows))
    for side, title in zip(sides, ("what it looks like<br>(descriptive)", "what happens<br>(causal)"), strict=True):
        if side:
            places = [columns.index(one) for one in side]
            figure.add_annotation(
                text=f"<b>{title}</b>",
                x=sum(places) / len(places),
                y=1,
                yref="paper",
                yanchor="bottom",
                showarrow=False,
            )
    labels = [_wrapped(one.label) if one else "" for one in columns]
    figure.update_xaxes(
        tickvals=list(range(len(columns))), ticktext=labels, tickangle=0, showgrid=False, zeroline=False
    )
    figure.update_yaxes(tickvals=list(range(len(rows))), ticktext=list(map(_short, rows)), autorange="reversed")
    figure.update_yaxes(showgrid=False, zeroline=False)
    n_lines = max(label.count("<br>") + 1 for label in labels)
    height = 130 + 26 * len(rows) + 17 * n_lines
    figure = styled(figure, title="components by methods", width=270 + 104 * len(columns), height=height)
    return figure.update_layout(margin={"t": 80})


def _map(columns: Sequence[Method | None], rows: Sequence[str]) -> go.Heatmap:
    """Return colours as shares of each method's largest effect; the numbers in the cells are in its own unit."""
    scaled = np.full((len(rows), len(columns)), np.nan)
    written, told = np.full(scaled.shape, "", dtype=object), np.full(scaled.shape, "", dtype=object)
    there = [(y, x, name, method) for x, method in enumerate(columns) if method is not None
             for y, name in enumerate(rows) if name in method.said]  # fmt: skip
    for y, x, name, method in there:
        one = method.said[name]
        scaled[y, x] = one.effect.estimate / method.largest
        written[y, x] = f"{one.effect.estimate:.2f}{' ●' if method.points_at(name) else ''}"
        told[y, x] = literal(f"{name}, {method.label}: {one.effect} {method.unit}")
    return go.Heatmap(
        z=scaled, x=list(range(len(columns))), y=list(range(len(rows))), text=written, customdata=told,
        texttemplate="%{text}", hovertemplate="%{customdata}<extra></extra>", hoverongaps=False, zmin=-1, zmax=1,
        colorscale=DIVERGING, xgap=1, ygap=1,
        colorbar={"title": {"text": "share of the<br>method's largest", "side": "right"}, "thickness": 12,
                  "lenmode": "pixels", "len": 210, "y": 1, "yanchor": "top"},
    )  # fmt: skip


def _wrapped(label: str) -> str:
    return "<br>".join(map(literal, textwrap.wrap(label, 15, max_lines=4, placeholder="…"))) or " "


def _short(text: str) -> str:
    return literal(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…")
