"""What is trained, on what, and how: the configs of the training runs."""

from typing import Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from interp_lab.config import Config
from interp_lab.types import Interval


class OptimiserConfig(Config):
    """AdamW under a linear warm-up and a cosine decay, with gradients clipped by norm."""

    learning_rate: PositiveFloat = 2e-3
    """Peak, reached at the end of the warm-up."""
    final_share: float = Field(0.05, ge=0, le=1)
    """Learning rate at the last step (share of the peak)."""
    warm_up: NonNegativeInt = 100
    """Steps from zero to the peak."""
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: NonNegativeFloat = 0.01
    decay_of: dict[str, NonNegativeFloat] = {"W_V": 0.3, "W_O": 0.3}  # noqa: RUF012 - pydantic copies defaults
    """Weight decay of parameters whose name ends like this, in place of `weight_decay`. Where copying is
    dear, attention becomes sharp: with 0.01 throughout, the previous-token score is 0.59 instead of 0.74."""
    clip_norm: PositiveFloat = 1.0
    """Longest gradient, over all parameters together."""


class LoopConfig(Config):
    """How long to train, and how often to look up."""

    n_steps: PositiveInt = 1500
    checkpoint_every: PositiveInt = 100
    """Steps between checkpoints; a killed run loses at most these."""
    log_every: PositiveInt = 10
    """Steps between rows of metrics."""
    optimiser: OptimiserConfig = OptimiserConfig()


class AttentionOnlyConfig(Config):
    """Shape of a model of attention layers only, with learned absolute positions and LayerNorm."""

    n_layers: Literal[2] = 2
    """One layer that writes and one that reads: what a circuit of two heads needs."""
    n_heads: int = Field(4, ge=2)
    """At least 2: the other heads of a layer are the control of the one that matters."""
    d_head: PositiveInt = 16
    d_model: PositiveInt = 64
    n_ctx: PositiveInt = 64


class RepeatsConfig(Config):
    """Text of repeated random segments; see `organisms.repeats.varied_repeats`."""

    n_symbols: PositiveInt = 180
    """Symbols are the token ids from 1 on; 0 begins every sequence."""
    shortest: PositiveInt = 12
    """Shortest period (tokens). With many copies in a context, attending evenly to everything pays so
    well (4.3 instead of 5.2 nats with periods from 4) that induction comes late or not at all."""
    longest: PositiveInt = 31
    """Longest period (tokens)."""
    batch_size: PositiveInt = 64
    """Sequences per step, each as long as the context."""


class CardConfig(Config):
    """Where the figures of a model card are measured."""

    conditions: tuple[tuple[PositiveInt, NonNegativeInt], ...] = ((25, 0), (14, 0), (20, 15))
    """Period and offset of each text `[BOS, prefix, x, x]`; heads are scored in the first, whose offset must be 0."""
    n_examples: PositiveInt = Field(512, ge=16)
    """Sequences per condition; heads are chosen on one half and scored on the other."""
    seed: NonNegativeInt = 20_000
    """Draws the text and the null matrices."""

    @field_validator("conditions")
    @classmethod
    def _first_has_no_prefix(cls, value: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
        if not value or value[0][1] != 0:
            raise ValueError("the first condition must have offset 0: induction scores are defined on [BOS, x, x]")
        return value

    def how_measured(self, interval: Interval) -> str:
        """Return a sentence on the brackets of a card; `interval` is that of its first figure."""
        return (
            f"Brackets: {interval.level:.0%} bootstrap intervals over sequences ({interval.n_clusters} for losses; "
            "heads are chosen on one half of them and scored on the other)."
        )


class TrainOrganismAttnConfig(Config):
    """Train `organism-attn`: an attention-only model that learns induction on repeated random tokens."""

    shape: AttentionOnlyConfig = AttentionOnlyConfig()
    text: RepeatsConfig = RepeatsConfig()
    loop: LoopConfig = LoopConfig()
    nested_heads: bool = True
    """Train so that the first head of a layer can do the layer's work alone; see `attn.nested_heads`."""
    card: CardConfig = CardConfig()
    seed: NonNegativeInt = 0
    """Fixes the initial weights and every batch."""

    @model_validator(mode="after")
    def _text_fits(self) -> "TrainOrganismAttnConfig":
        if self.text.shortest > self.text.longest:
            raise ValueError(f"text.shortest={self.text.shortest} is above text.longest={self.text.longest}")
        if 2 * self.text.longest + 1 > self.shape.n_ctx:
            raise ValueError(
                f"text.longest={self.text.longest} does not fit twice into shape.n_ctx={self.shape.n_ctx}; "
                f"use at most {(self.shape.n_ctx - 1) // 2}"
            )
        if self.text.n_symbols < self.shape.n_ctx:
            raise ValueError(f"text.n_symbols={self.text.n_symbols} must be at least shape.n_ctx={self.shape.n_ctx}")
        for period, offset in self.card.conditions:
            if 1 + offset + 2 * period > self.shape.n_ctx:
                raise ValueError(
                    f"card.conditions: period {period} after a prefix of {offset} needs {1 + offset + 2 * period} "
                    f"positions, shape.n_ctx is {self.shape.n_ctx}"
                )
        return self
