"""What was found of features and concepts: arrays, and how they are shown."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from interp_lab.claims import Split
from interp_lab.experiment import Provenance, Section
from interp_lab.sae.concepts import figures, sections, tables, texts
from interp_lab.sae.concepts.claimed import ConceptsClaims
from interp_lab.sae.concepts.config import ConceptsConfig
from interp_lab.sae.concepts.judged import Beside
from interp_lab.sae.concepts.measured import FULL, measured_from
from interp_lab.sae.concepts.sides import Kind


@dataclass(frozen=True)
class ConceptsResult(ConceptsClaims):
    """The measurements as metrics, tables, figures and sections of a report."""

    @classmethod
    def from_arrays(
        cls, config: ConceptsConfig, provenance: Provenance, arrays: dict[str, np.ndarray]
    ) -> "ConceptsResult":
        """Rebuild from what `arrays` returned."""
        left_out = [(str(name), str(why)) for name, why in arrays["left_out"].reshape(-1, 2)]
        measured = tuple(measured_from(str(nth), arrays) for nth in range(int(arrays["n_concepts"])))
        sae, hook = (str(arrays[name]) for name in ("sae", "hook"))
        return cls(config, provenance, sae, hook, int(arrays["width"]), measured, tuple(left_out))

    def arrays(self) -> dict[str, np.ndarray]:
        """Return scores per text, and which units were chosen."""
        found = {
            "n_concepts": np.array(len(self.measured)),
            "sae": np.array(self.sae),
            "hook": np.array(self.hook),
            "width": np.array(self.width),
            "left_out": np.array([text for pair in self.left_out for text in pair], dtype=str),
        }
        for nth, one in enumerate(self.measured):
            found |= one.arrays(str(nth))
        return found

    def metrics(self) -> dict[str, float]:
        """Return flat numbers of the report split.

        Counts of concepts: `n_found`, `n_not_found`, `n_beats_all` (found, and better than the best of every other
        side), and for every side `n_better_than_SIDE` and `n_worse_than_SIDE`, found or not; means over concepts
        (`mean.`) of areas under the ROC curve by side, of `random`, `dense` (a probe of all coordinates),
        `beyond_rival`, `shrinkage` (of features) and of probes (`probe_SIDE_K`); by concept
        (`BEHAVIOUR.LATENT.VALUE.`) `score`, `beyond_rival` and `feature`.
        """
        found = self._counts()
        means: dict[str, list[float]] = {}
        for one in self.judged:
            measured, part = one.measured, one.measured.scores[Split.REPORT]
            row = {side: one.score(side).estimate for side in measured.sides}
            row |= {"random": float(part.random.mean()), "dense": one.probe(Kind.COORDINATE, FULL).estimate}
            row |= {"beyond_rival": one.beyond_rival.estimate, "shrinkage": float(measured.chosen[0]) - row["feature"]}
            row |= {f"probe_{side}_{k}": one.probe(side, k).estimate for side in measured.probed for k in measured.k}
            for name, value in row.items():
                means.setdefault(name.replace(" ", "_"), []).append(value)
            at = (
                measured.concept.removeprefix("grammar/")
                .replace("/", ".")
                .replace(" = ", ".")
                .replace(" > ", ".above_")
            )
            found |= {f"{at}.score": row["feature"], f"{at}.beyond_rival": row["beyond_rival"]}
            found[f"{at}.feature"] = float(measured.feature)
        return found | {f"mean.{name}": float(np.mean(values)) for name, values in means.items()}

    def _counts(self) -> dict[str, float]:
        n = int(self.found.sum())
        found = {"n_found": float(n), "n_not_found": float(len(self.judged) - n)}
        found["n_beats_all"] = float(sum(self.beats_all(nth) for nth in range(len(self.judged))))
        for side in self.judged[0].others:
            counted, name = self.counted(side), side.replace(" ", "_")
            found[f"n_better_than_{name}"] = float(counted[Beside.BETTER])
            found[f"n_worse_than_{name}"] = float(counted[Beside.WORSE])
        return found

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return `concepts`, `choosing`, `probes`, and `left out` if anything was."""
        found = {
            "concepts": tables.concepts_table(self),
            "choosing": tables.choosing_table(self),
            "probes": tables.probes_table(self),
            "left out": tables.left_out_table(self),
        }
        return {name: table for name, table in found.items() if not table.empty}

    def figures(self) -> dict[str, go.Figure]:
        """Return the best units, differences, what choosing flatters, and probes; see `figures.all_figures`."""
        return figures.all_figures(self)

    def sections(self) -> list[Section]:
        """Return what goes with concepts; nothing here is causal."""
        return sections.sections(self, self.tables(), self.figures())

    def summary(self) -> str:
        """Return which concepts have a feature, and whether it beats the best neuron."""
        return texts.summary(self)
