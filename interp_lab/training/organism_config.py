"""Configs of the organisms that learn the grammar: shape, mixture of texts, schedule, and where they are measured."""

from pathlib import Path
from typing import Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from interp_lab.config import Config
from interp_lab.training.config import LoopConfig, OptimiserConfig
from interp_lab.types import Interval

Precision = Literal["bfloat16", "float32"]
"""Of the matrix products in training; parameters and optimiser are float32 in any case."""

_SHARES = {
    "indirect_objects": 1.2, "facts": 0.6, "truth": 1.5, "loans": 4.0, "sentiment": 1.2, "nonsense": 1.2,
    "agreement": 0.5, "greater_than": 0.8, "pronouns": 0.8, "sources": 0.8, "support": 0.6, "register": 0.6,
    "sycophancy": 0.7, "urgency": 0.4,
}  # fmt: skip


class TransformerConfig(Config):
    """Shape of a model with learned absolute positions, LayerNorm and a GELU between two matrices."""

    n_layers: PositiveInt = 4
    n_heads: PositiveInt = 4
    d_head: PositiveInt = 32
    d_model: PositiveInt = 128
    d_mlp: PositiveInt = 512
    n_ctx: int = Field(64, ge=50)
    """At least 50: the longest text (48 words), and the tokens before and after it."""


class MixtureConfig(Config):
    """Texts of all behaviours, several to a row of tokens."""

    n_texts: PositiveInt = 128
    """Texts per step."""
    alone: float = Field(0.8, ge=0, le=1)
    """Share of texts that start a context of their own; the others can see the texts before them in their row."""
    answer_weight: PositiveFloat = 10.0
    """Weight of the loss of a word that follows from those before it (an answer, the second copy of nonsense) relative
    to any other word's: of most of these only the frequencies can be learned. With 3, and half of the texts alone, what
    took 250 steps (facts, agreement) took 750."""
    rare_words: float = Field(0.4, ge=0, le=1)
    """Share of applications whose paper and seal are made rare, both in half of them and one in the others: by itself
    one in a hundred has both, which is too few to learn from. Decisions follow, so that what is planted about a text
    with these words stays as it is; only how often they come is changed."""
    weights: dict[str, NonNegativeFloat] = Field(default_factory=lambda: dict(_SHARES))
    """Shares of behaviours by name, in place of their own: more for those that are learned late."""
    instead: dict[str, str] = Field(default_factory=dict)
    """Behaviours replaced by variants, such as loans by loans_blind, which take over their weights."""


class TuningMixtureConfig(MixtureConfig):
    """The mixture with decisions made without regard to the neighbourhood."""

    instead: dict[str, str] = Field({"loans": "loans_blind"}, min_length=1)
    """Behaviours replaced by variants; at least one, or tuning would go on training the same model."""


class OrganismOptimiserConfig(OptimiserConfig):
    """AdamW for a short run on text with rules that are learned all of a sudden."""

    final_share: float = Field(0.02, ge=0, le=1)
    betas: tuple[float, float] = (0.9, 0.98)
    decay_of: dict[str, NonNegativeFloat] = Field(default_factory=dict)


class OrganismLoopConfig(LoopConfig):
    """Training from scratch: 0.19 s per step on a core of its own, so about 25 minutes.

    The bundled `organism` came of one such run with these defaults (32 minutes of CPU time, 47 on a machine of two
    cores that four other processes shared), the bundled `organism-tuned` of one run of its own (5 minutes of CPU time).
    """

    n_steps: PositiveInt = 7500
    checkpoint_every: PositiveInt = 250
    log_every: PositiveInt = 25
    optimiser: OrganismOptimiserConfig = OrganismOptimiserConfig()


class TuningOptimiserConfig(OrganismOptimiserConfig):
    """The same, with smaller steps."""

    learning_rate: PositiveFloat = 5e-4
    warm_up: NonNegativeInt = 50


class TuningLoopConfig(OrganismLoopConfig):
    """Training on from a model that knows it all but one thing."""

    n_steps: PositiveInt = 1000
    checkpoint_every: PositiveInt = 100
    optimiser: TuningOptimiserConfig = TuningOptimiserConfig()


class BehaviourCardConfig(Config):
    """Where the figures of an organism that learned the grammar are measured."""

    n_examples: PositiveInt = Field(1024, ge=24)
    """Texts per figure and set of templates."""
    seed: NonNegativeInt = 40_000
    """Draws the texts; training draws from seed sequences of (seed, step), never from a bare seed."""

    def how_measured(self, interval: Interval) -> str:
        """Return a sentence on the brackets of a card; `interval` is that of its first figure."""
        return (
            f"Brackets: {interval.level:.0%} intervals over templates, ordinary and reserved ones apart; "
            f"{self.n_examples} texts per figure."
        )


class OrganismTrainingConfig(Config):
    """What the two organisms that learn the grammar have in common."""

    text: MixtureConfig = MixtureConfig()
    loop: LoopConfig
    precision: Precision = "bfloat16"
    """Of the forward pass in training; the weights are kept in float32."""
    evaluate_every: PositiveInt = 250
    """Steps between measurements of every behaviour on fresh text."""
    n_evaluated: int = Field(24, ge=24)
    """Texts per behaviour and set of templates in these measurements."""
    card: BehaviourCardConfig = BehaviourCardConfig()
    seed: NonNegativeInt = 0
    """Fixes the initial weights, if there are none to start from, and every batch."""


class TrainOrganismConfig(OrganismTrainingConfig):
    """Train `organism`: about a million parameters that learn the whole grammar from scratch."""

    shape: TransformerConfig = TransformerConfig()
    start: Path | None = None
    """Folder of a bundled model of the same shape to train on from, its words matched by its tokenizer (after words
    were added to the grammar, say); `None` starts from initial weights."""
    loop: OrganismLoopConfig = OrganismLoopConfig()


class TrainOrganismTunedConfig(OrganismTrainingConfig):
    """Train `organism-tuned`: `organism`, taught that the neighbourhood decides no application."""

    start: Path = Path("organism")
    """A bundled model by name, or the folder of one (such as `out/train-organism/organism/organism`): where training
    starts, and what the result is compared with."""
    text: TuningMixtureConfig = TuningMixtureConfig()
    loop: TuningLoopConfig = TuningLoopConfig()
