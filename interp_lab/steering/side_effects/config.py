"""The config of what steering does besides: other traits, two vectors at once, other texts, other layers."""

from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator, model_validator

from interp_lab.config import Config


class SideEffectsConfig(Config):
    """What does a trait's direction do to other traits, beside other directions, and from other texts?"""

    traits: tuple[str, ...] = Field(("sentiment", "register", "sycophancy", "neighbourhood"), min_length=2)
    """Each is steered, and measured under the steering of every other: names of traits, or files of them."""
    n_pairs: Annotated[int, Field(ge=8)] = 256
    """Texts on each side from which the direction of a trait is made."""
    n_calibration: Annotated[int, Field(ge=4)] = 48
    """Prompts of each trait on which its coefficient is found."""
    n_prompts: Annotated[int, Field(ge=4)] = 64
    """Prompts of each trait on which effects are reported; none of them was calibrated on or made a direction."""
    aim: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Mean change of its own trait to which each direction is scaled, both ways (share of the possible range, from -1
    to 1), so that what it does to others can be compared; traits with a coefficient of their own keep it."""
    coefficients: tuple[Annotated[float, Field(gt=0)], ...] = Field((0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0), min_length=1)
    """Tried while a coefficient is looked for, rising; 1 is one gap between the two kinds of text."""
    n_random: Annotated[int, Field(ge=5)] = 20
    """Random directions of the same length beside each direction."""
    n_partners: Annotated[int, Field(ge=2)] = 6
    """Random directions, of those above, that stand in for the second of two vectors."""
    n_neutral: Annotated[int, Field(ge=8)] = 24
    """Texts that do not show a trait, on which its gate is fitted, if steering has one."""
    margin: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Mean change of a trait that counts as none (share of the possible range)."""
    odds_margin: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Change of the log odds of a trait that counts as none (share of what its own direction does). Where a model is
    sure of its answers, log odds move long before the answers do."""
    layers: tuple[NonNegativeInt, ...] | None = None
    """Where directions are compared and steered in turn; `None` takes every layer."""
    n_shuffled: Annotated[int, Field(ge=20)] = 60
    """Directions of shuffled labels, between which the null band of cosines lies."""
    n_resamples: Annotated[int, Field(ge=40)] = 200
    """Resamples of templates, for the intervals of cosines."""
    sizes: tuple[Annotated[int, Field(ge=2)], ...] = (8, 16, 32, 64, 128, 256, 512)
    """Numbers of pairs that a direction is made from again; those that the texts do not allow are left out. Empty
    leaves stability out."""
    n_draws: Annotated[int, Field(ge=2)] = 8
    """Directions of each size, from pairs of their own as long as there are so many."""
    depth_pairs: PositiveInt = 64
    """Pairs of the directions that are compared and steered layer by layer."""
    stable: tuple[str, ...] | None = None
    """Traits whose directions are made again; `None` takes the first."""

    @field_validator("traits", "coefficients", "sizes")
    @classmethod
    def _each_once(cls, given: tuple[object, ...]) -> tuple[object, ...]:
        if len(set(given)) < len(given):
            raise ValueError(f"{', '.join(map(str, given))}: one comes twice; name each once")
        return given

    @field_validator("coefficients", "sizes")
    @classmethod
    def _rising(cls, given: tuple[float | int, ...]) -> tuple[float | int, ...]:
        if list(given) != sorted(given):
            raise ValueError(f"{', '.join(map(str, given))} do not rise; give the smallest first")
        return given

    @model_validator(mode="after")
    def _stable_are_traits(self) -> "SideEffectsConfig":
        unknown = [one for one in self.stable or () if one not in self.traits]
        if unknown:
            raise ValueError(
                f"stable names {unknown[0]!r}, which is not among traits={list(self.traits)}; add it there"
            )
        return self
