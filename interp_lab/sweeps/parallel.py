"""Trials as lines through their values to the metric: parallel coordinates that also show what has no value.

Plotly's own trace for this leaves out lines with a missing end, and those are trials that failed.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float
from plotly.colors import sample_colorscale

from interp_lab.plots import styled
from interp_lab.plots.text import literal
from interp_lab.sweeps.config import number_text
from interp_lab.sweeps.found import Found
from interp_lab.sweeps.marks import BAD, HALF, below, hover
from interp_lab.sweeps.searched import FAILED, STOPPED

MOST_AXES = 9
"""Parameters that are drawn; the tables have all."""
N_SHADES = 12
_DARK, _LIGHT = 0.0, 0.88
"""Ends of the part of the colour scale that can be told from white; dark is better."""
_SPREAD = 0.05
"""Of trials with the same choice, along the axis (share of its length)."""
_KINDS = {FAILED: ("failed", BAD, "dot", -0.12), STOPPED: ("stopped early", HALF, "dash", -0.22)}
"""Of trials that are not compared: name, colour, dashes, and where below the metric's axis they end."""


def parallel_coordinates(found: Found) -> go.Figure | None:
    """Return one line per trial, coloured by the metric; those without one end below its axis.

    `None` if no parameter varied.
    """
    if not found.varied:
        return None
    s, shown = found.searched, found.varied[:MOST_AXES]
    places = np.stack([_along(found, nth) for nth in shown], axis=1)
    figure = go.Figure()
    if s.n_comparable:
        _add_compared(figure, found, places)
    for state, (label, colour, dash, end) in _KINDS.items():
        rows = s.ended(state)
        line = {"color": colour, "dash": dash, "width": 1.5}
        ending = np.column_stack([places, np.full(len(places), end)])
        _add_lines(figure, found, rows, ending, name=label, line=line, cross=9)
    _add_axes(figure, found, shown)
    width = 240 + 108 * max(len(shown), 2)
    figure = styled(figure, title="values of each trial, and its metric", width=width, height=430)
    return below(figure.update_layout(margin={"t": 84, "b": 10, "l": 50, "r": 20}))


def _add_compared(figure: go.Figure, found: Found, places: Float[np.ndarray, "trial axis"]) -> None:
    """Add trials that have a value, in shades, then the best, then the bar that says what shades mean."""
    s, sign = found.searched, found.config.sign
    rows = np.flatnonzero(s.comparable)
    low, high = float(s.metric[rows].min()), float(s.metric[rows].max())
    height = np.full(len(s.metric), 0.5)
    height[rows] = (s.metric[rows] - low) / (high - low) if high > low else 0.5
    whole = np.column_stack([places, height])
    gain = height if sign > 0 else 1 - height
    shade = np.minimum((gain * N_SHADES).astype(int), N_SHADES - 1)
    for nth in range(N_SHADES):
        own = rows[shade[rows] == nth]
        _add_lines(figure, found, own, whole, name="", line={"color": _colour((nth + 0.5) / N_SHADES), "width": 1.5})
    if high > low:
        best = np.flatnonzero(s.comparable & (s.metric == s.metric[found.best]))
        _add_lines(figure, found, best, whole, name=f"best of {len(rows)}", line={"color": "black", "width": 3.5})
        _add_bar(figure, found, low, high)


def _add_bar(figure: go.Figure, found: Found, low: float, high: float) -> None:
    """Add the bar that says what shades mean, by a mark that is not seen."""
    shares = np.linspace(0, 1, N_SHADES).tolist()
    scale = [[share, _colour(share if found.config.sign > 0 else 1 - share)] for share in shares]
    bar = {"thickness": 12, "title": {"text": literal(found.config.metric), "side": "right"}}
    figure.add_scatter(
        x=[0], y=[0.5], mode="markers", showlegend=False, hoverinfo="skip", opacity=0,
        marker={"color": [low], "cmin": low, "cmax": high, "colorscale": scale, "showscale": True, "colorbar": bar},
    )  # fmt: skip


def _along(found: Found, nth: int) -> Float[np.ndarray, " trial"]:
    """Return where on its axis each trial's value of a parameter stands, from 0 to 1."""
    one, values = found.known[nth], found.searched.values[:, nth]
    if one.choices is not None:
        apart = ((found.searched.numbers * 0.618) % 1 - 0.5) * _SPREAD
        return values / (len(one.choices) - 1) + apart
    low, high = _ends(found, nth)
    scaled = np.log(values) if _is_log(found, nth) else values
    return (scaled - low) / (high - low)


def _is_log(found: Found, nth: int) -> bool:
    values = found.searched.values[:, nth]
    return found.known[nth].is_log and bool((values[~np.isnan(values)] > 0).all())


def _ends(found: Found, nth: int) -> tuple[float, float]:
    values = found.searched.values[:, nth]
    values = np.log(values) if _is_log(found, nth) else values
    return float(np.nanmin(values)), float(np.nanmax(values))


def _add_lines(
    figure: go.Figure,
    found: Found,
    rows: np.ndarray,
    places: Float[np.ndarray, "trial axis"],
    *,
    name: str,
    line: Mapping[str, object],
    cross: int = 0,
) -> None:
    """Add trials as one trace, with gaps between them, and a cross of so many pixels at their ends."""
    if not len(rows):
        return
    n_axes = places.shape[1]
    gap: list[float | None] = [None]
    sizes = [0] * (n_axes - 1) + [cross, 0]
    figure.add_scatter(
        x=[*range(n_axes), *gap] * len(rows),
        y=[y for row in rows for y in [*places[row].tolist(), *gap]],
        mode="lines+markers" if cross else "lines", name=name, showlegend=bool(name), line=line, opacity=0.85,
        marker={"symbol": "x", "size": sizes * len(rows), "opacity": 1, "line": {"width": 0}},
        text=[text for row in rows.tolist() for text in [hover(found, row)] * (n_axes + 1)],
        hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip


def _add_axes(figure: go.Figure, found: Found, shown: Sequence[int]) -> None:
    """Draw an upright axis for each parameter and for the metric, with its name and its values."""
    s, metric = found.searched, found.config.metric
    axes = [(found.known[nth].name, _ticks(found, nth)) for nth in shown]
    ends = {place: name for state, (name, _, _, place) in _KINDS.items() if len(s.ended(state))}
    if s.n_comparable:
        low, high = s.metric[s.comparable].min(), s.metric[s.comparable].max()
        values = {0.0: low, 1.0: high} if high > low else {0.5: low}
        ends |= {place: number_text(value) for place, value in values.items()}
    axes.append((metric, ends))
    for x, (name, ticks) in enumerate(axes):
        figure.add_shape(type="line", x0=x, x1=x, y0=-0.03, y1=1.03, line={"color": "#444", "width": 1}, layer="below")
        _add_label(figure, x, 1.05, f"<b>{literal(_wrapped(name))}</b>".replace("\n", "<br>"), "bottom", "center")
        for y, text in ticks.items():
            _add_label(figure, x, float(y), literal(text if len(text) < 17 else f"{text[:15]}…"), "middle", "left")
    figure.update_xaxes(visible=False, range=[-0.15, len(axes) - 1 + 0.35])
    figure.update_yaxes(visible=False, range=[min(-0.06, *ends) - 0.04, 1.06])


def _wrapped(name: str) -> str:
    """Break a dotted name where it is too long for the distance between axes."""
    if len(name) <= 18:
        return name
    front, dot, last = name.rpartition(".")
    return f"{front}{dot}\n{last}"


def _add_label(figure: go.Figure, x: int, y: float, text: str, yanchor: str, xanchor: str) -> None:
    figure.add_annotation(
        x=x, y=y, text=text, showarrow=False, xanchor=xanchor, yanchor=yanchor, xshift=4 if xanchor == "left" else 0,
        font={"size": 11, "color": "#222"}, bgcolor="rgba(255, 255, 255, 0.75)" if xanchor == "left" else None,
        borderpad=1,
    )  # fmt: skip


def _ticks(found: Found, nth: int) -> dict[float, str]:
    one = found.known[nth]
    if one.choices is not None:
        return {place / (len(one.choices) - 1): text for place, text in enumerate(one.labels)}
    low, high = _ends(found, nth)
    middle = (low + high) / 2
    return {
        place: number_text(float(np.exp(value)) if _is_log(found, nth) else value)
        for place, value in ((0.0, low), (0.5, middle), (1.0, high))
    }


def _colour(gain: float) -> str:
    """Return the shade of a trial; `gain` is 1 for the best and 0 for the worst."""
    return sample_colorscale("Viridis", [_LIGHT + (_DARK - _LIGHT) * gain])[0]
