"""Figures of the attention-head experiment."""

import numpy as np
import plotly.graph_objects as go

from interp_lab.attention.head_types import SECOND_COPY, TASK
from interp_lab.attention.looks import REPEATS
from interp_lab.attention.measurements import HeadMeasurements
from interp_lab.attention.readings import COMPOSITIONS
from interp_lab.attention.statements import told_heads
from interp_lab.claims import Split
from interp_lab.plots import AttentionView, head_map, interval_plot
from interp_lab.types import head_name

_MOST_ROWS = 24
"""Of a plot of heads with their controls; the table has all."""


def score_maps(found: HeadMeasurements) -> dict[str, go.Figure]:
    """Return a map of all heads per type and text, scores of the report half; those on text have that in their name."""
    return {
        kind.replace("_", " ") if text == REPEATS else f"{kind.replace('_', ' ')} on text": _score_map(found, text, nth)
        for text in found.looks.texts
        for nth, kind in enumerate(found.looks.types[text])
    }


def _score_map(found: HeadMeasurements, text: str, nth: int) -> go.Figure:
    intervals, kind = found.looks.intervals[text], found.looks.types[text][nth].replace("_", "-")
    where = "" if text == REPEATS else " on text"
    parts = (intervals.estimate[nth], intervals.low[nth], intervals.high[nth])
    return head_map(*parts, title=f"{kind} score{where}", unit="attention", limit=1.0)


def typed_maps(found: HeadMeasurements) -> dict[str, go.Figure]:
    """Return of `score_maps` those of types that some head has."""
    there = [bool(own.any()) for text in found.looks.texts for own in found.looks.on[text]]
    return {name: figure for (name, figure), own in zip(score_maps(found).items(), there, strict=True) if own}


def change_maps(found: HeadMeasurements) -> dict[str, go.Figure]:
    """Return a map of the ablation effects of all heads per behaviour, on the report half."""
    maps = {}
    for behaviour in found.behaviours:
        one, intervals = found.effects[Split.REPORT, behaviour], found.intervals(behaviour)
        title = f"what {found.config.ablations[0]} ablation costs: {one.metric}"
        name = "ablation" if behaviour == SECOND_COPY else f"ablation, {behaviour}"
        maps[name] = head_map(
            intervals.estimate, intervals.low, intervals.high, title=title, unit=f"{one.unit} worse", signed=True
        )
    return maps


def effect_plots(found: HeadMeasurements) -> dict[str, go.Figure]:
    """Return per behaviour the heads that look or act, beside the heads of no type, and sets beside their members."""
    plots = {}
    for behaviour in found.behaviours:
        shown = told_heads(found, behaviour)[:_MOST_ROWS]
        if shown:
            effects = [found.evidence[behaviour][head][0] for head in shown]
            series = {
                "effect": [e.effect for e in effects],
                "effect minus control": [e.versus_control for e in effects],
            }
            names = [f"{head_name(head)}: {found.says(head, behaviour)}" for head in shown]
            name = "effects" if behaviour == SECOND_COPY else f"effects, {behaviour}"
            plots[name] = interval_plot(
                series, names, title="ablated heads against heads of no type, report half", unit=_unit(found, behaviour)
            )
        sets = [one for one in found.set_findings if one.heads.behaviour == behaviour]
        if sets:
            series = {"together": [one.together for one in sets], "sum of each alone": [one.alone for one in sets]}
            names = [f"{one.heads} ({one.heads.label})" for one in sets]
            name = "sets" if behaviour == SECOND_COPY else f"sets, {behaviour}"
            plots[name] = interval_plot(
                series, names, title="heads ablated together, report half", unit=_unit(found, behaviour)
            )
    return plots


def _unit(found: HeadMeasurements, behaviour: str) -> str:
    one = found.effects[Split.REPORT, behaviour]
    direction = "fall" if behaviour == TASK else "rise"
    return f"{direction} of the {one.metric} ({one.unit})"


def weight_maps(found: HeadMeasurements) -> dict[str, go.Figure]:
    """Return copying, and what the keys of the best induction head read; nothing where weights were not read."""
    weights = found.weights
    if weights is None:
        return {}
    low, high = np.quantile(weights.copied_null, [0.025, 0.975], axis=0)
    maps = {
        "copying": head_map(
            weights.copied, low, high, title="copying by weights (in brackets: rotated heads)", unit="share of tokens",
            limit=1.0,
        )
    }  # fmt: skip
    readers = [head for head, kinds in found.looks.of_heads.items() if "induction" in kinds and head[0] > 0]
    if readers:
        layer, head = readers[0] if len(readers) == 1 else max(readers, key=lambda at: _best_score(found, at))
        k = COMPOSITIONS.index("k")
        own = weights.composition[k, :layer, :, layer, head]
        low, high = np.quantile(weights.composition_null[:, k, :layer, :, layer, head], [0.025, 0.975], axis=0)
        title = f"K-composition: what {head_name((layer, head))}'s keys read (in brackets: rotated heads)"
        maps["k composition"] = head_map(own, low, high, title=title, unit="composition score")
    return maps


def _best_score(found: HeadMeasurements, head: tuple[int, int]) -> float:
    nth = found.looks.types[REPEATS].index("induction")
    return float(found.looks.intervals[REPEATS].estimate[(nth, *head)])


def attention_view(found: HeadMeasurements) -> AttentionView:
    """Return the patterns of typed heads on one sequence, to pick from."""
    one = found.example
    types = {head_name(head): kinds for head, kinds in found.looks.of_heads.items()}
    told = ", ".join(f"{name} {'+'.join(types[name])}".replace("_", "-") for name in one.names if name in types)
    return AttentionView(
        one.patterns, one.tokens, one.names, f"attention on one sequence: {told or 'no head has a type'}"
    )
