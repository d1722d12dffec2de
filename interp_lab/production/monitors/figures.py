"""Figures of monitors."""

import plotly.graph_objects as go

from interp_lab.plots import interval_plot
from interp_lab.plots.style import legend_above, styled
from interp_lab.production.monitors.claimed import WAYS, MonitorsClaims
from interp_lab.stats import probability_of
from interp_lab.stats.calibration import reliability


def areas_figure(found: MonitorsClaims) -> go.Figure:
    """Return the area under the ROC curve of every score, by part."""
    series = {part: [found.area(held, group) for group in found.groups.values()] for part, held in found.parts.items()}
    figure = interval_plot(
        series, list(found.groups), title="texts told apart (0.5 is chance)", unit="area under the ROC curve"
    )
    return figure.update_xaxes(range=[-0.02, 1.04])


def alarms_figure(found: MonitorsClaims) -> go.Figure:
    """Return how often the words are written, by what is done on an alarm."""
    ways = [*WAYS, "random responses"]
    series = {
        part: [*(found.said(held, nth) for nth in range(len(WAYS))), found.said_at_random(held)]
        for part, held in found.parts.items()
    }
    figure = interval_plot(series, ways, title="texts to be warned of in which the words are written", unit="share")
    return figure.update_xaxes(range=[-0.02, 1.04])


def calibration_figure(found: MonitorsClaims) -> go.Figure:
    """Return shares of texts to be warned of beside the probability that the monitor gives them."""
    to_probability = probability_of(found.calibrate.scores[0], found.calibrate.labels)
    figure = go.Figure()
    line = {"color": "#888", "dash": "dot"}
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line=line, showlegend=False, hoverinfo="skip")
    for name, part in found.parts.items():
        bins = reliability(to_probability(part.scores[0]), part.labels.astype(float), n_bins=8)
        figure.add_scatter(x=bins["confidence"], y=bins["right"], mode="markers+lines", name=name)
    figure.update_xaxes(title="probability given", range=[-0.03, 1.03])
    figure.update_yaxes(title="share to be warned of", range=[-0.03, 1.03])
    return legend_above(styled(figure, title="are the monitor's probabilities what they say?", width=560, height=420))
