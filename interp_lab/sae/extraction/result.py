"""What an extraction wrote: how much, and how long the activations are."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from jaxtyping import Float, Int

from interp_lab.claims import Claim
from interp_lab.experiment import Provenance, Section
from interp_lab.plots.intervals import interval_plot
from interp_lab.sae.activations.store import ActivationStore
from interp_lab.sae.extraction.config import ExtractionConfig
from interp_lab.stats import bootstrap_interval
from interp_lab.types import Interval

_ROWS = 8192
"""Read at once."""


@dataclass(frozen=True)
class ExtractionResult:
    """Sizes of a store of activations, document by document; the activations stay in the store."""

    config: ExtractionConfig
    provenance: Provenance
    n_rows: Int[np.ndarray, " document"]
    """Tokens of each document that are kept; those of none (BOS, end tokens) stand for one document."""
    norms: Float[np.ndarray, "hook document"]
    """Mean length of the activation at the tokens of each document."""

    @classmethod
    def of(cls, config: ExtractionConfig, provenance: Provenance, store: ActivationStore) -> "ExtractionResult":
        """Read a store once."""
        numbers: list[np.ndarray] = []
        lengths: dict[str, list[np.ndarray]] = {hook: [] for hook in store.hooks}
        for hook in store.hooks:
            for labels, rows in store.in_order(hook, _ROWS):
                lengths[hook].append(rows.norm(dim=1).double().numpy())
                if hook == store.hooks[0]:
                    numbers.append(labels.documents.numpy())
        _, own = np.unique(np.concatenate(numbers), return_inverse=True)
        n_rows = np.bincount(own)
        norms = [np.bincount(own, weights=np.concatenate(each)) / n_rows for each in lengths.values()]
        return cls(config, provenance, n_rows, np.array(norms))

    @classmethod
    def from_arrays(
        cls, config: ExtractionConfig, provenance: Provenance, arrays: dict[str, np.ndarray]
    ) -> "ExtractionResult":
        """Rebuild from what `arrays` returned."""
        return cls(config, provenance, **arrays)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return tokens and mean lengths by document."""
        return {"n_rows": self.n_rows, "norms": self.norms}

    def metrics(self) -> dict[str, float]:
        """Return `n_rows` (tokens), `n_documents`, and by hook point `HOOK.norm` (mean over documents)."""
        found = {"n_rows": float(self.n_rows.sum()), "n_documents": float(len(self.n_rows))}
        return found | {f"{hook}.norm": float(norm.mean()) for hook, norm in zip(self._hooks, self.norms, strict=True)}

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return `hooks`: mean length of an activation, with its interval over documents (NaN for a single one)."""
        rows = [{"hook": hook, **one.columns("norm")} for hook, one in zip(self._hooks, self._lengths(), strict=True)]
        return {"hooks": pd.DataFrame(rows)}

    def figures(self) -> dict[str, go.Figure]:
        """Return `norms`: mean lengths with intervals."""
        title = "Mean length of an activation"
        return {"norms": interval_plot({"activations": self._lengths()}, self._hooks, title=title, unit="length")}

    @property
    def _hooks(self) -> tuple[str, ...]:
        return self.config.activations.hooks

    def _lengths(self) -> list[Interval]:
        if len(self.n_rows) < 2:
            return [Interval(float(norm.mean()), math.nan, math.nan) for norm in self.norms]
        found = bootstrap_interval(self.norms, level=self.config.level, seed=self.config.seed)
        return [found.at(nth) for nth in range(len(self.norms))]

    def sections(self) -> list[Section]:
        """Return what a report shows."""
        return [
            Section(
                title="Activations",
                causal=False,
                suggests=self.summary(),
                does_not_show="what is in the activations: these are their sizes, to see that they are what was asked "
                "for.",
                figures={"mean length of an activation, by document": self.figures()["norms"]},
                tables=self.tables(),
            )
        ]

    def claims(self) -> list[Claim]:
        """Return none: nothing is claimed of a model."""
        return []

    def summary(self) -> str:
        """Return how much was written."""
        return (
            f"{int(self.n_rows.sum()):,} tokens of {len(self.n_rows):,} documents at {len(self._hooks)} hook "
            f"point{'s' if len(self._hooks) > 1 else ''} of {self.config.model}"
        )
