"""The config of the experiment on concepts."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, field_validator

from interp_lab.config import ModelConfig
from interp_lab.sae.chosen import SaeChoice
from interp_lab.tasks.labels import Labels


class ConceptsConfig(ModelConfig):
    """Which features of an autoencoder go with a variable of the grammar, and better than what else is there?"""

    dictionary: SaeChoice = SaeChoice()
    """The autoencoder; it must have been trained on `model`."""
    labels: Labels = ("grammar/sentiment/sentiment",)
    """Variables, `grammar/BEHAVIOUR/LATENT`; a latent `*` stands for all of a behaviour that take from 2 to 12 values,
    a behaviour `*` for all behaviours, and the latent `random` for labels that are in no text. Of three or more values
    each is a concept of its own; numbers of more than 12 values are cut at their median."""
    per: Literal["token", "text"] = "token"
    """What has a concept or has it not: every token on its own, or a text, by the mean over its tokens. Only tokens
    count that could know the label and do not give it away."""
    n_documents: Annotated[int, Field(ge=96)] = 320
    """Texts of ordinary templates: half to choose and to train on, half to report."""
    n_held_out: Annotated[int, Field(ge=32)] | None = 160
    """Texts of reserved templates, on which what is reported is seen again; `None` leaves them out."""
    k: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (1, 2, 5)
    """Units that sparse probes may read."""
    n_full: PositiveInt = 1024
    """Units that the full probe reads, those of largest mean difference; all, where there are no more."""
    penalty: PositiveFloat = 1.0
    """On half the squared weights of sparse probes, whose inputs have spread 1."""
    penalties: Annotated[tuple[PositiveFloat, ...], Field(min_length=1)] = (1e-3, 1e-2, 1e-1, 1.0)
    """Grid for the full probe, as shares of the mean eigenvalue; chosen on inner folds of texts."""
    n_random: Annotated[int, Field(ge=3)] = 5
    """Random dictionaries, as wide and about as sparse as the autoencoder."""
    n_shuffled: Annotated[int, Field(ge=3)] = 5
    """Shufflings of the labels among the texts that features are chosen on."""
    n_candidates: PositiveInt = 128
    """Units whose score is computed exactly when one is chosen: half by mean difference in spreads, half by how often
    they fire."""
    least_area: Annotated[float, Field(ge=0.5, lt=1)] = 0.6
    """Smallest area under the ROC curve of interest: a concept has a feature only if it is clearly above."""
    fdr: Annotated[float, Field(gt=0, le=0.2)] = 0.05
    """False discovery rate: over concepts, of what is found; over concepts and sides together, of what is better."""
    level: Annotated[float, Field(ge=0.8, lt=1)] = 0.95
    """Of every interval."""
    batch_size: PositiveInt = 128
    """Texts per forward pass."""
    seed: NonNegativeInt = 0

    @field_validator("k")
    @classmethod
    def _rises(cls, k: tuple[int, ...]) -> tuple[int, ...]:
        if list(k) != sorted(set(k)):
            raise ValueError(f"k {list(k)} must rise")
        return k
