"""What a report shows of a dictionary's features; all of it is descriptive."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from interp_lab.experiment import Section, there
from interp_lab.sae.features import texts
from interp_lab.sae.features.combination import Combination
from interp_lab.sae.features.config import SaeFeaturesConfig
from interp_lab.sae.features.differing import Difference
from interp_lab.sae.features.overview import Overview


def sections(
    config: SaeFeaturesConfig,
    overview: Overview,
    found: tuple[tuple[Difference, ...], tuple[Combination, ...]],
    tables: Mapping[str, pd.DataFrame],
    figures: Mapping[str, go.Figure],
) -> list[Section]:
    """Return features, then differences set by set, then classifiers."""
    differences, combined = found
    parts = [
        Section(
            title=f"Features of {overview.name} on text",
            causal=False,
            suggests=texts.features_suggest(config, overview),
            does_not_show=texts.FEATURES_DO_NOT_SHOW,
            figures=there(figures, "density", "specific"),
            tables=there(tables, "shown", "dense"),
        )
    ]
    for name in dict.fromkeys(one.name for one in differences):
        parts.append(_difference_section(config, name, differences, tables, figures))
    if combined:
        assert config.combination is not None, "there are classifiers"
        parts.append(
            Section(
                title=f"Few features that tell {config.combination.label}",
                causal=False,
                suggests=texts.combination_suggests(config, combined, hook=overview.hook),
                does_not_show=texts.COMBINATION_DOES_NOT_SHOW,
                figures=there(figures, *(f"accuracy_{one.reading}" for one in combined)),
                tables=there(tables, "monitors", "combination", "contexts", "weights"),
            )
        )
    return parts


def _difference_section(
    config: SaeFeaturesConfig,
    name: str,
    differences: tuple[Difference, ...],
    tables: Mapping[str, pd.DataFrame],
    figures: Mapping[str, go.Figure],
) -> Section:
    own = [(nth, one) for nth, one in enumerate(differences) if one.name == name]
    first = own[0][1]
    rows = {kind: tables[kind][tables[kind]["set"] == name].drop(columns="set") for kind in ("differences", "sets")}
    return Section(
        title=f"Features that differ: {first.names[0]} against {first.names[1]} ({name})",
        causal=False,
        suggests=texts.differences_suggest(config, [one for _, one in own]),
        does_not_show=texts.DIFFERENCES_DO_NOT_SHOW,
        figures=there(figures, *(f"{kind}_{nth}" for nth, _ in own for kind in ("volcano", "effects"))),
        tables={kind: table for kind, table in rows.items() if len(table)},
    )
