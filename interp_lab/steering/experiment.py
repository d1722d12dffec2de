"""Steering: how far does a direction move a trait, at which price, and farther than directions without a meaning?"""

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from interp_lab.bibliography import (
    ARDITI_2024,
    BENJAMINI_1995,
    JORGENSEN_2023,
    PANICKSSERY_2023,
    TAN_2024,
    TURNER_2023,
    WU_2025,
    ZOU_2023,
)
from interp_lab.claims import Split
from interp_lab.directions import Directions, save_directions
from interp_lab.effects.under import save_leading
from interp_lab.experiment import Progress, Steps, Tracker, silent
from interp_lab.models.experiment import ModelExperiment, model_named_by
from interp_lab.steering.choice import reported_settings
from interp_lab.steering.config import SteeringConfig
from interp_lab.steering.costs import require_capable
from interp_lab.steering.drawn import drawn
from interp_lab.steering.leading import leading_of
from interp_lab.steering.material import Material, material_of
from interp_lab.steering.measured import TargetOf, target_of
from interp_lab.steering.measuring import Measuring, choices_by_direction, chosen
from interp_lab.steering.parts import effects_beside, written_under
from interp_lab.steering.result import SteeringResult
from interp_lab.types import HookedModel

NAME = "steering"
"""In the registry, and at the head of every config file."""
N_STEPS = 9
DIRECTIONS = "directions"
"""Folder of a run in which its directions are kept."""


class Steering(ModelExperiment[SteeringConfig, SteeringResult]):
    """Choose a setting within a budget on half of the prompts, report it on the rest and on held-out templates."""

    name = NAME
    result = SteeringResult
    sources = (
        PANICKSSERY_2023, TURNER_2023, ZOU_2023, JORGENSEN_2023, ARDITI_2024, TAN_2024, WU_2025, BENJAMINI_1995,
    )  # fmt: skip

    def carry_out(self, tracker: Tracker, run_dir: Path | None, *, progress: Progress) -> SteeringResult:
        """Measure, and keep the directions, and what leads, in `run_dir`.

        Raises: as `measure`; ValueError, as `load_model`.
        """
        result, material = self._measured(model_named_by(self.config), progress=progress)
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) if run_dir is None else run_dir
            kept = self._kept(material.directions, folder / DIRECTIONS, result)
            save_leading(leading_of(result, material), folder)
            tracker.log_artefact(f"{Path(self.config.model).name}/{self.config.trait}", kept, kind="direction")
        return result

    def measure(
        self,
        model: HookedModel,
        *,
        target: TargetOf | None = None,
        directions: Mapping[str, Directions] | None = None,
        progress: Progress = silent,
    ) -> SteeringResult:
        """Measure on a model already in memory.

        Args:
            target: makes a metric of your own from the model and prompts, in place of the one that the config names;
                higher must be the positive side.
            directions: of your own, by name, beside those that the config names.

        Raises: ValueError, for a trait, layer, word or capability that there is not, too few texts, or a direction of
            another model, weight processing or width; as `engine.sweep`.
        """
        return self._measured(model, target=target, directions=directions or {}, progress=progress)[0]

    def _measured(
        self,
        model: HookedModel,
        *,
        target: TargetOf | None = None,
        directions: Mapping[str, Directions] | None = None,
        progress: Progress,
    ) -> tuple[SteeringResult, Material]:
        c, steps = self.config, Steps(progress, N_STEPS)
        steps.next("texts and directions")(0, 1, "")
        require_capable(model, c)
        texts = drawn(model, c)
        neutral = texts.neutral[Split.SELECT]
        material, plan = material_of(model, c, texts.contrast, neutral=neutral, directions=directions or {})
        measuring = Measuring(model, c, texts, material, plan, target_of(c.target, target), steps)
        select, select_costs = measuring.both(Split.SELECT, range(len(plan.settings)))
        scale = measuring.target.scale
        choices = chosen(plan, select, select_costs, scale, config=c)
        apart = choices_by_direction(plan, select, select_costs, scale, config=c)
        reported = reported_settings(plan, choices, [one for own in apart.values() for one in own])
        report, report_costs = measuring.both(Split.REPORT, reported.tolist())
        controls, doses = measuring.beside(choices)
        result = SteeringResult(
            config=c,
            provenance=self.provenance(model),
            scale=scale,
            target=measuring.target.name,
            unit=measuring.unit,
            plan=plan,
            lengths=material.lengths,
            gates=tuple(material.gates.values()),
            select=select,
            select_costs=select_costs,
            reported=reported,
            report=report,
            report_costs=report_costs,
            held_out=measuring.held_out(reported.tolist()),
            deciding=measuring.deciding(choices),
            controls=controls,
            doses=doses,
            generated=written_under(measuring, choices),
            side_effects=effects_beside(measuring, choices),
        )
        return result, material

    def _kept(self, directions: Mapping[str, Directions], folder: Path, result: SteeringResult) -> Path:
        """Write the directions, each a file by its name; what a killed process left is overwritten."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, one in directions.items():
            save_directions(one, folder / f"{file_name(name)}.safetensors", made=result.provenance)
        return folder


def file_name(direction: str) -> str:
    """Return a direction's name as a file can have it."""
    return re.sub(r"[^\w.#@-]+", "_", direction)
