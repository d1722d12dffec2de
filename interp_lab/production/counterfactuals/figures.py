"""Figures of what was found."""

import numpy as np
import plotly.graph_objects as go
from markupsafe import Markup

from interp_lab.plots import interval_plot, legend_above
from interp_lab.plots.text import literal
from interp_lab.production.counterfactuals.choice import AnyValue
from interp_lab.production.counterfactuals.claimed import UNIT, CounterfactualClaims
from interp_lab.production.counterfactuals.diffs import diff_table
from interp_lab.production.counterfactuals.tables import fairness_of
from interp_lab.types import Interval


def methods(found: CounterfactualClaims) -> go.Figure:
    """Return how often each method finds a flip, beside random edits of the same size."""
    names: list[str] = []
    series: dict[str, list[Interval]] = {"a flip is found": [], "random edits of the same size": []}
    for split, held in found.splits.items():
        for nth, method in enumerate(held.found.methods):
            names.append(f"{method}<br>{split}")
            own = np.isfinite(held.found.size[nth]).astype(float)
            series["a flip is found"].append(found.interval(own, held.texts.template))
            series["random edits of the same size"].append(found.interval(held.found.random[nth], held.texts.template))
    title = f"texts of {literal(found.config.behaviour)} that flip within {found.config.most_edits} edits"
    return legend_above(interval_plot(series, names, title=title, unit=UNIT))


def tested(found: CounterfactualClaims) -> go.Figure | None:
    """Return how often changing each chosen attribute flips the answer; `None` if nothing was chosen."""
    names: list[str] = []
    series: dict[str, list[Interval]] = {"this attribute": [], "random edits, as many": []}
    for split in found.splits:
        for one in found.chosen:
            kind = ", any value" if isinstance(one, AnyValue) else ""
            names.append(f"{literal(one.attribute)}{kind}<br>{split}")
            series["this attribute"].append(found.share(one, split))
            series["random edits, as many"].append(found.control(one, split))
    if not names:
        return None
    return legend_above(interval_plot(series, names, title="changing one attribute flips the answer", unit=UNIT))


def fairness(found: CounterfactualClaims) -> go.Figure | None:
    """Return what changing a protected attribute alone does; `None` if none is declared."""
    names: list[str] = []
    shown: list[Interval] = []
    for split, held in found.splits.items():
        for nth, name in enumerate(held.fair.names):
            for key, interval in fairness_of(found, split, nth).items():
                if np.isfinite(interval.estimate):
                    names.append(f"{literal(name)}: {key}<br>{split}")
                    shown.append(interval)
    if not names:
        return None
    return interval_plot({"share of texts, or of values": shown}, names, title="only a protected attribute changed",
                         unit="share")  # fmt: skip


def flips(found: CounterfactualClaims) -> Markup | None:
    """Return texts of the report split beside the flip that each method found; `None` if none is shown."""
    held, rows = found.report, []
    for column in range(min(found.config.n_shown, len(held.texts.text))):
        for nth in np.flatnonzero(np.isfinite(held.found.size[:, column])):
            own = held.found
            foretold = f"foretold {own.estimated[nth, column]:+.2f}"
            odds = f"{held.texts.turn[column]:+.2f} to {own.turn[nth, column]:+.2f} ({foretold})"
            rows.append(
                (
                    str(held.texts.text[column]),
                    str(own.edited[nth, column]),
                    f"{own.methods[nth]}: {own.told[nth, column]}",
                    str(held.texts.answer[column]),
                    odds,
                    f"{own.plausibility[nth, column]:+.2f} nats per token",
                )
            )
    return diff_table(rows) if rows else None
