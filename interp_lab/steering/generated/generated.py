"""What was written under each setting, beside random directions: a part of a steering result."""

from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from interp_lab.experiment import Section
from interp_lab.steering.generated import figures, sections, tables
from interp_lab.steering.generated.continuations import Continuations


@dataclass(frozen=True)
class Generated(Continuations):
    """Continuations, as a part of a result: numbers, tables, figures, sections."""

    def metrics(self) -> dict[str, float]:
        """Return flat numbers: means of each measure without steering, and mean changes under each setting.

        `generated/MEASURE` is without steering; `generated/N/MEASURE` is the change under the N-th setting, from 1, and
        `generated/N/random/MEASURE` the mean change under its random directions. A measure without a value is left out.
        """
        found: dict[str, float] = {}
        for name in self.values:
            found[f"generated/{name}"] = self.interval(self.values[name][0]).estimate
            for nth in range(len(self.names)):
                found[f"generated/{nth + 1}/{name}"] = self.interval(self.changes(name)[nth]).estimate
                found[f"generated/{nth + 1}/random/{name}"] = self.random_interval(name, nth).estimate
        return {name: value for name, value in found.items() if value == value}

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return `generated`, one row per setting and measure, and `continuations`, one row per opening."""
        return {"generated": tables.measures_table(self), "continuations": tables.continuations_table(self)}

    def figures(self) -> dict[str, go.Figure]:
        """Return the change of the target, and of fluency, under each setting beside its random directions."""
        target = figures.change_plot(self, self.target)
        return {"generated": target, "generated_fluency": figures.change_plot(self, "fluency")}

    def sections(self) -> list[Section]:
        """Return what a report shows of it."""
        return [sections.section(self, self.tables(), self.figures())]
