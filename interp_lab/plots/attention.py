"""Attention patterns with their tokens: one head as a heatmap, several heads to pick from."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from interp_lab.plots.style import SEQUENTIAL, styled
from interp_lab.plots.text import literal, token_label

MOST_NAMED = 64
"""Tokens up to which each has its name beside the axis; beyond, the pointer tells."""
_BUNDLE = "dist/cdn/iife.js"
_TOLERANCE = 0.02
"""By which rows may miss their sum: patterns in bfloat16 do by up to 0.01."""


@dataclass(frozen=True)
class AttentionView:
    """Several heads over one prompt, of which the reader picks one.

    A notebook shows `figure()`. A report shows CircuitsVis's view if that package is installed (its bundle is
    inlined: 1.3 MB once a page, no request, no eval) and `figure()` otherwise; the page says which.
    """

    patterns: Float[np.ndarray, "head query key"]
    """Probabilities; rows sum to one, or to zero where a query was masked."""
    tokens: tuple[str, ...]
    names: tuple[str, ...]
    """Of the heads, such as `1.3`."""
    title: str

    def __post_init__(self) -> None:
        if not len(self.names) or len(self.names) != len(self.patterns):
            raise ValueError(f"{len(self.names)} names for {len(self.patterns)} heads; give one per head, at least one")
        for name, pattern in zip(self.names, self.patterns, strict=True):
            _require_pattern(pattern, self.tokens, what=f"head {name}")

    def figure(self) -> go.Figure:
        """Return one heatmap with a menu of the heads."""
        heads = [_rounded(pattern) for pattern in self.patterns]
        figure = attention_heatmap(self.patterns[0], self.tokens, title=self.title)
        figure.data[0].z = heads[0]
        buttons = [
            {"label": literal(name), "method": "restyle", "args": [{"z": [z]}]}
            for name, z in zip(self.names, heads, strict=True)
        ]
        menu = {"buttons": buttons, "name": "head", "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom"}
        return figure.update_layout(updatemenus=[menu], margin={"t": 80})

    def properties(self) -> dict[str, Any]:
        """Return what CircuitsVis's `AttentionHeads` takes; its text is shown as text, whatever it holds."""
        return {
            "attention": np.round(self.patterns.astype(float), 4).tolist(),
            "tokens": [token_label(token, longest=16) for token in self.tokens],
            "attentionHeadNames": [token_label(name, longest=24) for name in self.names],
            "maskUpperTri": all(_is_causal(pattern) for pattern in self.patterns),
        }

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:  # noqa: ANN401 - IPython's protocol
        return self.figure()._repr_mimebundle_(include, exclude)


def attention_heatmap(pattern: Float[np.ndarray, "query key"], tokens: Sequence[str], *, title: str) -> go.Figure:
    """Return the pattern of one head as a heatmap, queries down and keys across.

    Tokens stand by position, so that a word that comes twice is two rows; later keys of a causal pattern stay empty.

    Raises: ValueError, if the pattern is not square, does not fit the tokens, or holds no probabilities.
    """
    _require_pattern(pattern, tokens, what="the pattern")
    plain, places = [token_label(token, longest=16) for token in tokens], list(range(len(tokens)))
    labels = [literal(label) for label in plain]
    named = np.array([f"{place} {label}" for place, label in enumerate(labels)], dtype=object)
    figure = go.Figure(
        go.Heatmap(
            z=_rounded(pattern),
            x=places,
            y=places,
            customdata=np.stack(np.broadcast_arrays(named[:, None], named[None, :]), axis=-1),
            hovertemplate="from %{customdata[0]}<br>to %{customdata[1]}<br>attention %{z:.3f}<extra></extra>",
            hoverongaps=False,
            colorscale=SEQUENTIAL,
            zmin=0.0,
            zmax=1.0,
            colorbar={"title": {"text": "attention", "side": "right"}, "thickness": 12},
        )
    )
    cell = min(30.0, max(8.0, 640 / len(tokens)))
    shown = {"tickvals": places, "ticktext": labels} if len(tokens) <= MOST_NAMED else {}
    font = {"size": int(min(12, max(8, cell - 2)))}
    look = {"tickfont": font, "showgrid": False, "zeroline": False, **shown}
    figure.update_xaxes(title="attended to (key)", tickangle=-90, **look)
    figure.update_yaxes(title="from (query)", autorange="reversed", **look)
    beside = 6 * max(map(len, plain)) if shown else 20
    side = int(cell * max(len(tokens), 6))
    return styled(figure, title=literal(title), width=side + beside + 150, height=side + beside + 110)


def circuitsvis_bundle() -> str | None:
    """Return CircuitsVis's script, fit to stand between `<script>` and `</script>`; `None` if it is not installed.

    The package itself is not imported: showing one of its figures would ask a server whether there is a network.
    """
    found = find_spec("circuitsvis")
    if found is None or not found.submodule_search_locations:
        return None
    bundle = Path(found.submodule_search_locations[0]) / _BUNDLE
    return bundle.read_text("utf-8").replace("\r\n", "\n").replace("</script", "<\\/script")


def _rounded(pattern: Float[np.ndarray, "query key"]) -> list[list[float | None]]:
    """Return three decimals, and nothing where a causal pattern cannot look."""
    blank = np.triu(np.ones_like(pattern, dtype=bool), 1) & _is_causal(pattern)
    rows = np.where(blank, None, np.round(pattern.astype(float), 3).astype(object))  # ty: ignore[no-matching-overload]
    return rows.tolist()


def _is_causal(pattern: Float[np.ndarray, "query key"]) -> bool:
    return not np.triu(pattern, 1).any()


def _require_pattern(pattern: np.ndarray, tokens: Sequence[str], *, what: str) -> None:
    if not len(tokens) or pattern.shape != (len(tokens), len(tokens)):
        raise ValueError(
            f"{what} has the shape {tuple(pattern.shape)} for {len(tokens)} tokens; it must be one row and one column "
            "per token, BOS included"
        )
    sums = pattern.sum(-1)
    fits = np.isfinite(pattern).all() and (pattern >= 0).all()
    if not fits or not (np.isclose(sums, 1, atol=_TOLERANCE) | np.isclose(sums, 0, atol=_TOLERANCE)).all():
        raise ValueError(
            f"{what} is no attention pattern: its rows must be probabilities that sum to 1 (values from "
            f"{np.nanmin(pattern):.3g} to {np.nanmax(pattern):.3g}); capture hook_pattern, not hook_attn_scores"
        )
