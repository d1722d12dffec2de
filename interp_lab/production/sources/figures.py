"""What methods say of sources, drawn."""

import numpy as np
import plotly.graph_objects as go
from markupsafe import Markup

from interp_lab.claims import Split
from interp_lab.plots import interval_plot
from interp_lab.production.sources.answers import UNIT
from interp_lab.production.sources.claimed import WITHOUT, SourcesClaims
from interp_lab.production.sources.marked import LEGEND, marked
from interp_lab.types import Interval

_BLOCK = Markup('<div style="margin:0 0 20px"><div style="font-weight:600">{}</div>{}</div>')


def accuracy_figure(found: SourcesClaims) -> go.Figure:
    """Return how often each method names the true source first, also of wrong answers, beside scores dealt out."""
    series: dict[str, list[Interval]] = {}
    for split, held in found.splits.items():
        hits = [*held.hits, held.shuffled_hits.mean(0)]
        series[str(split)] = [found.share(one, held) for one in hits]
        wrong = held.right == 0
        if split is Split.REPORT and wrong.any():
            name = f"{split}, the {wrong.sum()} wrong answers"
            series[name] = [found.share(np.where(wrong, one, np.nan), held) for one in hits]
    title = "names the source that the answer comes from"
    return interval_plot(series, [*found.names, "dealt out at random"], title=title, unit="share of prompts")


def needed_figure(found: SourcesClaims) -> go.Figure:
    """Return what the answer loses without the first sources of each method, beside as many at random."""
    series: dict[str, list[Interval]] = {}
    for split, held in found.splits.items():
        own = [found.over(one, held) for one in held.needed[1]]
        series[str(split)] = [*own, found.over(held.by_lot[1].mean(0), held)]
    title = f"lost when the source ranked first is {WITHOUT[found.tested_by]}"
    return interval_plot(series, [*found.names, "drawn at random"], title=title, unit=f"fall of the answer ({UNIT})")


def shown_prompts(found: SourcesClaims) -> Markup:
    """Return some prompts, their sources coloured by what leaving each out does and by attention."""
    held, names = found.report, found.names
    blocks = []
    for row in range(min(found.config.n_shown, len(held.texts))):
        spans = [
            (int(start), int(stop)) for start, stop in zip(held.starts[row], held.stops[row], strict=True) if start >= 0
        ]
        for name in (found.config.scoring.causal[0], "attention"):
            values = held.values[names.index(name), row, : len(spans)].tolist()
            share = " (a share, whatever is answered)" if name == "attention" else ""
            title = f"answer {str(held.answers[row]).strip()!r}, by {name}{share}"
            blocks.append(_BLOCK.format(title, marked(str(held.texts[row]), spans, values)))
    return LEGEND + Markup("").join(blocks)
