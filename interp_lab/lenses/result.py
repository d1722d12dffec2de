"""What the experiment on lenses found: arrays, and how they are shown."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from interp_lab.claims import Grade, Split
from interp_lab.experiment import Provenance, Section
from interp_lab.hypotheses import Component
from interp_lab.lenses import confirming, figures, sections, tables, texts
from interp_lab.lenses.asked import END
from interp_lab.lenses.config import LensesConfig
from interp_lab.lenses.debugged import Debugged
from interp_lab.lenses.divergence import LensDivergence
from interp_lab.lenses.findings import LensFindings
from interp_lab.lenses.measured import LensSplit, ScopeSplit, ShownPrompt
from interp_lab.runs.fields import as_arrays, from_arrays

_KEYS = {Split.SELECT: "select", Split.REPORT: "report", Split.HELD_OUT: "held_out"}


@dataclass(frozen=True)
class LensesResult(LensFindings):
    """The findings as metrics, tables, figures and sections of a report."""

    @classmethod
    def from_arrays(cls, config: LensesConfig, provenance: Provenance, arrays: dict[str, np.ndarray]) -> "LensesResult":
        """Rebuild from what `arrays` returned."""
        splits = {split: from_arrays(LensSplit, key, arrays) for split, key in _KEYS.items()}
        shown = [from_arrays(ShownPrompt, f"prompt{nth}", arrays) for nth in range(config.n_shown)]
        return cls(
            config=config,
            provenance=provenance,
            lens=str(arrays["lens"]),
            points=tuple(map(str, arrays["points"].tolist())),
            places=tuple(map(str, arrays["places"].tolist())),
            splits={split: held for split, held in splits.items() if held is not None},
            untrained=arrays["untrained"],
            shown=tuple(one for one in shown if one is not None),
            divergence=from_arrays(LensDivergence, "divergence", arrays),
            losses=arrays["losses"],
            scope=from_arrays(ScopeSplit, "scope", arrays),
            wrong=Debugged.from_arrays(arrays),
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return numbers per prompt, and the names of what they are of."""
        found: dict[str, np.ndarray] = {
            "lens": np.array(self.lens),
            "points": np.array(self.points),
            "places": np.array(self.places),
            "untrained": self.untrained,
            "losses": self.losses,
        }
        for split, held in self.splits.items():
            found |= as_arrays(held, _KEYS[split])
        for nth, one in enumerate(self.shown):
            found |= as_arrays(one, f"prompt{nth}")
        found |= as_arrays(self.divergence, "divergence") | as_arrays(self.scope, "scope")
        return found | self.wrong.arrays()

    def metrics(self) -> dict[str, float]:
        """Return flat numbers of the report split.

        `readable_at` (number of the point at which the answer becomes readable at the end, 0 the embedding; NaN if
        nowhere), `outranked` (share of shuffled answers there), `n_readable_places`, `final_probability`,
        `final_margin` (logits), counts of wrong completions and claims; with a tuned lens `tuned_kl` and `logit_kl`
        (nats per token, mean over all points but the last) and `n_nearer` (points at which the tuned lens is clearly
        nearer); with a follow-up `repaired` (share).
        """
        end = next(one for one in self.appearances if one.place == END)
        claims = self.claims()
        found = {
            "readable_at": float("nan") if end.point is None else float(end.point),
            "outranked": float("nan") if end.report is None else end.report.estimate,
            "n_readable_places": float(sum(one.holds for one in self.appearances)),
            "final_probability": float(self.report.probability[-1, :, self.end].mean()),
            "final_margin": float(self.report.margin[-1, :, self.end].mean()),
            "n_wrong": float(self.wrong.n_wrong),
            "n_claims": float(len(claims)),
            "n_causal_claims": float(sum(claim.grade >= Grade.CAUSAL for claim in claims)),
        }
        if self.divergence is not None and self.nearer is not None:
            found["tuned_kl"] = float(self.divergence.judged[:-1].mean())
            found["logit_kl"] = float(self.divergence.reference[:-1].mean())
            found["n_nearer"] = float((self.nearer.intervals.high < 0).sum())
        if self.wrong.follow_up is not None:
            found["repaired"] = float(self.wrong.follow_up.repaired[self.wrong.follow_up.chosen])
        return found

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return `appears`, `trajectory`; where there are any `divergence`, `patchscopes`, and what went wrong."""
        found = {
            "appears": tables.appears_table(self),
            "trajectory": tables.trajectory_table(self),
            "divergence": tables.divergence_table(self),
            "patchscopes": tables.scope_table(self),
            "triage": tables.triage_table(self),
            "overtaking": tables.overtaking_table(self),
            "repairs": tables.repairs_table(self),
        }
        return {name: table for name, table in found.items() if not table.empty}

    def figures(self) -> dict[str, go.Figure]:
        """Return maps and trajectories, single prompts, both lenses, Patchscopes, and what went wrong."""
        found = {
            "readable": figures.readable_map(self),
            "outranking": figures.outranking(self),
            "trajectories": figures.trajectories(self),
            "divergence": figures.divergence_plot(self),
            "patchscopes": figures.scope_map(self),
            "overtaking": figures.overtaking(self),
            "repairs": figures.repairs(self),
        }
        for nth, one in enumerate(self.shown):
            found[f"prompt {nth + 1}"] = figures.token_map(one, self.points, lens=self.lens)
        return {name: figure for name, figure in found.items() if figure is not None}

    def sections(self) -> list[Section]:
        """Return what is readable, and what went wrong; only the follow-up is causal."""
        return sections.sections(self, self.tables(), self.figures())

    def components(self) -> list[Component]:
        """Return the first point at which the answer is readable at each place."""
        return confirming.components(self)

    def summary(self) -> str:
        """Return what was found, in a few lines."""
        return texts.summary(self)
