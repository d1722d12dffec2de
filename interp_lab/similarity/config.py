"""The config of the comparison of two models."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, field_validator

from interp_lab.effects.config import PairsConfig
from interp_lab.effects.confirming import Stated
from interp_lab.similarity.parts import PartMap


class ModelDifferenceConfig(PairsConfig):
    """Where does a tuned model differ from the one it was tuned from, and which of that changed its behaviour?

    The behaviour is how far clean and corrupted prompts of a task differ by the metric: for `loans/neighbourhood`, what
    the neighbourhood alone does to the decision.
    """

    model: str = "organism"
    """The base model: a bundled one, a name known to TransformerLens, or a local Hugging Face directory."""
    tuned: str = "organism-tuned"
    """The model that was tuned from it, loaded in the same way."""
    task: str = "grammar/loans/neighbourhood"
    """Where pairs come from whose behaviour changed: a task by name, or a `.jsonl` file."""
    metric: Literal["logit_difference", "log_probability", "probability_difference"] = "logit_difference"
    """What is measured on both prompts of a pair, at the place of the clean prompt's answer."""
    text: str = "grammar"
    """Text on which behaviour did not change, the control: `grammar`, or a file or folder of documents."""
    without: tuple[str, ...] = ("loans",)
    """Behaviours of the grammar that are left out of that text."""
    n_documents: PositiveInt = 512
    """Documents of that text."""
    length: Annotated[int, Field(ge=4)] = 64
    """Tokens up to which a document is read."""
    batch_size: PositiveInt = 32
    """Documents of a minibatch: the examples that are compared with each other, at least 4."""
    draws: PositiveInt = 4
    """Tokens drawn from each document; minibatches of one token each."""
    parts: tuple[PartMap, ...] = Field(("embed", "z", "mlp_out"), min_length=1)
    """What is put from one model into the other, part by part."""
    chosen: Stated | None = None
    """What is tested, by name, in place of what the selection split would choose: parts, such as `1.3`, `mlp 2` or
    `the embedding`. The other parts are measured as well: they are what these are compared with."""
    n_top: PositiveInt = 3
    """Parts of each map that are chosen, by how much of the change they carry on the selection split."""
    n_cumulative: PositiveInt = 8
    """Parts whose weights are moved one on top of the other, those that carry most first."""
    smallest_effect: Annotated[float, Field(gt=0, lt=1)] = 0.025
    """Smallest effect of interest (share of the change of behaviour)."""

    @field_validator("parts")
    @classmethod
    def _each_once(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(given)) < len(given):
            raise ValueError(f"{', '.join(given)}: one comes twice; name each once")
        return given
