"""What a report shows of a training of autoencoders: descriptive, all of it that is not the evaluation's own."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from interp_lab.experiment import Section, there
from interp_lab.sae import texts
from interp_lab.sae.found import Found


def sections(found: Found, tables: Mapping[str, pd.DataFrame], figures: Mapping[str, go.Figure]) -> list[Section]:
    """Return what was made, how it was judged, how training went, and what activations were like before it."""
    config = found.config
    made = Section(
        title=f"Autoencoders at {config.hook} of {config.model}",
        causal=False,
        suggests=texts.table_suggests(found),
        does_not_show=texts.TABLE_DOES_NOT_SHOW,
        tables=there(tables, "autoencoders"),
    )
    training = Section(
        title="How training went",
        causal=False,
        suggests=texts.training_suggests(found),
        does_not_show=texts.TRAINING_DOES_NOT_SHOW,
        figures=there(figures, "training"),
    )
    before = Section(
        title="What the activations are like, before training",
        causal=False,
        suggests=texts.activations_suggest(found.preflight, config.all_trained.saes.values()),
        does_not_show=texts.ACTIVATIONS_DO_NOT_SHOW,
        tables=there(tables, "activations"),
    )
    return [made, *found.evaluation.sections(), training, before]
