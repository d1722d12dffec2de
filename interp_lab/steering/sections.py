"""What a report shows of steering: effects and prices are causal, where directions come from is descriptive."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from interp_lab.experiment import Section, there
from interp_lab.steering import texts
from interp_lab.steering.claimed import SteeringClaims

Tables = Mapping[str, pd.DataFrame]
Figures = Mapping[str, go.Figure]


def sections(found: SteeringClaims, tables: Tables, figures: Figures) -> list[Section]:
    """Return the sections that there is something for, of the tables and figures of a result."""
    c, cards = found.config, [name for name in tables if name.startswith("card ")]
    made = [
        Section(
            title=f"Steering {c.trait} in {c.model}: effect and price",
            causal=True,
            suggests=texts.price_suggests(found),
            does_not_show=texts.PRICE_DOES_NOT_SHOW + ("" if c.chosen else texts.GREY_POINTS_CHOSE),
            figures=there(figures, "pareto"),
            tables=there(tables, *cards, "methods", "capabilities"),
        )
    ]
    if found.leading:
        made += _leading(found, tables, figures)
    for part in (found.generated, found.side_effects):
        made += [] if part is None else part.sections()
    made.append(
        Section(
            title=f"Directions of {c.trait} in {c.model}",
            causal=False,
            suggests=texts.directions_suggest(found),
            does_not_show=texts.DIRECTIONS_DO_NOT_SHOW,
            tables=there(tables, "directions", "gates"),
        )
    )
    return made


def _leading(found: SteeringClaims, tables: Tables, figures: Figures) -> list[Section]:
    doses, grids = ([name for name in figures if name.startswith(kind)] for kind in ("dose-response", "grid"))
    made = [
        Section(
            title="Beside directions without a meaning",
            causal=True,
            suggests=texts.controls_suggest(found),
            does_not_show=texts.CONTROLS_DO_NOT_SHOW,
            figures=there(figures, "controls", *doses),
            tables=there(tables, "controls", "dose-response"),
        ),
        Section(
            title="Prompt by prompt, and on prompts that chose nothing",
            causal=True,
            suggests=texts.reliability_suggests(found),
            does_not_show=texts.RELIABILITY_DOES_NOT_SHOW,
            figures=there(figures, "prompts"),
            tables=there(tables, "reliability"),
        ),
    ]
    if found.config.chosen is not None:
        return made
    return [
        *made,
        Section(
            title="Where and how strongly: the grid that was chosen from",
            causal=True,
            suggests=texts.grid_suggests(found),
            does_not_show=texts.GRID_DOES_NOT_SHOW,
            figures=there(figures, *grids),
            tables=there(tables, "settings"),
        ),
    ]
