"""What settings do to the prompts of one split, and what they cost on texts that have nothing to do with the trait."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal, TypeVar

import numpy as np
from jaxtyping import Float, Shaped

from interp_lab.engine import sweep
from interp_lab.interventions import Intervention
from interp_lab.metrics import Metric
from interp_lab.steering.prompts import TraitPrompts
from interp_lab.types import HookedModel

KeptT = TypeVar("KeptT", bound="Kept")
Scale = Literal["share", "log_odds", "own"]
"""On which the target is shown; `own` is a user's metric."""
TargetOf = Callable[[HookedModel, TraitPrompts], Metric]
"""Makes a target of your own for prompts; higher is the positive side."""


class Kept:
    """Arrays as fields, kept by name; a base of dataclasses."""

    def arrays(self, prefix: str) -> dict[str, np.ndarray]:
        """Return the fields under a prefix."""
        return {f"{prefix}_{one.name}": getattr(self, one.name) for one in fields(self)}  # ty: ignore[invalid-argument-type] - of dataclasses

    @classmethod
    def from_arrays(cls: type[KeptT], prefix: str, arrays: Mapping[str, np.ndarray]) -> KeptT:
        """Rebuild from what `arrays` returned."""
        return cls(**{one.name: arrays[f"{prefix}_{one.name}"] for one in fields(cls)})  # ty: ignore[invalid-argument-type] - of dataclasses


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


def target_of(scale: Literal["share", "log_odds"], own: TargetOf | None) -> Target:
    """Return the target that a config names, or a user's own in its place."""
    if own is not None:
        return Target("own", "own target", "", own)
    if scale == "share":
        return Target("share", "share", "share of the range", lambda model, prompts: prompts.log_odds())
    return Target("log_odds", "log odds", "nats", lambda model, prompts: prompts.log_odds())


@dataclass(frozen=True)
class Steered(Kept):
    """The target on the prompts of one split, as it is measured (log odds, or a user's own), without and with."""

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

    def rows(self, index: Sequence[int]) -> "Steered":
        """Return some of the settings."""
        return replace(self, values=self.values[list(index)])


def steered(
    model: HookedModel,
    prompts: TraitPrompts,
    interventions: Sequence[Intervention],
    metric: Metric,
    *,
    memory_budget: int | None,
) -> Steered:
    """Measure a target under each intervention.

    Raises: ValueError, as `engine.sweep`.
    """
    found = sweep(model, prompts.tokens, interventions, metric, mask=prompts.mask, memory_budget=memory_budget)
    return Steered(
        baseline=found.baseline,
        values=found.values,
        templates=np.array(prompts.templates),
        texts=np.array(prompts.texts),
        sides=np.array(prompts.sides, dtype=np.float64),
    )
