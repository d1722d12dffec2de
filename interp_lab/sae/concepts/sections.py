"""What a report shows of features and concepts; all of it is descriptive."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from interp_lab.experiment import Section, there
from interp_lab.sae.concepts import texts
from interp_lab.sae.concepts.claimed import ConceptsClaims

Tables = Mapping[str, pd.DataFrame]
Figures = Mapping[str, go.Figure]


def sections(found: ConceptsClaims, tables: Tables, figures: Figures) -> list[Section]:
    """Return the best units, what choosing them flatters, and probes of few."""
    return [
        Section(
            title=f"Features of {found.sae} ({found.config.model}) that go with a concept",
            causal=False,
            suggests=texts.best_suggests(found),
            does_not_show=texts.BEST_DOES_NOT_SHOW,
            figures=there(figures, "best", "beyond"),
            tables=there(tables, "concepts", "left out"),
        ),
        Section(
            title="What choosing the best of many units flatters",
            causal=False,
            suggests=texts.choosing_suggests(found),
            does_not_show=texts.CHOOSING_DOES_NOT_SHOW,
            figures=there(figures, "choosing"),
            tables=there(tables, "choosing"),
        ),
        Section(
            title="Probes that read few units",
            causal=False,
            suggests=texts.probes_suggest(found),
            does_not_show=texts.PROBES_DO_NOT_SHOW,
            figures=there(figures, "probes"),
            tables=there(tables, "probes"),
        ),
    ]
