"""What autoencoders are measured on, and what they are measured against."""

import re
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator

from interp_lab.config import Config, ModelConfig
from interp_lab.sae.activations import TextConfig
from interp_lab.sae.chosen import SaeChoice

Baseline = Literal["pca", "random", "data", "own"]
"""`pca`: principal components, as many as an autoencoder has latents active. The others are directions without an
encoder, of which a greedy search (orthogonal matching pursuit, codes of either sign) chooses as many for every token:
`random`, as many as it has latents, drawn from the sphere; `data`, as many activations of the train side, less their
mean; `own`, its own decoder, which tells what its encoder leaves on the table (no control; only where decoding is
linear)."""
Variant = Literal["legacy_explained_variance", "fraction_of_variance_unexplained_batch", "normalised_mse_uncentred"]
"""Other numbers that are called explained variance elsewhere; see `reconstruction.VARIANTS`."""


BASELINE_NAMES = re.compile(r"mean|zero|(pca|random|data)_\d.*|own_.*")
"""Names of baselines in tables, which no autoencoder can have."""


class EvaluationConfig(Config):
    """Measured on text that nothing was trained on."""

    text: TextConfig = TextConfig(part="held_out")
    """Where the numbers come from."""
    fit_text: TextConfig | None = None
    """Where baselines come from; `None` takes the train side of the same text."""
    n_tokens: PositiveInt = 50_000
    """Of the text, special tokens not counted."""
    n_fit_tokens: PositiveInt = 50_000
    """For mean and principal components, and to find out how many latents are active."""
    baselines: tuple[Baseline, ...] = ("pca", "random", "data", "own")
    """Beside each autoencoder; the mean and zero are always there."""
    search_rounds: PositiveInt = 32
    """Of the greedy search, at most: one direction a round where no more are active, several a round beyond that."""
    pca_components: tuple[PositiveInt, ...] = ()
    """More sizes of principal components, for a curve."""
    variants: tuple[Variant, ...] = ()
    """Other numbers of that kind to tell as well; some depend on the batches."""
    stability: tuple[tuple[str, str], ...] = ()
    """Pairs of autoencoders that differ in their seed: how far do they have the same directions?"""
    most_matched: PositiveInt = 2048
    """Latents of the first of a pair that are matched with the second's; more are drawn from at random."""
    exclude_special: bool = True
    """Leave BOS, padding and end tokens out, as in training: they are neither scored nor replaced."""
    smallest_effect: NonNegativeFloat = 0.01
    """Smallest difference of losses of interest (nats per token): with enough documents any is clear of zero."""
    level: float = Field(0.95, ge=0.8, lt=1)
    """Share of intervals that should hold the true value."""
    seed: NonNegativeInt = 0
    """Of random directions, activations that are drawn, and resamples."""

    @model_validator(mode="after")
    def _is_disjoint(self) -> "EvaluationConfig":
        if self.text.part != "held_out" and self.fit_text is None:
            raise ValueError(
                f"text.part={self.text.part!r} leaves no text for baselines: use text.part='held_out', or name other "
                "text as fit_text"
            )
        return self

    @property
    def text_to_fit(self) -> TextConfig:
        """Text for baselines."""
        return self.fit_text or self.text.model_copy(update={"part": "train"})


class SaeEvaluationConfig(EvaluationConfig, ModelConfig):
    """What do autoencoders of one hook point cost, reconstruct and keep of the predictions?"""

    dictionaries: Annotated[dict[str, SaeChoice], Field(min_length=1)] = {"sae": SaeChoice()}  # noqa: RUF012 - copied
    """By the name they are to have; all of one hook point."""
