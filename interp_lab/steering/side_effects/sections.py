"""What a report shows of side effects: what directions do is causal, how alike they are descriptive."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from interp_lab.experiment import Section, there
from interp_lab.steering.side_effects import texts
from interp_lab.steering.side_effects.found import SideEffectsFound

Tables = Mapping[str, pd.DataFrame]
Figures = Mapping[str, go.Figure]


def sections(found: SideEffectsFound, tables: Tables, figures: Figures) -> list[Section]:
    """Return the sections that there is something for, of the tables and figures of a result."""
    made = [matrix_section(found, tables, figures), interactions_section(found, tables, figures)]
    made.append(
        Section(
            title="How alike are the directions of different traits?",
            causal=False,
            suggests=texts.cosines_suggest(found),
            does_not_show=texts.COSINES_DO_NOT_SHOW,
            figures=there(figures, "cosines", "cosines_elsewhere"),
            tables=there(tables, "cosines", "cosines_elsewhere"),
        )
    )
    return made + stability_sections(found, tables, figures) if found.stability else made


def matrix_section(found: SideEffectsFound, tables: Tables, figures: Figures) -> Section:
    """Return what each direction does to every trait."""
    return Section(
        title="Side effects: what directions do to other traits",
        causal=True,
        suggests=texts.matrix_suggests(found),
        does_not_show=texts.MATRIX_DOES_NOT_SHOW,
        figures=there(
            figures, "side_effects", "side_effects_negative", "side_effects_odds", "side_effects_odds_negative",
            "beside_random",
        ),
        tables=there(tables, "side_effects", "coefficients"),
    )  # fmt: skip


def interactions_section(found: SideEffectsFound, tables: Tables, figures: Figures) -> Section:
    """Return what two directions do at once."""
    return Section(
        title="Two directions at once: do they add up?",
        causal=True,
        suggests=texts.interactions_suggest(found),
        does_not_show=texts.INTERACTIONS_DO_NOT_SHOW,
        figures=there(figures, "interactions"),
        tables=there(tables, "interactions"),
    )


def stability_sections(found: SideEffectsFound, tables: Tables, figures: Figures) -> list[Section]:
    """Return how alike directions from fewer pairs are (descriptive), and what they do (causal)."""
    alike, effects = ([name for name in figures if name.startswith(kind)] for kind in ("cosine_by", "effect_by"))
    return [
        Section(
            title="Directions from fewer pairs: do they point the same way?",
            causal=False,
            suggests=texts.stability_suggests(found),
            does_not_show=texts.STABILITY_DOES_NOT_SHOW,
            figures=there(figures, *alike),
            tables={
                "cosines by number of pairs": tables["from_fewer_pairs"][_ALIKE],
                "cosines by layer": tables["by_layer"][_BY_LAYER],
            },
        ),
        Section(
            title="Directions from fewer pairs, and of other layers: do they do the same?",
            causal=True,
            suggests=texts.pairs_suggest(found),
            does_not_show=texts.STABILITY_DOES_NOT_SHOW,
            figures=there(figures, *effects),
            tables={
                "effects by number of pairs": tables["from_fewer_pairs"].drop(columns=_ALIKE[5:]),
                "effects by layer": tables["by_layer"].drop(columns=["between", "noise_per_pair"]),
            },
        ),
    ]


_ALIKE = ["trait", "pairs", "hook", "draws", "apart", "to_full", "to_full_low", "to_full_high", "expected", "between"]
_BY_LAYER = ["trait", "hook", "pairs_of_those_made_again", "between", "noise_per_pair"]
