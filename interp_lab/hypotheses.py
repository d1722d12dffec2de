"""What a result says should hold on examples that it never saw: hypotheses, and how each is to be tested.

A hypothesis is a sentence that names no measured number, so that the search and its test can make the same one; where
an effect turns its sign, the test makes another sentence, and what it measured of the component refutes the hypothesis.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from interp_lab.claims import Grade
from interp_lab.types import Interval

OWN_RUN = "@own"
"""In the config of a `Confirmation`, in the place of a run folder: that of the result itself, which does not know it;
see `with_own_run`."""


def with_own_run(config: Any, folder: Path) -> Any:  # noqa: ANN401 - plain data
    """Return the config of a `Confirmation` with the run folder of its result filled in."""
    if isinstance(config, Mapping):
        return {key: with_own_run(value, folder) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return [with_own_run(value, folder) for value in config]
    return str(folder) if config == OWN_RUN else config


@dataclass(frozen=True)
class Confirmation:
    """How what a result claims is tested on other examples, with all that was chosen stated in advance."""

    config: Mapping[str, Any]
    """Laid over the result's own config, it fixes the choice; says nothing of folds and numbers of examples. Artefacts
    of the result's own run are in `OWN_RUN`, to be filled in by `with_own_run`."""
    statements: tuple[str, ...]
    """Claims worth testing, those of an effect that is clear where it was searched for, the strongest first."""
    components: Mapping[str, str]
    """By statement, what it is about: `0.1`, `2.resid_pre at end`, `attribute income`."""
    refuted_if: Mapping[str, str] = field(default_factory=dict)
    """By statement, where what refutes any hypothesis does not say it all."""
    uncertain: Mapping[str, str] = field(default_factory=dict)
    """By statement, what stays open even if it holds: redundancy, distribution, way of ablating."""


@runtime_checkable
class Confirmable(Protocol):
    """A result with claims that can be tested again."""

    def confirmation(self) -> Confirmation | None:
        """Return how; `None` if nothing here is worth testing."""
        ...


@dataclass(frozen=True)
class Component:
    """What one method says of one part of a model or an input: a row of the table in which methods are compared."""

    name: str
    """The same in all methods: a head `L.H`, `mlp_out L`, a latent `HOOK#N`, `attribute income`, a role `role end`."""
    method: str
    causal: bool
    """Whether the number comes from an intervention."""
    effect: Interval
    unit: str
    grade: Grade | None
    """`None` where nothing is claimed of it."""
    selected: bool
    """Whether the method picked it out."""


@runtime_checkable
class Componential(Protocol):
    """A result that speaks of single components."""

    def components(self) -> list[Component]:
        """Return what it says of each."""
        ...


@dataclass(frozen=True)
class Hypothesis:
    """A statement that was written down before what is held out was seen."""

    id: str
    """`H1`, `H2`, ..."""
    statement: str
    component: str
    step: str
    """Which step of the investigation it comes from."""
    experiment: str
    """What tests it, by its name in the registry."""
    config: Mapping[str, Any]
    """Of the test, whole, as plain data; the run folder of a step of the investigation is `@STEP`."""
    observed: Interval
    """The effect where it was searched for: chosen there, it is no measure of what is to be expected."""
    unit: str
    margin: float
    """Smallest effect of interest, in the unit."""
    n_examples: int
    refuted_if: str
    uncertain: str
    """What stays open even if it holds."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Hypothesis":
        """Rebuild from `as_dict`."""
        values: dict[str, Any] = {**data, "observed": Interval(**data["observed"])}
        return cls(**values)
