"""What steering found: arrays, and how they are shown."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from interp_lab.claims import Grade, Split
from interp_lab.experiment import Provenance, Section
from interp_lab.hypotheses import Component, Confirmation
from interp_lab.steering import confirming, figures, gaps, sections, tables, texts
from interp_lab.steering.card import card
from interp_lab.steering.choice import SIGNS
from interp_lab.steering.claimed import SIDES, SteeringClaims
from interp_lab.steering.config import SteeringConfig
from interp_lab.steering.controls import Controls, Doses
from interp_lab.steering.costs import Costs
from interp_lab.steering.gates import Gate
from interp_lab.steering.generated.generated import Generated
from interp_lab.steering.measured import Steered
from interp_lab.steering.plan import Plan
from interp_lab.steering.side_effects import SideEffects

_SCALES = ("share", "log_odds", "gap", "own")


@dataclass(frozen=True)
class SteeringResult(SteeringClaims):
    """The measurements as metrics, tables, figures and sections of a report."""

    @classmethod
    def from_arrays(
        cls, config: SteeringConfig, provenance: Provenance, arrays: Mapping[str, np.ndarray]
    ) -> "SteeringResult":
        """Rebuild from what `arrays` returned."""
        plan = Plan.from_arrays(arrays)
        families = range(len(plan.families))
        return cls(
            config=config,
            provenance=provenance,
            scale=next(one for one in _SCALES if one == str(arrays["scale"])),
            target=str(arrays["target"]),
            unit=str(arrays["unit"]),
            plan=plan,
            lengths=json.loads(str(arrays["lengths"])),
            gates=tuple(Gate.from_dict(one) for one in json.loads(str(arrays["gates"]))),
            select=Steered.from_arrays("select", arrays),
            select_costs=Costs.from_arrays("select_costs", arrays),
            reported=arrays["reported"],
            report=Steered.from_arrays("report", arrays),
            report_costs=Costs.from_arrays("report_costs", arrays),
            held_out=Steered.from_arrays("held_out", arrays) if "held_out_values" in arrays else None,
            deciding={
                split: Steered.from_arrays(f"deciding_{split.name.lower()}", arrays)
                for split in (Split.REPORT, Split.HELD_OUT)
                if f"deciding_{split.name.lower()}_values" in arrays
            },
            controls={
                sign: Controls.from_arrays(f"control_{SIDES[sign]}", arrays)
                for sign in SIGNS
                if f"control_{SIDES[sign]}_random" in arrays
            },
            doses={
                nth: Doses.from_arrays(f"doses_{nth}", arrays) for nth in families if f"doses_{nth}_random" in arrays
            },
            generated=Generated.from_arrays("generated", arrays) if "generated_trait" in arrays else None,
            side_effects=SideEffects.from_arrays("side", arrays) if "side_setting" in arrays else None,
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return numbers per prompt, text and draw, and the names of what they are of."""
        found: dict[str, np.ndarray] = {
            "scale": np.array(self.scale),
            "target": np.array(self.target),
            "unit": np.array(self.unit),
            "lengths": np.array(json.dumps(self.lengths)),
            "gates": np.array(json.dumps([gate.as_dict() for gate in self.gates])),
            "reported": self.reported,
            **self.plan.arrays(),
            **self.select.arrays("select"),
            **self.select_costs.arrays("select_costs"),
            **self.report.arrays("report"),
            **self.report_costs.arrays("report_costs"),
        }
        found |= {} if self.held_out is None else self.held_out.arrays("held_out")
        for split, one in self.deciding.items():
            found |= one.arrays(f"deciding_{split.name.lower()}")
        for sign, one in self.controls.items():
            found |= one.arrays(f"control_{SIDES[sign]}")
        for family, doses in self.doses.items():
            found |= doses.arrays(f"doses_{family}")
        found |= {} if self.generated is None else self.generated.arrays("generated")
        return found if self.side_effects is None else found | self.side_effects.arrays("side")

    def metrics(self) -> dict[str, float]:
        """Return flat numbers of the report split.

        By side, of what leads: `effect_SIDE` (unit of the target), `held_out_SIDE`, `kl_SIDE` (nats per token),
        `capability_loss_SIDE`, `wrong_way_SIDE` and `within_budget_SIDE` (shares), `p_random_SIDE`; a side that nothing
        moves to is missing. `affordable_SIDE`, which sweeps can maximise: how far the target moves to the side where
        both splits keep to the budget, and 0 where one does not or nothing moves there. Counts of settings, of those
        within the budget, and of claims that hold; and what the parts (and, for a gap, `gaps.metrics`) tell.
        """
        claims = self.claims()
        found = {
            "n_settings": float(len(self.settings)),
            "n_within_budget": float(self.within(self.select_costs).sum()),
            "n_causal_claims": float(sum(claim.grade >= Grade.CAUSAL for claim in claims)),
            "n_replicated_claims": float(sum(claim.grade >= Grade.REPLICATED for claim in claims)),
        }
        found |= {f"affordable_{side}": 0.0 for side in SIDES.values()}
        for sign, setting in self.leading.items():
            affordable = self.is_within(sign) and self.stays_within(sign)
            own = {
                "affordable": sign * float(self.changes(setting).mean()) if affordable else 0.0,
                "effect": float(self.changes(setting).mean()),
                "kl": float(self.report_costs.kl[self.at(setting)].mean()),
                "capability_loss": float(self.report_costs.worst_loss[self.at(setting)]),
                "wrong_way": self.wrong_way(sign).estimate,
                "within_budget": float(self.is_within(sign)),
                "p_random": self.random_p(sign),
            }
            if self.held_out is not None:
                own["held_out"] = float(self.changes(setting, Split.HELD_OUT).mean())
            found |= {f"{name}_{SIDES[sign]}": value for name, value in own.items()}
        for part in (self.generated, self.side_effects):
            found |= {} if part is None else part.metrics()
        return found | gaps.metrics(self)

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return tables by name, of `tables.tables` and of the parts, and a card for each direction."""
        found = tables.tables(self) | {"gap": gaps.table(self)}
        if self.leading:
            found |= {f"card {nth}": card(self, name) for nth, name in enumerate(self.plan.directions, 1)}
        for part in (self.generated, self.side_effects):
            found |= {} if part is None else part.tables()
        return {name: table for name, table in found.items() if not table.empty}

    def figures(self) -> dict[str, go.Figure]:
        """Return effect against price, dose-responses, maps of the grid, controls, prompts, and those of the parts."""
        found = figures.figures(self) | ({"gap": gaps.figure(self)} if self.scale == "gap" and self.leading else {})
        for part in (self.generated, self.side_effects):
            found |= {} if part is None else part.figures()
        return found

    def sections(self) -> list[Section]:
        """Return what settings do and cost (causal), and where directions come from (descriptive)."""
        effect, *rest = sections.sections(self, self.tables(), self.figures())
        return [effect, *gaps.sections(self), *rest]

    def confirmation(self) -> Confirmation | None:
        """Return how the settings that lead are tested on other prompts; `None` if no claim of them holds."""
        return confirming.confirmation(self)

    def components(self) -> list[Component]:
        """Return what the settings that lead do."""
        return confirming.components(self)

    def summary(self) -> str:
        """Return what was found, in a few lines."""
        return "\n".join([texts.summary(self), *gaps.lines(self)])
