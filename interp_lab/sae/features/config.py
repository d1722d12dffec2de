"""What is kept of every feature."""

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from interp_lab.config import Config, ModelConfig, RunRef
from interp_lab.sae.activations import TextConfig
from interp_lab.sae.chosen import SaeChoice

Reading = Literal["mean", "density", "last"]
"""What a document says of a feature: its mean over tokens, the share of tokens at which it is active, or its value at
the last token."""
TextSet = str
"""`sentiment` and other contrasts of the grammar, or `BEHAVIOUR/LATENT` of one whose latent takes two values."""


class DescribeConfig(Config):
    """How much of every feature is kept of one pass over text."""

    text: TextConfig = TextConfig(seed=1)
    """Which documents are read. To describe features they need not be held out; other ones than those that the
    dictionary was trained on are better all the same."""
    n_tokens: PositiveInt | None = 200_000
    """Tokens to read; `None` reads all the text (the grammar has no end)."""
    n_top: PositiveInt = 8
    """Examples with the largest values, each of another document."""
    n_quantiles: PositiveInt = 4
    """Bins of active values, of equal counts, from which further examples are drawn."""
    per_quantile: PositiveInt = 3
    """Examples of each bin, each of another document."""
    before: NonNegativeInt = 12
    """Tokens of context before an example."""
    after: NonNegativeInt = 8
    """Tokens of context behind it."""
    n_token_rows: PositiveInt = 10
    """Tokens listed for each feature."""
    n_logits: PositiveInt = 10
    """Tokens listed at each end of what a feature's direction does to the logits."""
    n_neighbours: PositiveInt = 8
    """Neighbours of each kind."""
    sample_bytes: PositiveInt = 64 * 2**20
    """Active latents held for token statistics and co-activation: of all tokens if that is enough, else of a random
    sample of them."""
    sections: PositiveInt = 1
    """Stretches of the text that are read each by itself and joined in order, so that processes can share them; needs
    `n_tokens`. Sums of values are added up section by section: their last bits depend on it, and on nothing else."""
    batch_bytes: PositiveInt = 64 * 2**20
    """Latents of one batch, active or not: says how many windows are read at once."""
    seed: NonNegativeInt = 0
    """Of what is drawn."""

    @model_validator(mode="after")
    def _known_length(self) -> "DescribeConfig":
        if self.sections > 1 and self.n_tokens is None:
            raise ValueError(
                f"sections={self.sections} needs to know where the text ends; give n_tokens, or one section"
            )
        return self


class DifferenceConfig(Config):
    """Which features differ between two sets of texts."""

    sets: tuple[TextSet, ...] = ()
    """Contrasts of the grammar: `sentiment`, `neighbourhood`, `register`, ... or `BEHAVIOUR/LATENT`."""
    files: tuple[str, str] | None = None
    """Two files or folders of documents to compare."""
    tuned: str | None = None
    """A model tuned from this one, read on the same text."""
    tuned_on: TextSet | None = "neighbourhood"
    """The first side of this contrast is that text; `None` takes all of the grammar."""
    readings: tuple[Reading, ...] = Field(("mean", "last"), min_length=1)
    """What a document says of a feature."""
    n_documents: int = Field(192, ge=8)
    """Documents on each side: half to choose on, half to report."""
    n_held_out: int | None = Field(96, ge=8)
    """Documents of held-out templates on each side, on which what was found is looked at again; `None` does without."""
    n_shown: PositiveInt = 10
    """Features that are chosen, at most, in each set and reading."""


class CombinationConfig(Config):
    """A classifier on few features, beside simpler and richer ones."""

    label: str = "support/tone"
    """`BEHAVIOUR/LATENT` that takes two values, told from the text before the answer."""
    value: str = "harsh"
    """The one that is to be told from the other."""
    where: dict[str, str] = {"kind": "tone"}  # noqa: RUF012 - pydantic copies defaults
    """Only texts whose other latents are these."""
    contexts: tuple[str, ...] = ("complaint", "payment")
    """Latents that the label may follow from: errors are told apart by them."""
    n_documents: PositiveInt = 480
    """Documents of templates that are not held out: half to train on, half to report."""
    n_held_out: PositiveInt | None = 240
    """Documents of held-out templates; `None` does without."""
    monitors: tuple[RunRef, ...] = ()
    """Directions of other runs that are to warn of the value, measured as they are beside those that are found here:
    `monitor_feature` (what the best feature writes) and `monitor_probe`, which every run keeps."""
    readings: tuple[Literal["max", "mean", "last"], ...] = Field(("max", "last"), min_length=1)
    """What a document says of a feature: its largest value, its mean, or its value at the last token."""
    most_features: PositiveInt = 6
    """Features that a classifier may have."""
    n_folds: int = Field(4, ge=2)
    """Inner folds (whole templates) on which the number of features is chosen."""
    n_shuffled: PositiveInt = 5
    """Repetitions with shuffled labels."""

    @model_validator(mode="after")
    def _monitors_read_the_last_token(self) -> "CombinationConfig":
        if self.monitors and "last" not in self.readings:
            raise ValueError(
                f"monitors={', '.join(one.artefact for one in self.monitors)} read the last token, and readings are "
                f"{', '.join(self.readings)}; add last to readings, or leave monitors out"
            )
        return self


class SaeFeaturesConfig(ModelConfig):
    """What are the features of a dictionary, and which of them tell texts apart?"""

    dictionary: SaeChoice = SaeChoice()
    """The autoencoder."""
    neurons: NonNegativeInt | None = None
    """Describe the MLP neurons of this layer instead."""
    describe: DescribeConfig = DescribeConfig()
    differences: DifferenceConfig = DifferenceConfig()
    combination: CombinationConfig | None = None
    """`None` leaves the classifier out."""
    fdr: float = Field(0.05, gt=0, le=0.2)
    """False discovery rate over all features."""
    level: float = Field(0.95, ge=0.8, lt=1)
    """Of every interval."""
    seed: NonNegativeInt = 0
