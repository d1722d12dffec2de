"""Directions as interventions on a trait's prompts, all in the way of one setting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.directions import Directions, random_like
from interp_lab.engine import sweep
from interp_lab.experiment import Progress, silent
from interp_lab.interventions import Combined, Intervention
from interp_lab.steering.prompts import TraitPrompts
from interp_lab.steering.setting import How, Setting, intervention_for
from interp_lab.steering.side_effects.material import Material, midpoint
from interp_lab.types import HookedModel

Vectors = Float[Tensor, "site d"]


@dataclass(frozen=True)
class Applying:
    """A model, and how each direction is put into it."""

    model: HookedModel
    setting: Setting
    """Its direction and coefficient are replaced by those of each trait."""
    read: tuple[str, ...]
    """For each hook point that is steered, the one whose direction is put there."""
    given: Mapping[str, Directions]
    """Directions that stand in for those which are made, by trait."""
    memory_budget: int | None = None

    @property
    def signs(self) -> tuple[float, ...]:
        """Ways in which a direction is put in: to either side; what is ablated is gone either way."""
        return (1.0,) if self.setting.how is How.ABLATE else (1.0, -1.0)

    def of(self, material: Material) -> Vectors:
        """Return a trait's direction for each hook point that is steered."""
        own = self._directions(material)
        return own.vectors[[own.hooks.index(hook) for hook in self.read]]

    def _directions(self, material: Material) -> Directions:
        return self.given.get(material.trait, material.directions).only(tuple(dict.fromkeys(self.read)))

    def random(self, material: Material, *, n: int, seed: int) -> Float[Tensor, "draw site d"]:
        """Return random directions, as long as a trait's and as like each other from hook point to hook point."""
        own, generator = self._directions(material), torch.Generator().manual_seed(seed)
        return random_like(own, n, generator=generator)[:, [own.hooks.index(hook) for hook in self.read]]

    def made(self, prompts: TraitPrompts, material: Material, vectors: Vectors, *, coefficient: float) -> Intervention:
        """Return the intervention of vectors that stand in for a trait's direction, on some prompts.

        Where the setting has a gate it is the trait's, whatever the vectors.
        """
        gate = None if self.setting.gate is None else material.gate
        setting = replace(self.setting, direction=material.trait, coefficient=coefficient)
        middle = midpoint(material, vectors, setting.hooks) if setting.how is How.CLAMP else None
        return intervention_for(self.model, setting, vectors, prompts.batch, gate=gate, midpoints=middle)

    def log_odds(
        self,
        prompts: TraitPrompts,
        interventions: Sequence[Intervention | Combined],
        *,
        told: Progress = silent,
    ) -> tuple[Float[np.ndarray, " example"], Float[np.ndarray, "site example"]]:
        """Return log odds (nats) of the positive answer, untouched and under each intervention."""
        found = sweep(
            self.model, prompts.tokens, interventions, prompts.log_odds(), mask=prompts.mask,
            memory_budget=self.memory_budget, progress=told,
        )  # fmt: skip
        return found.baseline, found.values


def together(first: Intervention, second: Intervention) -> Combined:
    """Return two interventions in one run, the second on what the first leaves where they meet."""
    return Combined((first, second), f"{first.name} and {second.name}")


def calibrated(coefficients: Sequence[float], effects: Float[np.ndarray, " dose"], *, aim: float) -> tuple[float, bool]:
    """Return the coefficient at which a rising effect first reaches the aim, and whether it does.

    Between two coefficients (and from 0) the effect is taken to rise evenly. One that never gets there keeps the
    coefficient of its largest effect, and one that never moves that way keeps 1, which is one gap between the sides.
    """
    doses, reached = np.array([0.0, *coefficients]), np.array([0.0, *effects])
    above = np.flatnonzero(reached >= aim)
    if not len(above):
        return float(doses[reached.argmax()]) if reached.max() > 0 else 1.0, False
    at = int(above[0])
    share = (aim - reached[at - 1]) / (reached[at] - reached[at - 1])
    return float(doses[at - 1] + share * (doses[at] - doses[at - 1])), True
