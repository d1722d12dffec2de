"""The config of the attention-head experiment."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator, model_validator

from interp_lab.config import ModelConfig
from interp_lab.interventions import Ablation

HeadAblation = Literal[Ablation.ZERO, Ablation.MEAN, Ablation.RESAMPLE]


class AttentionHeadsConfig(ModelConfig):
    """Which heads look like previous-token, induction, ... heads; what ablating them does.

    Measured on random tokens that come twice, `[BOS, x, x]`, and if asked for on natural text and on prompts of a task.
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
    text: str | None = None
    """Natural text besides: `grammar` (the organisms'), or a file or folder of .txt, .jsonl or .parquet files."""
    n_text: Annotated[int, Field(ge=32)] = 64
    """Windows of text, half to choose types on and half to report on; half as many more are held out."""
    text_length: Annotated[int, Field(ge=8)] = 48
    """Tokens of a window."""
    task: str | None = None
    """A task whose answers heads are ablated for besides, by name or a `.jsonl` file; duplicate-token heads predict a
    part in telling who was named twice, as in `grammar/indirect_objects`."""
    n_task: Annotated[int, Field(ge=32)] = 96
    """Prompts of the task: half give the values of ablations, half are measured."""
    n_task_held_out: Annotated[int, Field(ge=32)] | None = 96
    """The same of reserved templates, on which effects are replicated; `None` where a task has none."""
    window: Annotated[int, Field(ge=2)] = 5
    """Tokens that a local head looks back."""
    looks_like: Annotated[float, Field(gt=0, lt=1)] = 0.4
    """Score from which a head is said to look like a type, if it is also above its null (share of attention)."""
    n_untrained: PositiveInt = 3
    """Untrained models: the best of their heads is what a score that positions alone explain must exceed."""
    fdr: Annotated[float, Field(gt=0, le=0.2)] = 0.05
    """False discovery rate over heads and types, and over effects; also the level of claims."""
    smallest_effect: Annotated[float, Field(ge=0, lt=1)] = 0.01
    """Smallest effect of interest: share of what there is to lose (of the gap between first-copy and second-copy loss;
    between the loss of a uniform guess and that on text; of the logit difference of a task)."""
    ablations: tuple[HeadAblation, ...] = Field((Ablation.MEAN, Ablation.ZERO, Ablation.RESAMPLE), min_length=1)
    """What a head's output is replaced with. Claims stand on the first; the others stand beside it. Means are taken by
    position over the sequences chosen on, for tasks within each template."""
    find_partners: bool = True
    """Ablate every head that looks the part and does nothing alone together with every other head, to find what stands
    in for it; of 144 heads that is a thousand pairs."""
    n_random_sets: Annotated[int, Field(ge=2)] = 10
    """Random sets of heads of no type that a set of look-alikes is compared with."""
    n_copied_tokens: PositiveInt | None = 128
    """Tokens on which copying is read from the weights; `None` leaves the weights out."""
    n_rotations: Annotated[int, Field(ge=10)] = 20
    """Random rotations of what heads write: the null of what is read from the weights."""
    level: Annotated[float, Field(ge=0.8, lt=1)] = 0.95
    """Of every interval."""
    batch_size: PositiveInt = 32
    """Sequences per forward pass."""
    seed: NonNegativeInt = 0

    @field_validator("ablations")
    @classmethod
    def _each_once(cls, kinds: tuple[HeadAblation, ...]) -> tuple[HeadAblation, ...]:
        if len(set(kinds)) < len(kinds):
            raise ValueError(f"ablations names one kind twice: {', '.join(kinds)}")
        return kinds

    @model_validator(mode="after")
    def _periods_differ(self) -> "AttentionHeadsConfig":
        periods = [self.period, self.second_period, self.held_out_period]
        if len(set(periods)) < len(periods):
            raise ValueError(
                f"period, second_period and held_out_period must differ, got {periods}: the same text twice "
                "would be taken for a second look at the claim"
            )
        return self
