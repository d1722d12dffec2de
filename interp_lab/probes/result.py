"""What probes found: arrays, and how they are shown."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from interp_lab.claims import Grade
from interp_lab.experiment import Provenance, Section
from interp_lab.hypotheses import Component, Confirmation
from interp_lab.probes import confirming, figures, sections, tables, texts
from interp_lab.probes.claimed import ProbesClaims
from interp_lab.probes.config import ProbesConfig
from interp_lab.probes.judged import Verdict
from interp_lab.probes.measured import probed_from


@dataclass(frozen=True)
class ProbesResult(ProbesClaims):
    """The measurements as metrics, tables, figures and sections of a report."""

    @classmethod
    def from_arrays(cls, config: ProbesConfig, provenance: Provenance, arrays: dict[str, np.ndarray]) -> "ProbesResult":
        """Rebuild from what `arrays` returned."""
        left_out = [(str(label), str(why)) for label, why in arrays["left_out"].reshape(-1, 2)]
        probed = tuple(probed_from(str(nth), arrays) for nth in range(int(arrays["n_labels"])))
        return cls(config, provenance, probed, tuple(left_out))

    def arrays(self) -> dict[str, np.ndarray]:
        """Return scores per example, weights of the probes, and what acting on each prompt did."""
        found = {
            "n_labels": np.array(len(self.probed)),
            "left_out": np.array([text for pair in self.left_out for text in pair], dtype=str),
        }
        for nth, one in enumerate(self.probed):
            found |= one.arrays(str(nth))
        return found

    def metrics(self) -> dict[str, float]:
        """Return flat numbers of the report split.

        Counts of labels by verdict and of claims that hold; by label (`BEHAVIOUR.LATENT.`) `score`, `selectivity`,
        `majority`, `words` and `untrained` at the chosen site, and `held_out`.
        """
        claims = self.claims()
        found = {
            f"n_{verdict.name.lower()}": float(sum(one.verdict is verdict for one in self.judged))
            for verdict in Verdict
        }
        found["n_causal_claims"] = float(sum(claim.grade >= Grade.CAUSAL for claim in claims))
        found["n_replicated_claims"] = float(sum(claim.grade >= Grade.REPLICATED for claim in claims))
        for row in tables.scores_table(self).to_dict("records"):
            if row["chosen"]:
                label = str(row["label"]).removeprefix("grammar/").replace("/", ".")
                names = ("score", "selectivity", "majority", "words", "untrained", "held_out")
                found |= {f"{label}.{name}": float(row[name]) for name in names}
        return {name: value for name, value in found.items() if np.isfinite(value)}

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return `verdicts`, `scores`; `use`, `templates`, `topics`, `calibration`, `left out` if there are any."""
        found = {
            "verdicts": tables.verdicts_table(self),
            "scores": tables.scores_table(self),
            "use": tables.use_table(self),
            "templates": tables.transfer_table(self, "templates"),
            "topics": tables.transfer_table(self, "topics"),
            "calibration": tables.calibration_table(self),
            "left out": tables.left_out_table(self),
        }
        return {name: table for name, table in found.items() if not table.empty}

    def figures(self) -> dict[str, go.Figure]:
        """Return scores by layer with all controls, transfer, reliability and use; see `figures.all_figures`."""
        return figures.all_figures(self)

    def sections(self) -> list[Section]:
        """Return what can be read (descriptive), and what acting on it does (causal)."""
        return sections.sections(self, self.tables(), self.figures())

    def confirmation(self) -> Confirmation | None:
        """Return how what is claimed is tested on other examples; `None` if none of it holds."""
        return confirming.confirmation(self)

    def components(self) -> list[Component]:
        """Return what can be read at the chosen site of each label, and what acting there takes away."""
        return confirming.components(self)

    def summary(self) -> str:
        """Return a line per label, and how many claims hold."""
        return texts.summary(self)
