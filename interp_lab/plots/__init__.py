"""Figures: plotly, one function each, no global theme touched."""

from interp_lab.plots.attention import AttentionView, attention_heatmap
from interp_lab.plots.graph import circuit_graph
from interp_lab.plots.graph_layout import GraphEdge
from interp_lab.plots.heads import head_map
from interp_lab.plots.intervals import error_bars, interval_plot
from interp_lab.plots.sites import site_heatmap
from interp_lab.plots.style import legend_above, styled

__all__ = [
    "AttentionView",
    "GraphEdge",
    "attention_heatmap",
    "circuit_graph",
    "error_bars",
    "head_map",
    "interval_plot",
    "legend_above",
    "site_heatmap",
    "styled",
]
