"""What lenses found, as figures."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from interp_lab.lenses.findings import LensFindings
from interp_lab.lenses.measured import ShownPrompt
from interp_lab.lenses.readable import CHANCE
from interp_lab.lenses.tables import scope_shares
from interp_lab.plots import interval_plot, site_heatmap, styled
from interp_lab.plots.style import SEQUENTIAL
from interp_lab.plots.text import literal, token_label
from interp_lab.stats import Intervals

_COLOURS = ("#1f4e79", "#c55a11", "#7f7f7f")
MOST_PARTS = 12
"""Parts shown of the causal follow-up: those that repair most."""


def by_depth(series: Mapping[str, Intervals], points: Sequence[str], *, title: str, unit: str) -> go.Figure:
    """Return one line per series over the points of the residual stream, with intervals."""
    figure = go.Figure()
    for nth, (name, values) in enumerate(series.items()):
        figure.add_scatter(
            name=name,
            x=list(points),
            y=values.estimate,
            mode="lines+markers",
            line={"color": _COLOURS[nth % len(_COLOURS)]},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": values.high - values.estimate,
                "arrayminus": values.estimate - values.low,
            },
        )
    figure.update_xaxes(title="residual stream", type="category")
    figure.update_yaxes(title=unit)
    figure.update_layout(legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0})
    return styled(figure, title=title, width=720, height=380).update_layout(margin={"t": 90})


def readable_map(found: LensFindings) -> go.Figure:
    """Return how many shuffled answers the right one outranks beyond chance, point by place."""
    shares = found.shares(np.moveaxis(found.report.outranked, 2, 1))
    marked = np.zeros(shares.estimate.shape, dtype=bool)
    for one in found.appearances:
        if one.point is not None:
            marked[one.point, found.places.index(one.place)] = True
    return site_heatmap(
        shares.estimate - CHANCE,
        shares.low - CHANCE,
        shares.high - CHANCE,
        rows=found.points,
        columns=found.places,
        row_title="residual stream",
        column_title="place",
        title="Where the right answer is readable (framed: first, by the selection split)",
        unit="share outranked, minus chance",
        marked=marked,
        limit=CHANCE,
    )


def trajectories(found: LensFindings) -> go.Figure:
    """Return the probabilities of right and wrong answer at the end position, by depth."""
    report, end = found.report, found.end
    series = {
        "right answer": found.shares(report.probability[:, :, end]),
        "wrong answer": found.shares(report.wrong_probability[:, :, end]),
    }
    return by_depth(series, found.points, title="At the end position", unit="probability")


def outranking(found: LensFindings) -> go.Figure:
    """Return the share of shuffled answers outranked at the end position, by depth, beside untrained models."""
    series = {
        str(found.config.model): found.shares(found.report.outranked[:, :, found.end]),
        "untrained": found.shares(found.untrained[:, :, found.end]),
    }
    figure = by_depth(series, found.points, title="The right answer among shuffled ones", unit="share outranked")
    return figure.add_hline(y=CHANCE, line={"color": "#888", "width": 1, "dash": "dot"})


def divergence_plot(found: LensFindings) -> go.Figure | None:
    """Return KL(model || lens) on held-out documents, by depth."""
    if found.divergence is None:
        return None
    tuned, logit = found.divergence.intervals(level=found.config.level, seed=found.config.seed)
    names = found.divergence.names
    return by_depth(
        {names[0]: tuned, names[1]: logit}, found.points, title="Distance to the model's predictions, held-out text",
        unit="KL (nats per token)",
    )  # fmt: skip


def token_map(shown: ShownPrompt, points: Sequence[str], *, lens: str) -> go.Figure:
    """Return the likeliest token at every point and position of one prompt."""
    n_points, n_pos = shown.probability.shape
    tops = np.array([literal(token_label(token, longest=9)) for token in shown.top], dtype=object)
    tops = tops.reshape(n_points, n_pos)
    labels = [literal(token_label(token, longest=12)) for token in shown.tokens]
    figure = go.Figure(
        go.Heatmap(
            z=shown.probability,
            x=list(range(n_pos)),
            y=list(range(n_points)),
            text=tops,
            texttemplate="%{text}",
            textfont={"size": 10},
            customdata=shown.answer_probability,
            hovertemplate=f"%{{text}} %{{z:.3f}}<br>{literal(shown.right)} %{{customdata:.3f}}<extra></extra>",
            colorscale=SEQUENTIAL,
            zmin=0.0,
            zmax=1.0,
            colorbar={"title": {"text": "probability", "side": "right"}, "thickness": 12},
        )
    )
    figure.update_xaxes(title="position", tickvals=list(range(n_pos)), ticktext=labels, tickangle=-60)
    figure.update_yaxes(tickvals=list(range(n_points)), ticktext=list(points), autorange="reversed")
    title = f"Likeliest next token by the {lens}; the answer is {literal(shown.right)}"
    return styled(figure, title=title, width=min(1400, 200 + 56 * n_pos), height=190 + 30 * n_points)


def scope_map(found: LensFindings) -> go.Figure | None:
    """Return which share of the answer representations bring along, from every depth to every depth."""
    scope = found.scope
    if scope is None:
        return None
    own, _ = scope_shares(found)
    return site_heatmap(
        own.estimate,
        own.low,
        own.high,
        rows=scope.source_points,
        columns=scope.target_points,
        row_title="from (clean prompt)",
        column_title="to (corrupted prompt)",
        title=f"Patchscopes at {scope.role}: how much of the answer comes along",
        unit="share of the logit difference",
        limit=1.0,
    )


def overtaking(found: LensFindings) -> go.Figure | None:
    """Return the logit of right minus wrong token at the end of wrong completions, by depth."""
    triaged = found.wrong.found
    if triaged is None:
        return None
    title = f"Wrong completions: the wrong token overtakes {triaged.overtaking_point}"
    figure = by_depth({"right minus wrong": triaged.margins()}, triaged.points, title=title, unit="logits")
    return figure.add_hline(y=0.0, line={"color": "#888", "width": 1, "dash": "dot"})


def repairs(found: LensFindings) -> go.Figure | None:
    """Return what parts do with values from good runs, those that repair most."""
    follow_up = found.wrong.follow_up
    if follow_up is None:
        return None
    changes, controls = follow_up.intervals()
    order = np.argsort(-changes.estimate, kind="stable")[:MOST_PARTS].tolist()
    names = [f"{follow_up.parts[nth]}{' *' if follow_up.suspected[nth] else ''}" for nth in order]
    return interval_plot(
        {
            "from a run that answers right": [changes.at(nth) for nth in order],
            "from a good run with another answer": [controls.at(nth) for nth in order],
        },
        names,
        title="Parts set to their value in a good run (* suspected by the triage)",
        unit="right minus wrong (logits)",
    )
