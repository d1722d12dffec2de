"""Figures of what the experiment on relations found."""

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Bool

from interp_lab.attention.relations.contrast import AttentionContrast
from interp_lab.attention.relations.measurements import RelationMeasurements
from interp_lab.claims import Grade, Split
from interp_lab.plots import interval_plot, site_heatmap
from interp_lab.stats import Intervals, bootstrap_interval
from interp_lab.types import head_name

MOST_HEADS = 48
"""Rows of a contrast's map; of more heads those with the largest differences are shown."""


def looks_figures(found: RelationMeasurements) -> dict[str, go.Figure]:
    """Return, by relation, attention along it beyond the stronger comparison; framed: heads that carry it."""
    return {
        f"looks: {relation}": _head_map(
            found.carriers.excess(nth), found.looks[nth], title=f"{relation}: attention beyond other places",
            unit="share of attention", limit=1.0,
        )
        for nth, relation in enumerate(found.relations)
    }  # fmt: skip


def acts_figures(found: RelationMeasurements) -> dict[str, go.Figure]:
    """Return, by relation, what ablating each head does, and all heads that look or act beside their controls."""
    kind, c = found.config.ablations[0], found.config
    maps = {}
    for nth, relation in enumerate(found.relations):
        part = found.effects[Split.REPORT][nth]
        changes = bootstrap_interval(part.changes[0], part.templates, level=c.level, seed=c.seed)
        marked = np.zeros(found.looks.shape[1:], dtype=bool)
        for at in np.ndindex(*marked.shape):
            marked[at] = found.grade((nth, *at)) >= Grade.CAUSAL
        title = f"{relation}: change of the {part.metric} under {kind} ablation"
        maps[f"acts: {relation}"] = _head_map(changes, marked, title=title, unit=part.unit)
    return {**_effect_plots(found), **maps}


def _effect_plots(found: RelationMeasurements) -> dict[str, go.Figure]:
    """Return the heads that look or act, one plot per unit."""
    asked = [at for at in found.verdicts if at in found.evidence[found.config.ablations[0]]]
    units = dict.fromkeys(found.effects[Split.REPORT][at[0]].unit for at in asked)
    plots = {}
    for unit in units:
        own = [at for at in asked if found.effects[Split.REPORT][at[0]].unit == unit]
        series = {
            f"{kind} ablation": [found.evidence[kind][at].effect for at in own] for kind in found.config.ablations
        }
        first = found.config.ablations[0]
        series[f"{first} ablation minus control"] = [found.evidence[first][at].versus_control for at in own]
        names = [f"{found.relations[at[0]]}: {head_name(at[1:])} ({found.verdict(at)})" for at in own]
        plots[f"effects ({unit})"] = interval_plot(
            series, names, title="heads that look or act, report half", unit=f"change ({unit})"
        )
    return plots


def contrast_figures(found: RelationMeasurements) -> dict[str, go.Figure]:
    """Return effect sizes of each contrast by head and role; framed: what differs after correction."""
    asked = zip(found.config.contrasts, found.contrasted, strict=True)
    return {f"contrast: {config.title}": contrast_map(one) for config, one in asked}


def contrast_map(contrast: AttentionContrast) -> go.Figure:
    """Return Hedges' g of attention by head and role, with frames where attention differs after correction."""
    sizes = [one.hedges_g for one in contrast.contrasts]
    g, low, high = (
        np.stack([getattr(one, end).ravel() for one in sizes], axis=1) for end in ("estimate", "low", "high")
    )
    g = np.where(np.isfinite(g), g, np.nan)
    shape = sizes[0].estimate.shape
    heads = [head_name((layer, head)) for layer, head in np.ndindex(*shape)]
    largest = np.argsort(-np.nanmax(np.abs(np.nan_to_num(g)), axis=1), kind="stable")[:MOST_HEADS]
    kept = np.sort(largest)
    differs = contrast.differs.reshape(len(sizes), -1).T
    return site_heatmap(
        g[kept], low[kept], high[kept], rows=[heads[i] for i in kept],
        columns=[one.role for one in contrast.contrasts], row_title="head", column_title="attention to",
        title=f"attention, {contrast.names[0]} minus {contrast.names[1]}", unit="Hedges' g",
        marked=differs[kept], limit=float(np.nanmax(np.abs(np.nan_to_num(g)))) or None,
    )  # fmt: skip


def _head_map(
    intervals: Intervals, marked: Bool[np.ndarray, "layer head"], *, title: str, unit: str, limit: float | None = None
) -> go.Figure:
    rows, columns = ([str(nth) for nth in range(size)] for size in marked.shape)
    return site_heatmap(
        intervals.estimate, intervals.low, intervals.high, rows=rows, columns=columns, row_title="layer",
        column_title="head", title=title, unit=unit, marked=marked, limit=limit,
    )  # fmt: skip
