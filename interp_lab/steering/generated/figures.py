"""Figures of what was written."""

import plotly.graph_objects as go

from interp_lab.plots import interval_plot, legend_above
from interp_lab.steering.generated.continuations import MEASURES, Continuations


def change_plot(found: Continuations, measure: str) -> go.Figure:
    """Return the change of a measure under each setting, beside the range of its random directions."""
    changes = found.changes(measure)
    settings = range(len(found.names))
    series = {
        "setting": [found.interval(changes[nth]) for nth in settings],
        f"{found.n_random} random directions": [found.random_interval(measure, nth) for nth in settings],
    }
    title = f"what is written: change of {NAMES.get(measure, measure)}"
    figure = interval_plot(series, [_label(name) for name in found.names], title=title, unit=MEASURES[measure])
    return legend_above(figure.update_layout(height=130 + 72 * len(found.names)))


def _label(name: str) -> str:
    """Return the name of a setting in lines, or it would take the room of the figure on a narrow page."""
    return name.replace(" at ", "<br>at ").replace(", ", "<br>")


NAMES = {"lexicon": "the balance of words", "fluency": "fluency under the unsteered model"}
"""Of measures, in titles."""
