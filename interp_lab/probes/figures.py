"""Figures of what probes found."""

import numpy as np
import plotly.graph_objects as go

from interp_lab.claims import Split
from interp_lab.plots import interval_plot, site_heatmap, styled
from interp_lab.probes.claimed import ProbesClaims
from interp_lab.probes.judged import Judged
from interp_lab.probes.measured import Transfer
from interp_lab.probes.tables import ALL_OTHERS, transfer_table
from interp_lab.stats import bootstrap_interval
from interp_lab.stats.calibration import reliability
from interp_lab.types import Interval

MOST_DETAILED = 6
"""Labels up to which each has figures of its own; of more, the map of all of them is shown."""
_LINES = {
    "probe": "#1f4e79", "control tasks": "#c55a11", "untrained models": "#548235", "shuffled labels": "#7f7f7f",
}  # fmt: skip
_LEVELS = {"bag of words": "#8064a2", "token that is read": "#bf9000", "commonest label": "#404040"}


def all_figures(found: ProbesClaims) -> dict[str, go.Figure]:
    """Return a map of all labels if there are several, and of each of a few its scores, transfer, calibration, use."""
    made = {"all labels": overview(found)} if len(found.judged) > 1 else {}
    for judged in found.judged if len(found.judged) <= MOST_DETAILED else ():
        made |= {f"{kind}: {judged.probed.label}": figure for kind, figure in _of_label(found, judged).items()}
    return made


def _of_label(found: ProbesClaims, judged: Judged) -> dict[str, go.Figure]:
    one = judged.probed
    made = {"scores": scores_by_layer(judged)}
    if len(one.positions) > 1:
        made["map"] = places_map(found, judged)
    made["templates"] = transfer_map(found, judged, "templates")
    if one.topics is not None:
        made["topics"] = transfer_map(found, judged, "topics")
    if one.calibration is not None:
        made["reliability"] = reliability_curve(judged)
    if judged.tested:
        made["use"] = use_plot(judged)
    return made


def overview(found: ProbesClaims) -> go.Figure:
    """Return, for every label and hook point, how far the probe beats the commonest label, at its chosen place."""
    hooks = found.judged[0].probed.hooks
    cells = []
    for judged in found.judged:
        place = judged.probed.position_of(judged.probed.chosen)
        own = slice(place, None, len(judged.probed.positions))
        cells.append([part[own] for part in found.beyond_majority(judged)])
    mean, low, high = (np.stack([cell[k] for cell in cells]) for k in range(3))
    marked = np.zeros(mean.shape, dtype=bool)
    for row, judged in enumerate(found.judged):
        if judged.is_decodable():
            marked[row, judged.probed.chosen // len(judged.probed.positions)] = True
    return site_heatmap(
        mean, low, high, rows=[one.probed.label.removeprefix("grammar/") for one in found.judged],
        columns=[hook.removeprefix("blocks.") for hook in hooks], row_title="label", column_title="site",
        title="probe beyond the commonest label, report split", unit="share right", marked=marked, limit=1.0,
    )  # fmt: skip


def scores_by_layer(judged: Judged) -> go.Figure:
    """Return probe, control tasks, untrained models and shuffled labels by layer, and what words alone say."""
    one, part = judged.probed, judged.probed.scores[Split.REPORT]
    place = one.position_of(one.chosen)
    own = np.arange(place, len(one.sites), len(one.positions))
    series = {
        "probe": part.probe, "control tasks": part.control.mean(0), "untrained models": part.untrained.mean(0),
        "shuffled labels": part.shuffled.mean(0),
    }  # fmt: skip
    figure, x = go.Figure(), [hook.removeprefix("blocks.").replace("hook_", "") for hook in one.hooks]
    for name, values in series.items():
        found = judged.score(values[own], Split.REPORT)
        figure.add_scatter(
            name=name, x=x, y=found.estimate, mode="lines+markers", line={"color": _LINES[name]},
            error_y={"type": "data", "symmetric": False, "array": found.high - found.estimate,
                     "arrayminus": found.estimate - found.low},
        )  # fmt: skip
    levels = (part.words[place], part.token[place], part.majority)
    for (name, colour), values in zip(_LEVELS.items(), levels, strict=True):
        figure.add_scatter(
            name=name, x=[x[0], x[-1]], y=[float(values.mean())] * 2, mode="lines",
            line={"color": colour, "width": 1, "dash": "dot"},
        )  # fmt: skip
    at = "" if len(one.positions) == 1 and one.positions[0] == "end" else f", read at {one.positions[place]}"
    figure.update_xaxes(title="site", type="category")
    figure.update_yaxes(title="R^2" if one.is_number else "share right")
    if one.is_number:
        figure.update_yaxes(range=[-1.05, 1.05])
    figure.update_layout(legend={"orientation": "h", "yanchor": "top", "y": -0.3, "x": 0})
    return styled(figure, title=f"{one.label}{at}: {one.kind} probe by layer", width=720, height=460).update_layout(
        margin={"b": 120}
    )


def places_map(found: ProbesClaims, judged: Judged) -> go.Figure:
    """Return how far the probe beats the commonest label by layer and place; the chosen site is framed."""
    one = judged.probed
    shape = (len(one.hooks), len(one.positions))
    mean, low, high = (part.reshape(shape) for part in found.beyond_majority(judged))
    marked = (np.arange(len(one.sites)) == one.chosen).reshape(shape)
    return site_heatmap(
        mean, low, high, rows=[hook.removeprefix("blocks.") for hook in one.hooks], columns=one.positions,
        row_title="site", column_title="place", title=f"{one.label}: beyond the commonest label",
        unit="R^2" if one.is_number else "share right", marked=marked, limit=1.0,
    )  # fmt: skip


def transfer_map(found: ProbesClaims, judged: Judged, name: str) -> go.Figure:
    """Return scores of probes trained on one family and tested on another."""
    part: Transfer = getattr(judged.probed, name)
    table = transfer_table(found, name)
    table = table[table["label"] == judged.probed.label]
    rows, columns = [*part.train.tolist(), ALL_OTHERS], sorted(set(part.families.tolist()))
    shape = (len(rows), len(columns))
    mean, low, high = (table[key].to_numpy(dtype=float).reshape(shape) for key in ("score", "score_low", "score_high"))
    short = [str(one).rpartition("/")[2] for one in rows], [str(one).rpartition("/")[2] for one in columns]
    figure = site_heatmap(
        np.nan_to_num(mean), low, high, rows=short[0], columns=short[1], row_title=f"trained on ({name})",
        column_title=f"tested on ({name})", title=f"{judged.probed.label}: transfer between {name}",
        unit="R^2" if judged.probed.is_number else "share right", limit=1.0,
    )  # fmt: skip
    if not judged.probed.is_number:
        figure.update_traces(zmin=0.0, zmax=1.0)
    return figure


def reliability_curve(judged: Judged) -> go.Figure:
    """Return share right by confidence, in bins of equally many examples."""
    part = judged.probed.calibration
    assert part is not None, "asked for where there is one"
    bins = reliability(part.confidence, part.right)
    figure = go.Figure()
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", name="calibrated", line={"color": "#888", "dash": "dot"})
    error = np.sqrt(bins["right"] * (1 - bins["right"]) / bins["n"])
    figure.add_scatter(
        x=bins["confidence"], y=bins["right"], mode="markers", name="probe, by tenths",
        marker={"color": _LINES["probe"], "size": 9}, error_y={"type": "data", "array": 1.96 * error},
    )  # fmt: skip
    figure.update_xaxes(title="confidence (probability of the likeliest class)", range=[0, 1.02])
    figure.update_yaxes(title="share right", range=[-0.02, 1.05])
    return styled(figure, title=f"{judged.probed.label}: reliability", width=520, height=400)


def use_plot(judged: Judged) -> go.Figure:
    """Return what acting along each direction does to the answer, beside both families of controls."""
    use, one = judged.probed.use[Split.REPORT], judged.probed
    rows = range(len(one.ways))

    def intervals(values: np.ndarray) -> list[Interval]:
        found = bootstrap_interval(values, use.templates, level=judged.config.level, seed=judged.config.seed)
        return [found.at(nth) for nth in rows]

    series = {
        "its direction": intervals(use.changes),
        "random directions": intervals(use.random.mean(1)),
        "shuffled labels": intervals(use.shuffled.mean(1)),
    }
    return interval_plot(series, one.ways, title=f"{one.label}: change of the answer's logit difference", unit="logits")
