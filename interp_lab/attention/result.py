"""What the attention-head experiment found: arrays, and how they are shown."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from interp_lab.attention import confirming, statements
from interp_lab.attention.config import AttentionHeadsConfig
from interp_lab.attention.figures import attention_view, change_maps, effect_plots, score_maps, typed_maps, weight_maps
from interp_lab.attention.head_effects import BehaviourEffects
from interp_lab.attention.head_sets import HeadSet
from interp_lab.attention.looks import Looks
from interp_lab.attention.measurements import BEHAVIOURS, HeadMeasurements
from interp_lab.attention.readings import Attended, Example, Habits, WeightReadings
from interp_lab.attention.tables import ablation_rows, attended_rows, head_rows, score_rows, set_rows, weight_rows
from interp_lab.attention.verdicts import verdict_metrics
from interp_lab.claims import Claim, Grade, Split
from interp_lab.experiment import Provenance, Section
from interp_lab.hypotheses import Component, Confirmation

_SHORT = {Split.REPORT: "report", Split.HELD_OUT: "held_out"}
_READINGS = {"habits": Habits, "weights": WeightReadings, "attended": Attended, "example": Example}


@dataclass(frozen=True)
class AttentionHeadsResult(HeadMeasurements):
    """The measurements as metrics, tables, figures and sections of a report."""

    @classmethod
    def from_arrays(
        cls, config: AttentionHeadsConfig, provenance: Provenance, arrays: dict[str, np.ndarray]
    ) -> "AttentionHeadsResult":
        """Rebuild from what `arrays` returned."""
        effects = {
            (split, behaviour): BehaviourEffects(**own)
            for split, short in _SHORT.items()
            for behaviour in BEHAVIOURS
            if (own := _under(arrays, f"{short}.{behaviour}."))
        }
        readings: dict[str, Any] = {}
        for name, kind in _READINGS.items():
            own = _under(arrays, f"{name}.")
            readings[name] = kind(**own) if own else None
        return cls(
            config=config,
            provenance=provenance,
            looks=Looks.from_arrays(config, arrays),
            effects=effects,
            sets=tuple(HeadSet.from_text(words) for words in arrays["sets"].tolist()) if len(arrays["sets"]) else (),
            **readings,
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return per-sequence arrays by field name."""
        found = self.looks.arrays()
        for (split, behaviour), one in self.effects.items():
            found |= {f"{_SHORT[split]}.{behaviour}.{key}": np.array(value) for key, value in vars(one).items()}
        for name in _READINGS:
            reading = getattr(self, name)
            if reading is not None:
                found |= {f"{name}.{key}": np.array(value) for key, value in vars(reading).items()}
        rows = [one.as_text() for one in self.sets]
        longest = max(map(len, rows), default=0)
        found["sets"] = np.array([row + [""] * (longest - len(row)) for row in rows], dtype=np.str_)
        return found

    def metrics(self) -> dict[str, float]:
        """Return what is at stake, the score of the best head of every type, and how many heads look and act.

        The best head is chosen on the select half; its score is that of the report half.
        """
        stakes = {f"at_stake_{name.replace(' ', '_')}": self.at_stake(name).estimate for name in self.behaviours}
        return {
            **stakes,
            **{f"best_{kind}": score for kind, score in self.looks.best().items()},
            **{f"agreement_{text}": share for text, share in self.looks.agreement.items()},
            **verdict_metrics(statements.verdicts(self)),
            "n_typed_heads": float(len(self.looks.of_heads)),
            "n_causal_claims": float(sum(claim.grade >= Grade.CAUSAL for claim in self.claims())),
            "n_backed_up_sets": float(sum(one.backs_up for one in self.set_findings)),
        }

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return `heads` (looks like, acts like), `scores`, `ablations`, and where there are any `sets`, ..."""
        rows = {
            "heads": head_rows(self),
            "sets": set_rows(self),
            "ablations": ablation_rows(self),
            "scores": score_rows(self),
            "weights": weight_rows(self),
            "attended": attended_rows(self),
        }
        return {name: pd.DataFrame(own) for name, own in rows.items() if own}

    def figures(self) -> dict[str, Any]:
        """Return maps of scores, effects and weights, effects beside their controls, and patterns to look at."""
        causal = {**change_maps(self), **effect_plots(self)}
        return {**score_maps(self), **weight_maps(self), **causal, "patterns": attention_view(self)}

    def sections(self) -> list[Section]:
        """Return two descriptive sections (where heads look, what their weights say) and a causal one (ablations)."""
        tables = self.tables()
        looks = Section(
            title=f"Where the heads of {self.config.model} look",
            causal=False,
            suggests="A head with a high score attends like a head of that type; scores are from sequences on which "
            "no type was chosen. " + self._agreement(),
            does_not_show="That the head moves information, or that the model's output depends on it: attention is "
            "where a head looks, not what it does.",
            figures={**typed_maps(self), "patterns": attention_view(self)},
            tables={name: tables[name] for name in ("scores", "attended") if name in tables},
        )
        acts = Section(
            title=f"What ablating the heads of {self.config.model} does",
            causal=True,
            suggests=" ".join(statements.acts_suggest(self, behaviour) for behaviour in self.behaviours),
            does_not_show="Through which path an effect comes about, nor that a head without an effect does nothing: "
            "others may stand in for it. Look-alikes were ablated together, and heads that look and do not act with "
            "their likeliest partner; larger sets were not tried. Of three or more missed together, one may do "
            "nothing. The maps show every head, without control.",
            figures={**change_maps(self), **effect_plots(self)},
            tables={name: tables[name] for name in ("heads", "sets", "ablations") if name in tables},
        )
        return [looks, *self._weight_sections(tables), acts]

    def _weight_sections(self, tables: dict[str, pd.DataFrame]) -> list[Section]:
        if self.weights is None:
            return []
        section = Section(
            title=f"What the heads' weights in {self.config.model} say",
            causal=False,
            suggests="A head that copies raises the logit of the token it attends to; keys that compose with what "
            "another head writes can look for it, as an induction head's keys do for what a previous-token head says.",
            does_not_show="That there is anything to read on some text, nor that it matters: weights say what could "
            "be moved. Biases, positions and everything between the two heads are left out.",
            figures=weight_maps(self),
            tables={"weights": tables["weights"]},
        )
        return [section]

    def _agreement(self) -> str:
        parts = [f"{share:.0%} on {text}" for text, share in self.looks.agreement.items()]
        return f"Types found on either half alone that are found on both: {', '.join(parts)}."

    def claims(self) -> list[Claim]:
        """Return a claim per behaviour that a head acts on, one per typed head that acts on none, and one per set."""
        return statements.claims(self)

    def confirmation(self) -> Confirmation | None:
        """Return how what is claimed is tested on other examples; `None` if none of it holds."""
        return confirming.confirmation(self)

    def components(self) -> list[Component]:
        """Return what heads look like, and what is lost without each."""
        return confirming.components(self)

    def summary(self) -> str:
        """Return what was found, in a few lines."""
        return statements.summary(self)


def _under(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): _from_text(value) for name, value in arrays.items() if name.startswith(prefix)}


def _from_text(value: np.ndarray) -> Any:  # noqa: ANN401 - text in tuples, or numbers as they are
    if value.dtype.kind not in "US":
        return value
    if value.ndim == 0:
        return str(value)
    return tuple(map(str, value)) if value.ndim == 1 else tuple(tuple(map(str, row)) for row in value)
