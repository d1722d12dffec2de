"""What the comparison of two models found: arrays, and how they are shown."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from interp_lab.claims import Grade
from interp_lab.experiment import Provenance, Section
from interp_lab.hypotheses import Component, Confirmation
from interp_lab.similarity import confirming, figures, sections, tables, texts
from interp_lab.similarity.claimed import DifferenceClaims
from interp_lab.similarity.config import ModelDifferenceConfig
from interp_lab.similarity.crossed import WAYS, CrossedSplit, Way
from interp_lab.similarity.described import BASE, TUNED, Described
from interp_lab.similarity.parts import parts_from
from interp_lab.types import Site

_SPLITS = ("select", "report", "held_out")


@dataclass(frozen=True)
class ModelDifferenceResult(DifferenceClaims):
    """The measurements as metrics, tables, figures and sections of a report."""

    @classmethod
    def from_arrays(
        cls, config: ModelDifferenceConfig, provenance: Provenance, arrays: dict[str, np.ndarray]
    ) -> "ModelDifferenceResult":
        """Rebuild from what `arrays` returned."""
        splits = {split: CrossedSplit.from_arrays(split, arrays) for split in _SPLITS if f"{split}_base" in arrays}
        return cls(
            config=config,
            provenance=provenance,
            unit=str(arrays["unit"]),
            metric=str(arrays["metric"]),
            parts=parts_from([Site.named(str(name)) for name in arrays["sites"]]),
            text=Described.from_arrays("text", arrays),
            prompts=Described.from_arrays("prompts", arrays),
            weights=arrays["weights"],
            chosen=arrays["chosen"],
            order=arrays["order"],
            select=splits["select"],
            report=splits["report"],
            held_out=splits.get("held_out"),
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return numbers per document and pair, and the names of what they are of."""
        found: dict[str, np.ndarray] = {
            "unit": np.array(self.unit),
            "metric": np.array(self.metric),
            "sites": np.array(list(map(str, self.parts.sites))),
            "weights": self.weights,
            "chosen": self.chosen,
            "order": self.order,
            **self.text.arrays("text"),
            **self.prompts.arrays("prompts"),
        }
        for split in _SPLITS:
            part = getattr(self, split)
            found |= {} if part is None else part.arrays(split)
        return found

    def metrics(self) -> dict[str, float]:
        """Return flat numbers of the report split.

        `gap_base`, `gap_tuned`, `change` (unit of the metric); `least_cka`, `shuffled_cka` (largest in size) and
        `untrained_cka` (largest), over places; for each way of exchange the largest share of the change that one part
        carries; `weights_together` (share that the ordered parts' weights carry into the base model); counts of claims
        that hold.
        """
        same, total, claims = self.same_places, self.total.estimate, self.claims()
        largest = {way: float(own.estimate.max() / abs(total)) for way, own in zip(WAYS, self.carried, strict=True)}
        return {
            "gap_base": float(self.report.base.mean()),
            "gap_tuned": float(self.report.tuned.mean()),
            "change": total,
            "least_cka": float(same["text"].estimate.min()),
            "shuffled_cka": float(np.abs(same["shuffled"].estimate).max()),
            "untrained_cka": float(same["untrained"].estimate.max()),
            "largest_writes_in": largest[Way.WRITES_IN],
            "largest_writes_back": largest[Way.WRITES_BACK],
            "largest_weights_in": largest[Way.WEIGHTS_IN],
            "largest_weights_back": largest[Way.WEIGHTS_BACK],
            "weights_together": float(self.report.cumulative[0, 0, -1].mean() / total),
            "n_causal_claims": float(sum(claim.grade >= Grade.CAUSAL for claim in claims)),
            "n_replicated_claims": float(sum(claim.grade >= Grade.REPLICATED for claim in claims)),
        }

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return `similarity`, `moved`, `heads` (descriptive); `carried` and `cumulative` (causal)."""
        return {
            "similarity": tables.similarity_table(self),
            "moved": tables.moved_table(self),
            "heads": tables.heads_table(self),
            "carried": tables.carried_table(self),
            "cumulative": tables.cumulative_table(self),
        }

    def figures(self) -> dict[str, go.Figure]:
        """Return CKA of all layers, at the same place, what moved, what carries, and weights added up."""
        return {
            "cka_between": figures.cka_map(self, BASE, TUNED),
            "cka_base": figures.cka_map(self, BASE, BASE),
            "same_place": figures.same_place(self),
            "moved": figures.moved(self),
            "carried": figures.carried(self),
            "moved_against_carried": figures.moved_against_carried(self),
            "cumulative": figures.cumulative(self),
        }

    def sections(self) -> list[Section]:
        """Return how the models differ (descriptive), and then what parts do in the other model (causal)."""
        return sections.sections(self, self.tables(), self.figures())

    def confirmation(self) -> Confirmation | None:
        """Return how what is claimed is tested on other examples; `None` if none of it holds."""
        return confirming.confirmation(self)

    def components(self) -> list[Component]:
        """Return how much of the change each part carries."""
        return confirming.components(self)

    def summary(self) -> str:
        """Return what was found, in a few lines."""
        return texts.summary(self)
