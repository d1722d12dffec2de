"""Figures of what was chosen in a sweep: the front, what tells good trials apart, and the winner measured again."""

import numpy as np
import plotly.graph_objects as go

from interp_lab.plots import interval_plot, styled
from interp_lab.plots.text import literal
from interp_lab.sweeps.config import number_text
from interp_lab.sweeps.found import Found
from interp_lab.sweeps.marks import HALF, OWN, SOFT, below, hover
from interp_lab.types import Interval


def front_plot(found: Found) -> go.Figure | None:
    """Return the metric against what it is weighed against first; the front stands out, a second is the colour."""
    whole = np.isfinite(found.gains).all(1) if found.objectives else np.zeros(0, dtype=bool)
    if not whole.any():
        return None
    s, first = found.searched, found.objectives[0]
    cost, figure = s.measured(first.name), go.Figure()
    beaten, front = np.flatnonzero(whole & ~found.front), np.flatnonzero(found.front)
    front = front[np.argsort(cost[front], kind="stable")]
    text = {nth: hover(found, nth) + "".join(f"<br>{literal(one.name)} {number_text(s.measured(one.name)[nth])}"
            for one in found.objectives) for nth in (*beaten.tolist(), *front.tolist())}  # fmt: skip
    figure.add_scatter(
        x=cost[beaten], y=s.metric[beaten], mode="markers", name="beaten by another",
        marker={"color": SOFT, "size": 8, "symbol": "circle-open"},
        text=[text[nth] for nth in beaten.tolist()], hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip
    marker: dict[str, object] = {"color": OWN, "size": 11}
    lines = "lines+markers"
    if len(found.objectives) > 1:
        second, lines = found.objectives[1], "markers"
        bar = {"title": {"text": literal(second.name), "side": "right"}, "thickness": 12}
        marker |= {
            "color": s.measured(second.name)[front],
            "colorscale": "Viridis_r" if second.goal == "max" else "Viridis",
            "showscale": True,
            "colorbar": bar,
        }
    figure.add_scatter(
        x=cost[front], y=s.metric[front], mode=lines, name="beaten by none", marker=marker,
        line={"color": OWN, "width": 1.5, "shape": "hv" if first.goal == "min" else "vh"},
        text=[text[nth] for nth in front.tolist()], hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title=literal(str(first)))
    figure.update_yaxes(
        title=literal(f"{found.config.metric} ({'more' if found.config.sign > 0 else 'less'} is better)")
    )
    return below(styled(figure, title=literal(f"{found.config.metric} against {first.name}"), width=720, height=420))


def importance_plot(found: Found) -> go.Figure | None:
    """Return the importance of each parameter, the clearest first, above what it is with the metric shuffled."""
    held = found.importance
    if held is None:
        return None
    order = np.lexsort((-held.observed, held.p))
    ends = zip(held.null_median, held.shuffled.min(axis=0), held.null_high, strict=True)
    null = [Interval(float(middle), float(low), float(high), held.level) for middle, low, high in ends]
    label = f"metric shuffled: median, and the lower {number_text(100 * held.level)}%"
    names = [literal(held.names[nth]) for nth in order]
    title = "values of the better half beside those of all trials"
    figure = interval_plot(
        {label: [null[nth] for nth in order]}, names, title=title, unit="importance (divergence, 0 is none)"
    )
    figure.update_traces(marker={"color": SOFT, "symbol": "line-ns-open", "size": 10}, error_x={"color": SOFT})
    for clear, name, symbol in ((True, "stands out", "circle"), (False, "does not stand out", "circle-open")):
        rows = [row for row, nth in enumerate(order) if held.stands_out[nth] == clear]
        own = [order[row] for row in rows]
        text = [f"{number_text(held.observed[nth])}, adjusted p {number_text(held.adjusted_p[nth])}" for nth in own]
        figure.add_scatter(
            x=held.observed[own], y=rows, mode="markers", name=f"trials as they are: {name}",
            marker={"color": OWN, "size": 10, "symbol": symbol, "line": {"width": 2, "color": OWN}}, hovertext=text,
        )  # fmt: skip
    return below(figure)


def held_out_plot(found: Found) -> go.Figure | None:
    """Return winner and base by seed on the held-out fold, between their single runs in the search."""
    held = found.remeasured
    if held is None:
        return None
    sign, figure = found.config.sign, go.Figure()
    names = ["winner,<br>in the search", "winner,<br>held out", "base,<br>held out", "base,<br>in the search"]
    for nth, (winner, base) in enumerate(zip(sign * held.winner, sign * held.base, strict=True)):
        figure.add_scatter(
            x=[1, 2], y=[winner, base], mode="lines+markers", name="one seed", showlegend=nth == 0,
            marker={"color": OWN, "size": 9}, line={"color": SOFT, "width": 1},
        )  # fmt: skip
    once = [sign * held.winner_search, sign * held.base_search]
    label = f"one run: chosen among {found.searched.n_comparable}, and not chosen"
    figure.add_scatter(
        x=[0, 3], y=once, mode="markers", name=label, marker={"color": HALF, "size": 11, "symbol": "diamond-open"}
    )
    figure.update_xaxes(tickvals=[0, 1, 2, 3], ticktext=names, range=[-0.5, 3.5])
    figure.update_yaxes(title=literal(found.config.metric))
    return below(styled(figure, title="winner and base, measured again", width=620, height=400))


def shrinkage_plot(found: Found) -> go.Figure | None:
    """Return the differences of winner and base, and how much better each looked in the search; with intervals."""
    held = found.remeasured
    if held is None:
        return None
    rows = {
        "winner over base,<br>held out": held.difference,
        "winner: search<br>over held out": held.shrinkage,
        "base: search<br>over held out": held.shrinkage_of_base,
        "winner's beyond<br>the base's": held.excess,
    }
    unit = literal(f"{found.config.metric}, positive is better")
    return interval_plot({"difference": list(rows.values())}, list(rows), title="what is left of it", unit=unit)
