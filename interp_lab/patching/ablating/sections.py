"""What a report shows of ablations: what parts write is descriptive, what is lost without them causal."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from interp_lab.experiment import Section, there
from interp_lab.patching.ablating import texts
from interp_lab.patching.ablating.claimed import AblationClaims

Tables = Mapping[str, pd.DataFrame]
Figures = Mapping[str, go.Figure]


def sections(found: AblationClaims, tables: Tables, figures: Figures) -> list[Section]:
    """Return the sections that there is something for, of the tables and figures of a result."""
    made = [] if found.direct is None else [direct_section(found, tables, figures)]
    made += [ablated_section(found, tables, figures), sets_section(found, tables, figures)]
    if found.directions:
        made.append(
            Section(
                title=f"Directions that {found.config.task} needs in {found.config.model}",
                causal=True,
                suggests=texts.directions_suggest(found),
                does_not_show=texts.DIRECTIONS_DO_NOT_SHOW,
                figures=there(figures, "directions"),
                tables=there(tables, "directions"),
            )
        )
    if found.screen is not None:
        made.append(
            Section(
                title=f"Estimated and exact patches: {found.config.prescreen} as a prescreen",
                causal=True,
                suggests=texts.prescreen_suggests(found),
                does_not_show=texts.PRESCREEN_DOES_NOT_SHOW,
                tables=there(tables, "prescreen"),
            )
        )
    return made


def direct_section(found: AblationClaims, tables: Tables, figures: Figures) -> Section:
    """Return what parts write straight to the metric: nothing was changed."""
    shown = tables["sites"][["map", "site", "direct", "direct_low", "direct_high"]]
    order = shown["direct"].abs().sort_values(ascending=False, kind="stable").index
    return Section(
        title=f"Direct logit attribution: what parts of {found.config.model} write, {found.config.task}",
        causal=False,
        suggests=texts.direct_suggests(found),
        does_not_show=texts.DIRECT_DOES_NOT_SHOW,
        figures=there(figures, "direct"),
        tables={"what each part writes": shown.reindex(order)},
    )


def ablated_section(found: AblationClaims, tables: Tables, figures: Figures) -> Section:
    """Return what is lost without each part, beside what it writes."""
    return Section(
        title=f"Ablation: what {found.config.task} needs in {found.config.model}",
        causal=True,
        suggests=texts.ablated_suggests(found),
        does_not_show=texts.ablated_does_not_show(found),
        figures=there(figures, "ablated", "compared"),
        tables=there(tables, "sites", "agreement"),
    )


def sets_section(found: AblationClaims, tables: Tables, figures: Figures) -> Section:
    """Return parts ablated together: chosen ones, one on top of the other, and heads with their stand-ins."""
    return Section(
        title=f"Parts of {found.config.model} ablated together: do they add up, or stand in for each other?",
        causal=True,
        suggests=texts.sets_suggests(found),
        does_not_show=texts.sets_do_not_show(found),
        figures=there(figures, "cumulative", "backups"),
        tables=there(tables, "sets", "cumulative", "backups"),
    )
