"""Figures of what ablations found."""

import numpy as np
import plotly.graph_objects as go

from interp_lab.patching.ablating.claimed import AblationClaims, Verdict
from interp_lab.patching.ablating.tables import backups_table, cumulative_table
from interp_lab.plots import interval_plot, site_heatmap, styled
from interp_lab.stats import Intervals
from interp_lab.types import Interval

MOST_ROWS = 16
"""Parts in an interval plot."""
_OWN, _RANDOM = "#1f4e79", "rgba(127, 127, 127, 0.45)"


def ablated_map(found: AblationClaims) -> go.Figure:
    """Return what is lost without each part, layer by layer, under the first ablation; chosen parts are framed."""
    chosen = np.isin(np.arange(len(found.names)), found.plan.chosen)
    title = f"lost without each part: {found.config.ablations[0]} ablation"
    return _map(found, found.ablated[0], title=title, marked=chosen)


def direct_map(found: AblationClaims) -> go.Figure:
    """Return what each part writes straight to the metric, layer by layer, on the colour scale of `ablated_map`."""
    assert found.direct is not None, "the section asks"
    return _map(found, found.direct, title="written straight to the metric (descriptive)", marked=None)


def _map(found: AblationClaims, intervals: Intervals, *, title: str, marked: np.ndarray | None) -> go.Figure:
    columns = {name: len(found.sites.of(name)) // found.n_layers for name in found.config.sites}
    labels = [
        str(head) if name == "z" else name.removesuffix("_out") for name, n in columns.items() for head in range(n)
    ]
    shown = [found.ablated[0], *([] if found.direct is None else [found.direct])]
    limit = max(float(np.abs(one.estimate).max()) for one in shown)  # one scale for what is compared

    def laid_out(values: np.ndarray) -> np.ndarray:
        return np.concatenate([values[found.sites.of(name)].reshape(found.n_layers, -1) for name in columns], axis=1)

    return site_heatmap(
        *(laid_out(part) for part in (intervals.estimate, intervals.low, intervals.high)),
        rows=[str(layer) for layer in range(found.n_layers)], columns=labels, row_title="layer",
        column_title="head, or whole output", title=title, unit=found.unit, limit=limit or None,
        marked=None if marked is None else laid_out(marked),
    )  # fmt: skip


def compared(found: AblationClaims) -> go.Figure | None:
    """Return what parts write beside what is lost without them, largest first; `None` if no part stands out."""
    size = np.abs(found.ablated[0].estimate)
    if found.direct is not None:
        size = np.maximum(size, np.abs(found.direct.estimate))
    told = [nth for nth, verdict in enumerate(found.verdicts) if verdict is not Verdict.NEITHER]
    shown = sorted({*told, *map(int, found.plan.chosen)}, key=lambda nth: -size[nth])[:MOST_ROWS]
    if not shown:
        return None
    series: dict[str, list[Interval]] = {}
    if found.direct is not None:
        series["writes (descriptive)"] = [found.direct.at(nth) for nth in shown]
    for kind, intervals in list(zip(found.config.ablations, found.ablated, strict=True))[:3]:
        series[f"lost: {kind}"] = [intervals.at(nth) for nth in shown]
    names = [found.names[nth] for nth in shown]
    return interval_plot(series, names, title="written, and lost when ablated", unit=found.unit)


def cumulative_curve(found: AblationClaims) -> go.Figure:
    """Return what is left of the metric as parts are ablated one on top of the other, beside random orders."""
    table, held, figure = cumulative_table(found), found.report, go.Figure()
    steps = [0, *table["step"]]
    start = found.interval(held.clean).at()
    for nth, order in enumerate(held.cumulative[1:].mean(-1)):
        figure.add_scatter(
            x=steps, y=[start.estimate, *(start.estimate + order)], mode="lines", showlegend=nth == 0,
            name="random orders", line={"color": _RANDOM, "width": 1}, hoverinfo="skip",
        )  # fmt: skip
    left = [[getattr(start, end), *table[name]] for end, name in _ENDS.items()]
    figure.add_scatter(
        x=steps, y=left[0], mode="lines+markers", name="most needed first", line={"color": _OWN},
        text=["nothing ablated", *(f"+ {name}" for name in table["besides"])],
        hovertemplate="%{text}: %{y:.3f}<extra></extra>",
        error_y={"type": "data", "symmetric": False, "array": np.subtract(left[2], left[0]),
                 "arrayminus": np.subtract(left[0], left[1])},
    )  # fmt: skip
    figure.add_hline(y=0, line={"color": "#888", "width": 1, "dash": "dot"})
    ticks = ["none", *(f"+ {name.replace('hook_', '')}" for name in table["besides"])]
    figure.update_xaxes(title="ablated besides", tickvals=steps, ticktext=ticks)
    figure.update_yaxes(title=f"{found.metric.replace('_', ' ')} left ({found.unit})")
    title = f"parts ablated one on top of the other: {found.config.ablations[0]} ablation"
    return styled(figure, title=title, width=720, height=400)


_ENDS = {"estimate": "left", "low": "left_low", "high": "left_high"}


def backups_plot(found: AblationClaims) -> go.Figure | None:
    """Return heads that are not missed, each with another: both together, and the sum; `None` if none was tried."""
    table = backups_table(found)
    if table.empty:
        return None
    series = {
        label: [Interval(*(row[f"{name}{end}"] for end in ("", "_low", "_high"))) for row in table.to_dict("records")]
        for label, name in {"both together": "together", "sum of both alone": "sum_of_members"}.items()
    }
    names = [f"{row['head']} + {row['stand_in']} ({row['ablation']})" for row in table.to_dict("records")]
    return interval_plot(series, names, title="heads that write and are not missed, with another", unit=found.unit)


def directions_plot(found: AblationClaims) -> go.Figure:
    """Return what is lost without each direction, beside random ones."""
    drawn = found.lost(found.report.directions)
    own, random = found.interval(drawn[:, 0]), found.interval(drawn[:, 1:].mean(1))
    rows = range(len(found.directions))
    series = {"direction": [own.at(nth) for nth in rows], "mean of random ones": [random.at(nth) for nth in rows]}
    return interval_plot(series, found.directions, title="lost without a direction", unit=found.unit)
