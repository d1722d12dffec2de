"""What was found of a circuit, as figures."""

import numpy as np
import plotly.graph_objects as go

from interp_lab.circuits.claimed import CircuitClaims
from interp_lab.circuits.faithfulness import ORDERS
from interp_lab.circuits.tables import nodes_table, sensitivity_tables
from interp_lab.plots import interval_plot, styled
from interp_lab.plots.graph import GraphEdge, circuit_graph
from interp_lab.types import UNMEASURED, Interval

_OWN, _RANDOM, _HELD_OUT = "#1f4e79", "#b0b0b0", "#c55a11"


def graph(found: CircuitClaims) -> go.Figure:
    """Return the circuit as a graph: edges with what ablating each does on other prompts, heads with what they are."""
    effects = found.interval(found.report.edges)
    drawn = []
    for nth, edge in enumerate(found.plan.edges):
        one = effects.at(nth)
        drawn.append(GraphEdge(edge.source, edge.target, one.estimate, one.low, one.high))
    title = f"{len(drawn)} edges: change of {found.metric.replace('_', ' ')} without each"
    return circuit_graph(drawn, roles=found.roles, unit=found.unit, title=title)


def curve(found: CircuitClaims) -> go.Figure | None:
    """Return f over the share of edges kept, on both splits, beside random rankings; `None` if there is no ranking."""
    figure = go.Figure()
    lines = {"other prompts": (found.report, False, _OWN)}
    if found.held_out is not None:
        lines["held-out templates"] = (found.held_out, False, _HELD_OUT)
    lines["random rankings, other prompts"] = (found.report, True, _RANDOM)
    for name, (split, of_random, colour) in lines.items():
        own = found.curve(split, of_random=of_random)
        shares = None if own is None else own.faithfulness()
        if own is None or shares is None:
            return None
        up, down = shares.high - shares.estimate, shares.estimate - shares.low
        figure.add_scatter(
            x=own.n_edges, y=shares.estimate, name=name, mode="lines+markers", line={"color": colour},
            error_y={"type": "data", "symmetric": False, "array": up, "arrayminus": down},
            hovertemplate="%{x} edges: f = %{y:.3f}<extra></extra>",
        )  # fmt: skip
    figure.add_vline(x=found.plan.n_ranked, line={"color": "#888", "width": 1, "dash": "dot"})
    figure.add_annotation(
        x=np.log10(found.plan.n_ranked), y=1.0, yref="paper", yanchor="bottom", text="taken", showarrow=False
    )
    figure.add_hline(y=1, line={"color": "#888", "width": 1, "dash": "dot"})
    figure.update_xaxes(title="edges kept", type="log")
    figure.update_yaxes(title="faithfulness f (share)")
    return styled(figure, title="faithfulness along the ranking", width=720, height=420)


def sensitivity(found: CircuitClaims) -> go.Figure | None:
    """Return f for every choice that it depends on; `None` if all are refused."""
    table = sensitivity_tables(found)
    table = table[table["faithfulness"].notna()]
    if table.empty:
        return None
    keys = list(dict.fromkeys(zip(table["ablation"], table["form"], table["order"], strict=True)))
    series: dict[str, list[Interval]] = {}
    for name, part in table.groupby("measured_on", sort=False):
        rows = {(row["ablation"], row["form"], row["order"]): row for row in part.to_dict("records")}
        empty = UNMEASURED
        series[str(name)] = [
            Interval(rows[key]["faithfulness"], rows[key]["low"], rows[key]["high"]) if key in rows else empty
            for key in keys
        ]
    names = [f"{ablation}, {form}s, {order}" for ablation, form, order in keys]
    figure = interval_plot(series, names, title="one circuit, every choice", unit="faithfulness f (share)")
    figure.add_vline(x=1, line={"color": "#888", "width": 1})
    assert set(table["order"]) <= set(ORDERS), "orders have names"
    return figure


def nodes(found: CircuitClaims) -> go.Figure | None:
    """Return what is lost without each node, in the circuit and in the model; `None` for a circuit without any."""
    table = nodes_table(found)
    if table.empty:
        return None
    series = {
        label: [Interval(*(row[f"{name}{end}"] for end in ("", "_low", "_high"))) for row in table.to_dict("records")]
        for label, name in {"in the circuit": "lost_in_circuit", "in the model": "lost_in_model"}.items()
    }
    looks = zip(table["node"], table["looks_like"], strict=True)
    names = [f"{node} ({like})" if like else node for node, like in looks]
    return interval_plot(series, names, title="lost without each node", unit=found.unit)


def beside_random(found: CircuitClaims) -> go.Figure | None:
    """Return what random circuits keep of the metric, beside the circuit and the model; `None` without random ones."""
    held = found.report
    if not len(held.random):
        return None
    figure = go.Figure()
    figure.add_histogram(x=held.random.mean(1), name="random circuits", marker={"color": _RANDOM}, nbinsx=30)
    marks = {"empty": held.empty, "circuit": held.circuit, "model": held.clean}
    for nth, (name, values) in enumerate(marks.items()):
        x = float(values.mean())
        figure.add_vline(x=x, line={"color": _OWN if name == "circuit" else "#555", "width": 2})
        figure.add_annotation(
            x=x, y=1 - 0.1 * nth, yref="paper", text=name, showarrow=False, xanchor="left", xshift=4, bgcolor="white"
        )
    figure.update_xaxes(title=f"{found.metric.replace('_', ' ')} ({found.unit}), mean over prompts")
    figure.update_yaxes(title="random circuits")
    return styled(figure, title="the circuit beside random circuits of as many edges", width=720, height=340)
