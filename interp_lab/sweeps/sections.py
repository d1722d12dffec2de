"""What a report shows of a sweep: everything in it is description, for no intervention was made on a model."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from interp_lab.experiment import Section, there
from interp_lab.sweeps import texts
from interp_lab.sweeps.found import Found

Tables = Mapping[str, pd.DataFrame]
Figures = Mapping[str, go.Figure]


def sections(found: Found, tables: Tables, figures: Figures) -> list[Section]:
    """Return the sections that there is something for; the first and the last are always there."""
    shown = {
        "what was searched": tables["parameters"],
        "trials that cannot be compared": tables.get("ended_badly", pd.DataFrame()),
    }
    made = [
        _section(
            f"What was searched: {found.config.task}",
            texts.searched_suggests(found),
            texts.SEARCHED_DOES_NOT_SHOW,
            there(figures, "history"),
            {name: table for name, table in shown.items() if not table.empty},
        )
    ]
    if found.varied:
        best = {f"best {len(tables['best'])} trials": tables["best"]} if "best" in tables else {}
        made.append(
            _section(
                f"Settings and what they came to: {found.config.metric}",
                texts.settings_suggest(found),
                texts.SETTINGS_DO_NOT_SHOW,
                there(figures, "parallel", "grid", "parameters"),
                best,
            )
        )
    return made + _chosen(found, tables, figures)


def _chosen(found: Found, tables: Tables, figures: Figures) -> list[Section]:
    made = []
    if "front" in tables or (found.best is not None and found.unknown_objectives):
        made.append(
            _section(
                f"What {found.config.metric} is weighed against",
                texts.front_suggests(found),
                texts.FRONT_DOES_NOT_SHOW,
                there(figures, "front"),
                {"trials that no other beats": tables["front"]} if "front" in tables else {},
            )
        )
    if found.best is not None:
        made.append(
            _section(
                "Which parameters tell the better trials from the rest",
                texts.important(found),
                texts.IMPORTANCE_DOES_NOT_SHOW,
                there(figures, "importance"),
                there(tables, "importance"),
            )
        )
    made.append(
        _section(
            f"The best of {found.searched.n_comparable} on held-out examples",
            texts.held_out(found) + texts.shrunk(found),
            texts.HELD_OUT_DOES_NOT_SHOW,
            there(figures, "held_out", "shrinkage"),
            there(tables, "shrinkage", "again"),
        )
    )
    return made


def _section(title: str, suggests: str, does_not_show: str, figures: Figures, tables: Tables) -> Section:
    return Section(title, causal=False, suggests=suggests, does_not_show=does_not_show, figures=figures, tables=tables)
