"""The config of the experiment on features: which dictionary, which latents, what is done to them, beside what."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, field_validator

from interp_lab.effects.config import AnswerConfig
from interp_lab.sae.activations import TextConfig
from interp_lab.sae.chosen import SaeChoice

Selection = Literal["exact", "attribution", "difference", "output score"]
"""By what latents are chosen, on the selection split: the exact effect of the first operation; its first-order estimate
(gradient times change); how much they differ between clean and corrupted prompts; what they write when amplified."""
SELECTIONS: tuple[Selection, ...] = ("exact", "attribution", "difference", "output score")


class Operation(StrEnum):
    """What is done to the values of a latent on the clean prompts."""

    ZERO = "zero"
    """Set to zero: the latent is silent."""
    MEAN = "mean"
    """Set to its mean over the tokens of the selection split, clean and corrupted, that are asked about."""
    RESAMPLE = "resample"
    """Set to its values on another prompt of the template, token by token."""
    CORRUPTED = "corrupted"
    """Set to its values on the corrupted prompt of the pair, token by token: noising, feature by feature."""
    SCALE = "scale"
    """Multiplied by `scale`."""
    CLAMP = "clamp"
    """Set to `clamp` times its largest value on the selection split, at all tokens that are asked about."""

    @property
    def phrase(self) -> str:
        """What sentences call it, before `feature 3`."""
        return _PHRASES[self]

    @property
    def removes(self) -> bool:
        """Whether it takes away what the latent tells on this prompt, so that an answer that suffers needed it."""
        return self in (Operation.ZERO, Operation.MEAN, Operation.RESAMPLE)

    @property
    def amplifies(self) -> bool:
        """Whether it asks what more of a latent does, so that it need not agree with those that ask what it is for."""
        return self in (Operation.SCALE, Operation.CLAMP)


_PHRASES = {
    Operation.ZERO: "silencing",
    Operation.MEAN: "mean ablation of",
    Operation.RESAMPLE: "resampling",
    Operation.CORRUPTED: "corrupting",
    Operation.SCALE: "scaling",
    Operation.CLAMP: "clamping",
}


class FeatureEffectsConfig(AnswerConfig):
    """Which features of a sparse autoencoder does an answer need, and how much of it goes through features at all?"""

    task: str = "grammar/sentiment"
    """Where pairs come from: a task by name, or a `.jsonl` file (`interp-lab init-task` writes one)."""
    dictionary: SaeChoice = SaeChoice()
    latents: Annotated[tuple[NonNegativeInt, ...], Field(min_length=1)] | None = None
    """Which latents are asked about; `None` chooses them."""
    n_latents: PositiveInt = 12
    """How many are chosen."""
    by: Selection = "exact"
    """What they are chosen by."""
    most_latents: Annotated[int, Field(ge=4)] = 1024
    """Latents that are considered: of those that are active on the prompts, the ones that write most."""
    positions: str = "all"
    """Tokens at which latents are changed: `all`, or a place that every prompt has (`end`, or a slot of the task)."""
    exclude_special: bool = True
    """Leave BOS, padding and end tokens as they are, and out of every number; turn off for a dictionary trained on
    them only. One that was not reads them as it happens to."""
    operations: tuple[Operation, ...] = Field((Operation.ZERO, Operation.MEAN, Operation.RESAMPLE), min_length=1)
    """What is done to a latent. Claims rest on the first; the others stand beside it."""
    scale: float = 2.0
    """Factor of the operation `scale`."""
    clamp: float = 1.0
    """Value of the operation `clamp`, in units of the latent's largest value on the selection split."""
    n_random: Annotated[int, Field(ge=8)] = 24
    """Random directions beside each feature, of the same length at the same tokens; and of random sets."""
    n_matched: Annotated[int, Field(ge=2)] = 8
    """Other latents beside each feature, changed on the same prompts and by the same length."""
    amplification: PositiveFloat = 10.0
    """Of the output score, in units of the largest latent at the token."""
    text: TextConfig | None = TextConfig(part="held_out")
    """Text on which the loss is measured with each feature silent; `None` leaves that out."""
    n_windows: Annotated[int, Field(ge=8)] = 24
    """Windows of that text."""
    smallest_effect: Annotated[float, Field(gt=0, lt=1)] = 0.025
    """Smallest effect of interest (share of what the corruption costs)."""

    @field_validator("operations", "latents")
    @classmethod
    def _each_once(cls, given: tuple[object, ...] | None) -> tuple[object, ...] | None:
        if given is not None and len(set(given)) < len(given):
            raise ValueError(f"{', '.join(map(str, given))}: one comes twice; name each once")
        return given
