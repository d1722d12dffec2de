"""What a report shows of features: what they fire on is descriptive, what their change does causal."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from interp_lab.experiment import Section, there
from interp_lab.sae.causal import texts
from interp_lab.sae.causal.claimed import FeatureClaims

Tables = Mapping[str, pd.DataFrame]
Figures = Mapping[str, go.Figure]
FIRES = ["feature", "fires_on", "writes", "differs", "differs_low", "differs_high"]
"""Columns that say what a feature does without any intervention."""


def sections(found: FeatureClaims, tables: Tables, figures: Figures) -> list[Section]:
    """Return the sections that there is something for."""
    c = found.config
    made = [
        Section(
            title=f"Features of {c.model} on {c.task}: what they fire on, and what they would write",
            causal=False,
            suggests=texts.fires_suggests(found),
            does_not_show=texts.FIRES_DOES_NOT_SHOW,
            tables={"what features fire on": tables["features"][FIRES]},
        ),
        Section(
            title=f"What {c.operations[0].phrase} features does to {c.task} in {c.model}",
            causal=True,
            suggests=texts.effects_suggests(found),
            does_not_show=texts.EFFECTS_DO_NOT_SHOW,
            figures=there(figures, "effects"),
            tables={"features": tables["features"].drop(columns=FIRES[2:]), **there(tables, "operations")},
        ),
        Section(
            title=f"What goes through features at {found.hook}, and what through the dictionary's error",
            causal=True,
            suggests=texts.shares_suggests(found),
            does_not_show=texts.SHARES_DO_NOT_SHOW,
            figures=there(figures, "shares", "growing"),
            tables=there(tables, "shares", "patches", "growing"),
        ),
        Section(
            title="Ways to choose features, against what changing them does",
            causal=True,
            suggests=texts.selection_suggests(found),
            does_not_show=texts.SELECTION_DOES_NOT_SHOW,
            figures=there(figures, "selection"),
            tables=there(tables, "selection"),
        ),
    ]
    if found.text is not None:
        made.append(
            Section(
                title=f"Text with these features silent: the loss of {c.model}",
                causal=True,
                suggests=texts.text_suggests(found),
                does_not_show=texts.TEXT_DOES_NOT_SHOW,
                tables=there(tables, "text"),
            )
        )
    return made
