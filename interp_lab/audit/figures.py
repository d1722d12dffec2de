"""Figures of what an audit measured."""

import numpy as np
import plotly.graph_objects as go

from interp_lab.audit.claimed import AuditClaims
from interp_lab.audit.measurements import turning
from interp_lab.audit.tables import kind_of, under_table
from interp_lab.audit.turned import SIDES
from interp_lab.claims import Split
from interp_lab.plots import interval_plot, styled
from interp_lab.types import Interval

_BLUE, _ORANGE, _GREY = "#1f4e79", "#c55a11", "#7f7f7f"


def effects(found: AuditClaims) -> go.Figure:
    """Return the effect of every attribute beside that of arbitrary other words, the largest first."""
    ordered = sorted(found.groups, key=lambda one: -abs(found.effect_of(one).estimate))
    series = {
        "between its two groups of values": [found.effect_of(one) for one in ordered],
        "another word replaced, either way": [found.rewording(one) for one in ordered],
    }
    names = [kind_of(found, one) for one in ordered]
    figure = interval_plot(
        series, names, title=f"what attributes do to P({found.answers[0].strip()}), all else equal", unit="probability"
    )
    figure.update_layout(legend={"orientation": "h", "y": -0.15})
    return figure


def values(found: AuditClaims) -> go.Figure | None:
    """Return how much likelier the positive answer is with each value, attribute by attribute; `None` if stated."""
    if found.scan is None or not found.groups:
        return None
    longest = max(len(found.scan.columns(one.attribute)) for one in found.groups)
    z = np.full((len(found.groups), longest), np.nan)
    text = np.full(z.shape, "", dtype=object)
    ordered = sorted(found.groups, key=lambda one: -found.effect_at_choice(one))
    for row, groups in enumerate(ordered):
        deviations = found.scan.deviations(groups.attribute)
        names = [found.scan.values[nth] for nth in found.scan.columns(groups.attribute)]
        order = np.argsort(-deviations, kind="stable")
        z[row, : len(order)] = deviations[order]
        text[row, : len(order)] = [names[nth] for nth in order]
    limit = float(np.nanmax(np.abs(z))) or 1.0
    figure = go.Figure(
        go.Heatmap(
            z=z, text=text, texttemplate="%{text}", textfont={"size": 9}, y=[one.attribute for one in ordered],
            x=[str(nth + 1) for nth in range(longest)], zmin=-limit, zmax=limit, colorscale="RdBu", hoverongaps=False,
            hovertemplate="%{y}: %{text} %{z:+.3f}<extra></extra>",
            colorbar={"title": {"text": "deviation"}, "thickness": 12},
        )
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(title="values, the most favourable first", showticklabels=False)
    title = "with each value, against the average one in the same text (what chose the groups)"
    return styled(figure, title=title, width=max(720, 120 + 52 * longest), height=150 + 34 * len(ordered))


def pairs(found: AuditClaims) -> go.Figure | None:
    """Return how far pairs of values turn answers around, on either side; `None` if none were looked at."""
    asked = found.report.pairs if found.candidates is None else found.candidates
    if not asked.names:
        return None
    turns = [turning(asked, row) for row in range(len(asked.names))]
    figure = go.Figure()
    for side, colour in zip(SIDES, (_BLUE, _ORANGE), strict=True):
        answer = found.answers[0 if side == 1 else 1].strip()
        x = [one[side] if np.isfinite(one[side]) else None for one in turns]
        figure.add_bar(x=x, y=list(asked.names), name=f"{answer}, turned by", orientation="h", marker={"color": colour})
    figure.update_yaxes(autorange="reversed", automargin=True)
    figure.update_xaxes(title="probability towards the other answer, beyond what either value does alone")
    figure.update_layout(barmode="group", legend={"orientation": "h", "y": -0.3})
    kind = "that were stated" if found.candidates is None else "that the screen passed on (selection split)"
    return styled(figure, title=f"pairs of values {kind}", width=720, height=180 + 44 * len(asked.names))


def proxies(found: AuditClaims) -> go.Figure | None:
    """Return gaps by hidden latents, and what is left of them with attributes redrawn; `None` if there are none."""
    names: list[str] = []
    series: dict[str, list[Interval]] = {"as drawn": [], "attribute drawn anew": []}
    splits = [Split.REPORT] if found.held_out is None else [Split.REPORT, Split.HELD_OUT]
    for split in splits:
        for proxy in found.chosen.proxies:
            gap, left, _ = found.remaining(str(proxy), split=split)
            names.append(f"{proxy.hidden}, by {proxy.attribute}<br>{split}")
            series["as drawn"].append(gap)
            series["attribute drawn anew"].append(left)
    if not names:
        return None
    figure = interval_plot(series, names, title="gaps by what no text names", unit="probability")
    figure.update_layout(legend={"orientation": "h", "y": -0.25})
    return figure


def under(found: AuditClaims) -> go.Figure | None:
    """Return before and after what was measured under; `None` if there was nothing."""
    table = under_table(found)
    if table.empty:
        return None
    names = [f"{row['what']}<br>{row['split']}" for row in table.to_dict("records")]
    series = {
        name: [
            Interval(float(row[what]), float(row[f"{what}_low"]), float(row[f"{what}_high"]))
            for row in table.to_dict("records")
        ]
        for name, what in (("without", "before"), ("with", "after"))
    }
    figure = interval_plot(series, names, title=f"without and with {found.under}", unit="probability, or share")
    figure.update_layout(legend={"orientation": "h", "y": -0.12})
    return figure
