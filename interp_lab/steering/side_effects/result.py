"""What steering does besides: arrays, and how they are shown."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from interp_lab.experiment import Section
from interp_lab.steering.side_effects import figures, sections, tables, texts
from interp_lab.steering.side_effects.cosines import Cosines
from interp_lab.steering.side_effects.found import SideEffectsFound
from interp_lab.steering.side_effects.matrix import Verdict
from interp_lab.steering.side_effects.on_trait import OnTrait
from interp_lab.steering.side_effects.stability import Stability

_PLAIN = ("setting", "method", "level", "seed", "margin", "odds_margin", "aim", "coefficients", "reached", "given")


@dataclass(frozen=True)
class SideEffects(SideEffectsFound):
    """The measurements as arrays, metrics, tables, figures and sections of a report."""

    def arrays(self, prefix: str = "side") -> dict[str, np.ndarray]:
        """Return numbers per prompt, and the names of what they are of."""
        found = {f"{prefix}_{name}": np.array(getattr(self, name)) for name in _PLAIN}
        for nth, one in enumerate(self.measured):
            found |= one.arrays(f"{prefix}_on{nth}")
        for nth, again in enumerate(self.stability):
            found |= again.arrays(f"{prefix}_again{nth}")
        counts = np.array([len(self.measured), len(self.stability)])
        return found | self.cosines.arrays(f"{prefix}_cosines") | {f"{prefix}_counts": counts}

    @classmethod
    def from_arrays(cls, prefix: str, arrays: Mapping[str, np.ndarray]) -> "SideEffects":
        """Rebuild from what `arrays` returned."""
        found = {name: arrays[f"{prefix}_{name}"] for name in _PLAIN}
        n_measured, n_again = (int(one) for one in arrays[f"{prefix}_counts"])
        return cls(
            setting=str(found["setting"]),
            method=str(found["method"]),
            level=float(found["level"]),
            seed=int(found["seed"]),
            margin=float(found["margin"]),
            odds_margin=float(found["odds_margin"]),
            aim=float(found["aim"]),
            coefficients=found["coefficients"],
            reached=found["reached"],
            given=found["given"],
            measured=tuple(OnTrait.from_arrays(f"{prefix}_on{nth}", arrays) for nth in range(n_measured)),
            cosines=Cosines.from_arrays(f"{prefix}_cosines", arrays),
            stability=tuple(Stability.from_arrays(f"{prefix}_again{nth}", arrays) for nth in range(n_again)),
        )

    def metrics(self) -> dict[str, float]:
        """Return flat numbers.

        `side_moved`, `side_odds_moved`, `side_left_alone`, `side_answers_stay` (and log odds, that is not known),
        `side_not_told` count cells of other traits by verdict;
        `side_largest` is the largest mean change of another trait (share of the possible range, its size);
        `again_cosine_N` the mean cosine, with the full direction of the first trait, of directions made from N other
        pairs at the last layer compared.
        """
        away = [cell for nth, row in enumerate(self.cells) for cell in row if cell.steered != nth]
        told = [self.verdict(cell) for cell in away]
        found = {
            "side_moved": float(told.count(Verdict.MOVED)),
            "side_odds_moved": float(told.count(Verdict.PUSHED)),
            "side_left_alone": float(told.count(Verdict.LEFT_ALONE)),
            "side_answers_stay": float(told.count(Verdict.ANSWERS_STAY)),
            "side_not_told": float(told.count(Verdict.NOT_TOLD)),
            "side_largest": max(abs(cell.effect.estimate) for cell in away),
        }
        for one in self.stability[:1]:
            for size, drawn in zip(one.sizes, one.to_full, strict=True):
                found[f"again_cosine_{size}"] = float(np.nanmean(drawn[:, -1]))
        return found

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return tables by name.

        `side_effects`, `coefficients`, `interactions`, `cosines`, and if there are any `cosines_elsewhere`,
        `from_fewer_pairs` and `by_layer`.
        """
        return tables.tables(self)

    def figures(self) -> dict[str, go.Figure]:
        """Return plotly figures by name; see `tables`."""
        return figures.figures(self)

    def sections(self) -> list[Section]:
        """Return what a report shows: effects are causal, cosines descriptive."""
        return sections.sections(self, self.tables(), self.figures())

    def summary(self) -> str:
        """Return what was found, in a few lines."""
        return texts.summary(self)
