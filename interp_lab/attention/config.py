"""The config of the attention-head experiment."""

from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveInt

from interp_lab.config import Config, Processing
from interp_lab.interventions import Ablation
from interp_lab.types import WeightProcessing


class AttentionHeadsConfig(Config):
    """Which heads look like previous-token, induction, duplicate-token or first-token heads; what ablating them does.

    Measured on random tokens that come twice, `[BOS, x, x]`.
    """

    model: str = "organism-attn"
    """A bundled or compiled model, a name known to TransformerLens, or a local Hugging Face directory."""
    processing: Processing = WeightProcessing()
    """Weight processing; see `WeightProcessing`."""
    dtype: str = "float32"
    """Of the weights."""
    device: str | None = None
    """`None` takes a GPU if there is one."""
    period: Annotated[int, Field(ge=2)] = 20
    """Length of the repeated segment `x` (tokens), for choosing and for reporting."""
    held_out_period: Annotated[int, Field(ge=2)] | None = 13
    """Another period, seen by no choice: what effects are replicated on; `None` leaves replication out."""
    n_sequences: Annotated[int, Field(ge=16)] = 64
    """Sequences of `period`, half to choose types on and half to report on; `held_out_period` gets half as many."""
    bos_token: NonNegativeInt | None = None
    """Token that sequences start with; `None` takes the tokenizer's BOS, or 0 where there is no tokenizer."""
    looks_like: Annotated[float, Field(gt=0, lt=1)] = 0.4
    """Score from which a head is said to look like a type, if it is also above chance (share of attention)."""
    fdr: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """False discovery rate over heads and types, and over effects."""
    smallest_effect: Annotated[float, Field(ge=0, lt=1)] = 0.01
    """Smallest effect of interest: share of the gap between first-copy and second-copy loss."""
    ablation: Ablation = Ablation.MEAN
    """What a head's output is replaced with; means are taken by position over the sequences chosen on."""
    level: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """Of every interval."""
    batch_size: PositiveInt = 32
    """Sequences per forward pass."""
    seed: NonNegativeInt = 0
