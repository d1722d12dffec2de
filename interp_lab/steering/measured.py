"""What settings do to the prompts of one split, and what they cost on texts that have nothing to do with the trait."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float, Shaped

from interp_lab.decoding.where import Prompted
from interp_lab.engine import Effects, sweep
from interp_lab.interventions import Intervention
from interp_lab.metrics import Metric
from interp_lab.runs.fields import KeptFields
from interp_lab.steering.prompts import TraitPrompts
from interp_lab.types import HookedModel

Scale = Literal["share", "log_odds", "gap", "own"]
"""On which the target is shown; `own` is a user's metric."""
Make = Callable[[Prompted], Sequence[Intervention]]
"""Makes interventions on a batch, one for each setting."""
TargetOf = Callable[[HookedModel, TraitPrompts], Metric]
"""Makes a target of your own for prompts; higher is the positive side."""


@dataclass(frozen=True)
class Target:
    """What is to be moved, and how it is measured: log odds, from which the share follows exactly, or a user's own."""

    scale: Scale
    name: str
    unit: str
    of: TargetOf

    def shown(self, values: Float[np.ndarray, "*site"]) -> Float[np.ndarray, "*site"]:
        """Return what was measured on the scale that is shown."""
        return on_scale(values, self.scale)


def on_scale(values: Float[np.ndarray, "*site"], scale: Scale) -> Float[np.ndarray, "*site"]:
    """Return log odds as a share of the possible range, `2 P(positive) / P(either) - 1`, if that is the scale."""
    return np.tanh(values / 2) if scale == "share" else values


UNITS: Mapping[Scale, tuple[str, str]] = {
    "share": ("share", "share of the range"),
    "log_odds": ("log odds", "nats"),
    "gap": ("gap", "probability"),
}
"""Name and unit of the targets that a config can name."""


def target_of(scale: Literal["share", "log_odds", "gap"], own: TargetOf | None) -> Target:
    """Return the target that a config names, or a user's own in its place."""
    if own is not None:
        return Target("own", "own target", "", own)
    return Target(scale, *UNITS[scale], lambda model, prompts: prompts.log_odds())


def between_partners(
    own: Float[np.ndarray, "*site example"], partners: Float[np.ndarray, "*site example"]
) -> Float[np.ndarray, "*site example"]:
    """Return the gap: P(positive) / P(either) of prompts less that of their partners, from the log odds of each."""
    return (np.tanh(own / 2) - np.tanh(partners / 2)) / 2


@dataclass(frozen=True)
class Steered(KeptFields):
    """The target on the prompts of one split, as it is measured (log odds, a gap, a user's own), without and with."""

    baseline: Float[np.ndarray, " example"]
    values: Float[np.ndarray, "setting example"]
    templates: Shaped[np.ndarray, " example"]
    """Names; what intervals resample."""
    texts: Shaped[np.ndarray, " example"]
    sides: Float[np.ndarray, " example"]
    """What the text says by itself: +1, -1, or 0 where that is not known."""

    def changes(self, scale: Scale) -> Float[np.ndarray, "setting example"]:
        """Return what each setting changes, on a scale."""
        return on_scale(self.values, scale) - on_scale(self.baseline, scale)

    def towards(self, scale: Scale) -> Float[np.ndarray, " setting"]:
        """Return what settings are chosen by: the mean change, positive towards the positive side.

        A gap is the better the less is left of it: one that is turned around counts by its size, as if it had kept its
        side; and one that is turned around and grows counts for neither side.
        """
        changes = self.changes(scale).mean(-1)
        if scale != "gap":
            return changes
        start = self.baseline.mean()
        left, side = start + changes, np.sign(start)
        turned = left * side < 0
        closer = side * (np.abs(left) - np.abs(start))
        return np.where(turned, np.where(np.abs(left) < np.abs(start), closer, 0.0), changes)

    def rows(self, index: Sequence[int]) -> "Steered":
        """Return some of the settings."""
        return replace(self, values=self.values[list(index)])


def steered(
    model: HookedModel, prompts: TraitPrompts, make: Make, target: Target, *, memory_budget: int | None
) -> Steered:
    """Measure a target under each intervention that is made for the prompts (and, for a gap, for their partners).

    Raises: ValueError, as `engine.sweep`.
    """

    def swept(of: TraitPrompts) -> Effects:
        return sweep(model, of.tokens, make(of.batch), target.of(model, of), mask=of.mask, memory_budget=memory_budget)

    found = swept(prompts)
    baseline, values = found.baseline, found.values
    if target.scale == "gap":
        other = swept(prompts.partner())
        baseline, values = between_partners(baseline, other.baseline), between_partners(values, other.values)
    return Steered(
        baseline=baseline,
        values=values,
        templates=np.array(prompts.templates),
        texts=np.array(prompts.texts),
        sides=np.array(prompts.sides, dtype=np.float64),
    )
