"""The config of the attention-head experiment."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from interp_lab.config import ModelConfig
from interp_lab.interventions import Ablation


class AttentionHeadsConfig(ModelConfig):
    """Which heads look like previous-token, induction, duplicate-token or first-token heads; what ablating them does.

    Measured on random tokens that come twice, `[BOS, x, x]`.
    """

    model: str = "organism-attn"
    """As of every experiment; the one trained for this question."""
    period: Annotated[int, Field(ge=4)] = 20
    """Length of the repeated segment `x` (tokens), for choosing and for reporting."""
    second_period: Annotated[int, Field(ge=4)] = 17
    """A type must hold on this period, too: looking a fixed distance back is induction on one period only."""
    held_out_period: Annotated[int, Field(ge=4)] | None = 13
    """A third period, seen by no choice: what effects are replicated on; `None` leaves replication out."""
    n_sequences: Annotated[int, Field(ge=32)] = 64
    """Sequences of `period`, half to choose types on and half to report on; as many of the other periods."""
    bos_token: NonNegativeInt | None = None
    """Token that sequences start with; `None` takes the tokenizer's BOS, or 0 where there is no tokenizer."""
    looks_like: Annotated[float, Field(gt=0, lt=1)] = 0.4
    """Score from which a head is said to look like a type, if it is also above chance (share of attention)."""
    fdr: Annotated[float, Field(gt=0, le=0.2)] = 0.05
    """False discovery rate over heads and types, and over effects; also the level of claims."""
    smallest_effect: Annotated[float, Field(ge=0, lt=1)] = 0.01
    """Smallest effect of interest: share of the gap between first-copy and second-copy loss."""
    ablation: Literal[Ablation.ZERO, Ablation.MEAN, Ablation.RESAMPLE] = Ablation.MEAN
    """What a head's output is replaced with; means are taken by position over the sequences chosen on."""
    level: Annotated[float, Field(ge=0.8, lt=1)] = 0.95
    """Of every interval."""
    batch_size: PositiveInt = 32
    """Sequences per forward pass."""
    seed: NonNegativeInt = 0

    @model_validator(mode="after")
    def _periods_differ(self) -> "AttentionHeadsConfig":
        periods = [self.period, self.second_period, self.held_out_period]
        if len(set(periods)) < len(periods):
            raise ValueError(
                f"period, second_period and held_out_period must differ, got {periods}: the same text twice "
                "would be taken for a second look at the claim"
            )
        return self
