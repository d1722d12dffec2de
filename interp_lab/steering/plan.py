"""What is measured: every setting of the grid, by family."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from jaxtyping import Bool, Int

from interp_lab.effects.confirming import places_of
from interp_lab.interventions import write_hooks
from interp_lab.steering.config import SteeringConfig
from interp_lab.steering.setting import How, Setting
from interp_lab.types import nearest


@dataclass(frozen=True)
class Place:
    """Where a direction is written, and where each of its vectors was read."""

    name: str
    """Such as `2`, `1+2`, `all`, or `writes of 2`."""
    hooks: tuple[str, ...]
    read: tuple[str, ...]
    """For each hook point, that whose vector is used there."""


@dataclass(frozen=True)
class Family:
    """Settings that differ in nothing but their coefficient: one dose-response."""

    direction: str
    place: Place
    how: str
    where: str
    gate: str | None
    coefficients: tuple[float, ...]
    """Ascending, without 0."""

    @property
    def name(self) -> str:
        """What tables and figures call it."""
        gate = "" if self.gate is None else f", if {self.gate}"
        return f"{self.direction} at {self.place.name}, {self.how}, {self.where}{gate}"

    @property
    def settings(self) -> tuple[Setting, ...]:
        """One per coefficient."""
        return tuple(self.setting(coefficient) for coefficient in self.coefficients)

    def named(self, coefficient: float) -> str:
        """Return what tables and texts call the setting of a coefficient."""
        gate = "" if self.gate is None else f", {self.gate} gate"
        return f"{self.how} {coefficient:+g} {self.direction} at {self.place.name}, {self.where}{gate}"

    def setting(self, coefficient: float) -> Setting:
        """Return the setting of a coefficient."""
        return Setting(self.direction, self.place.hooks, How(self.how), coefficient, self.where, self.gate)

    def as_text(self) -> str:
        """Return it as JSON, for an array of text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> "Family":
        """Rebuild from `as_text`."""
        data = json.loads(text)
        at, coefficients = data.pop("place"), tuple(data.pop("coefficients"))
        return cls(**data, place=Place(at["name"], tuple(at["hooks"]), tuple(at["read"])), coefficients=coefficients)


@dataclass(frozen=True)
class Plan:
    """All families, and their settings one after the other: the `setting` axis of everything measured to choose."""

    families: tuple[Family, ...]

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Of all families."""
        return tuple(setting for family in self.families for setting in family.settings)

    @property
    def family_of(self) -> Int[np.ndarray, " setting"]:
        """Number of the family of each setting."""
        return np.repeat(np.arange(len(self.families)), [len(family.coefficients) for family in self.families])

    def of(self, family: int) -> Int[np.ndarray, " setting"]:
        """Return the settings of a family, by ascending coefficient."""
        return np.flatnonzero(self.family_of == family)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the families as text."""
        return {"families": np.array([family.as_text() for family in self.families])}

    @property
    def directions(self) -> tuple[str, ...]:
        """Names of the directions, in order."""
        return tuple(dict.fromkeys(family.direction for family in self.families))

    def places_of(self, names: Sequence[str]) -> list[int]:
        """Return the settings of some names.

        Raises: ValueError, for one that the grid has not, with the nearest.
        """
        every = [family.named(coefficient) for family in self.families for coefficient in family.coefficients]
        return places_of(names, every, what="setting of the grid")

    def only(self, settings: Sequence[int]) -> "Plan":
        """Return the plan of nothing but some settings."""
        kept = [
            replace(family, coefficients=tuple(
                coefficient for setting, coefficient in zip(self.of(nth).tolist(), family.coefficients, strict=True)
                if setting in settings
            ))
            for nth, family in enumerate(self.families)
        ]  # fmt: skip
        return Plan(tuple(family for family in kept if family.coefficients))

    def uses(self, direction: str) -> Bool[np.ndarray, " setting"]:
        """Return which settings use a direction."""
        return np.array([family.direction == direction for family in self.families])[self.family_of]

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Plan":
        """Rebuild from what `arrays` returned."""
        return cls(tuple(Family.from_text(str(text)) for text in arrays["families"]))


def places(config: SteeringConfig, *, n_layers: int, attn_only: bool = False) -> tuple[Place, ...]:
    """Return where to steer, in the config's order.

    Raises: ValueError, for a layer that the model has not.
    """
    writes = write_hooks(n_layers=n_layers, attn_only=attn_only)
    return tuple(_place(one, config.hook, n_layers, writes=writes) for one in config.layers)


def _place(asked: int | tuple[int, ...] | str, hook: str, n_layers: int, *, writes: tuple[str, ...]) -> Place:
    written = isinstance(asked, str) and asked != "all"
    if asked == "all":
        layers: tuple[int, ...] = tuple(range(n_layers))
    elif isinstance(asked, str):
        layers = (int(re.sub(r"\D", "", asked)),)
    else:
        layers = (asked,) if isinstance(asked, int) else asked
    beyond = [layer for layer in layers if not 0 <= layer < n_layers]
    if beyond:
        raise ValueError(f"layer {beyond[0]} of {asked!r} is out of range: the model has layers 0 to {n_layers - 1}")
    hooks = tuple(f"blocks.{layer}.{hook}" for layer in layers)
    if not written:
        return Place("all" if asked == "all" else "+".join(map(str, layers)), hooks, hooks)
    return Place(f"writes of {layers[0]}", writes, hooks * len(writes))


def planned(
    config: SteeringConfig,
    *,
    made: Sequence[str],
    given: Mapping[str, Sequence[str]],
    n_layers: int,
    attn_only: bool = False,
) -> Plan:
    """Return the grid: directions x places x how x where x gate, each with its coefficients.

    Args:
        made: names of directions that are known at every hook point asked for.
        given: names of directions of other runs, with the hook points that each has; they are used at each alone, and
            at all of them together.

    Returns: of these what is stated in advance, where that is so.
    Raises: ValueError, as `places`, and for coefficients of a direction that there is not, or a stated setting.
    """
    asked = places(config, n_layers=n_layers, attn_only=attn_only) if made else ()
    each = dict.fromkeys(made, asked) | {name: _own(hooks) for name, hooks in given.items()}
    for name in config.coefficients_of:
        if name not in each:
            raise ValueError(f"coefficients_of names {name!r}{nearest(name, each)}; directions are: {', '.join(each)}")
    grid = Plan(
        tuple(
            Family(name, place, how, where, gate, _doses(how, config.coefficients_of.get(name, config.coefficients)))
            for name, at in each.items()
            for place in at
            for how in config.hows
            for where in config.wheres
            for gate in config.gates
        )
    )
    return grid if config.chosen is None else grid.only(grid.places_of(list(config.chosen.values())))


def _own(hooks: Sequence[str]) -> tuple[Place, ...]:
    alone = tuple(Place(hook.removeprefix("blocks."), (hook,), (hook,)) for hook in hooks)
    return alone if len(hooks) == 1 else (*alone, Place("all of its own", tuple(hooks), tuple(hooks)))


def _doses(how: str, coefficients: Sequence[float]) -> tuple[float, ...]:
    """Return the coefficients of a family; what is ablated is gone, and 0 adds nothing, but clamps to nothing."""
    if how == How.ABLATE:
        return (1.0,)
    return tuple(one for one in coefficients if one != 0.0 or how == How.CLAMP)
