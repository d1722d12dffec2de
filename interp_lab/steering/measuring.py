"""Measuring settings on the splits of a run."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from interp_lab.claims import Split
from interp_lab.decoding.where import Prompted
from interp_lab.experiment import Steps
from interp_lab.interventions import Intervention
from interp_lab.steering.choice import Choice, choose, stated
from interp_lab.steering.config import SteeringConfig
from interp_lab.steering.controls import Comparing, Controls, Doses
from interp_lab.steering.costs import Costs, costs_of
from interp_lab.steering.drawn import Drawn
from interp_lab.steering.material import Material
from interp_lab.steering.measured import Scale, Steered, Target, steered
from interp_lab.steering.plan import Plan
from interp_lab.steering.prompts import TraitPrompts
from interp_lab.types import HookedModel


@dataclass(frozen=True)
class Measuring:
    """Measures settings of a plan."""

    model: HookedModel
    config: SteeringConfig
    drawn: Drawn
    material: Material
    plan: Plan
    target: Target
    told: Steps

    @property
    def unit(self) -> str:
        """Of the target."""
        return self.target.unit or self.target.of(self.model, self.drawn.prompts[Split.REPORT]).unit

    def both(self, split: Split, settings: Sequence[int]) -> tuple[Steered, Costs]:
        """Measure effects and prices; to choose by, capabilities only of settings within the budget for KL."""
        self.say(f"{len(settings)} settings, {split} split")
        effects = self.steered(split, settings)
        self.say(f"their price, {split} split")
        only = self._affordable if split is Split.SELECT else None
        costs = costs_of(
            self.model, self.config, settings, split=split, neutral=self.drawn.neutral[split], make=self.make,
            deciding=self._undecided(split, settings), capable=only,
        )  # fmt: skip
        return effects, costs

    def _undecided(self, split: Split, settings: Sequence[int]) -> Float[np.ndarray, "setting pair"] | None:
        """Return by how much the gap by what should decide falls; `None` if that is not asked."""
        if split not in self.drawn.deciding:
            return None
        found = self._steered(self.drawn.deciding[split], settings)
        return np.sign(found.baseline.mean()) * (found.baseline - found.values)

    def steered(self, split: Split, settings: Sequence[int]) -> Steered:
        """Measure the target under settings."""
        return self._steered(self.drawn.prompts[split], settings)

    def _steered(self, prompts: TraitPrompts, settings: Sequence[int]) -> Steered:
        return steered(
            self.model, prompts, lambda batch: self.make(settings, batch), self.target,
            memory_budget=self.config.memory_budget,
        )  # fmt: skip

    def deciding(self, choices: Sequence[Choice]) -> dict[Split, Steered]:
        """Measure the gap by what should decide, under the settings that lead (in their order); none if not asked."""
        leads = [choice.leading for choice in choices if choice.leading is not None]
        own = {split: prompts for split, prompts in self.drawn.deciding.items() if split is not Split.SELECT}
        return {split: self._steered(prompts, leads) for split, prompts in own.items() if leads}

    def held_out(self, settings: Sequence[int]) -> Steered | None:
        """Measure the target on held-out templates; `None` if there are none."""
        return self.steered(Split.HELD_OUT, settings) if Split.HELD_OUT in self.drawn.prompts else None

    def make(self, settings: Sequence[int], batch: Prompted) -> list[Intervention]:
        """Return the interventions of settings on a batch."""
        return self.material.of_settings(self.model, self.plan, settings, batch)

    def beside(self, choices: Sequence[Choice]) -> tuple[dict[int, Controls], dict[int, Doses]]:
        """Measure what stands beside the settings that lead: controls by sign, and by family at every dose."""
        self.say("controls")
        comparing = Comparing(self.model, self.config, self.material, self.drawn, self.target)
        leads = {choice.sign: choice.leading for choice in choices if choice.leading is not None}
        controls, families = {}, set[int]()
        for sign, setting in leads.items():
            family = int(self.plan.family_of[setting])
            families.add(family)
            coefficient = self.plan.settings[setting].coefficient
            controls[sign] = comparing.controls(self.plan.families[family], coefficient, sign=sign)
        self.say("controls, dose by dose")
        return controls, {family: comparing.doses(self.plan.families[family]) for family in sorted(families)}

    def say(self, what: str) -> None:
        """Tell what is next."""
        self.told.next(what)(0, 1, what)

    def _affordable(self, kl: Float[np.ndarray, " setting"]) -> list[int]:
        return np.flatnonzero(kl <= self.config.budget.kl).tolist()


def chosen(
    plan: Plan,
    select: Steered,
    costs: Costs,
    scale: Scale,
    *,
    config: SteeringConfig,
    among: Bool[np.ndarray, " setting"] | None = None,
) -> tuple[Choice, ...]:
    """Return what the selection split chooses, for each sign; see `choice.choose`. Or what was stated in advance."""
    effect, tolerance = select.towards(scale), config.tolerance * whole(select, scale)
    if config.chosen is not None:
        signs = [1 if side == "positive" else -1 for side in config.chosen]
        at = zip(signs, plan.places_of(list(config.chosen.values())), strict=True)
        own = {sign: setting for sign, setting in at if among is None or among[setting]}
        return stated(own, costs.price, budget=config.budget)
    return choose(effect, costs.price, budget=config.budget, tolerance=tolerance, among=among)


def whole(of: Steered, scale: Scale) -> float:
    """Return what shares of effects are shares of: the possible range, or how much prompts vary unsteered."""
    return {"share": 2.0, "gap": 1.0}.get(scale) or float(of.baseline.std())


def choices_by_direction(
    plan: Plan, select: Steered, costs: Costs, scale: Scale, *, config: SteeringConfig
) -> dict[str, tuple[Choice, ...]]:
    """Return what the selection split chooses among the settings of each direction."""
    return {name: chosen(plan, select, costs, scale, config=config, among=plan.uses(name)) for name in plan.directions}
