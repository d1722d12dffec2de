"""What experiments on pairs have in common: which pairs, how many on each side, and how sure one wants to be."""

from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveInt

from interp_lab.config import ModelConfig
from interp_lab.effects.metric_names import MetricName

LeastLogits = Annotated[float, Field(ge=0)]
LEAST_LOGITS = 0.1
"""What a corruption must cost of the logit difference to be called a behaviour, unless another figure is asked for:
the odds of the answer are a tenth higher."""


class PairsConfig(ModelConfig):
    """Pairs of a task, half to choose on and half to report, and pairs of held-out templates to confirm."""

    task: str = "grammar/indirect_objects"
    """Where pairs come from: a task by name, or a `.jsonl` file (`interp-lab init-task` writes one)."""
    n_pairs: Annotated[int, Field(ge=16)] = 96
    """Pairs of templates that are not held out: half to choose on, half to report."""
    n_held_out: Annotated[int, Field(ge=8)] | None = 48
    """Pairs of held-out templates, on which what was found is confirmed; `None` leaves replication out."""
    metric: MetricName = "logit_difference"
    """What is measured, at the place of the clean prompt's answer; see `metric_names.metric_named`. A metric of your
    own: `measure(model, metric=...)`."""
    fdr: Annotated[float, Field(gt=0, le=0.2)] = 0.05
    """False discovery rate over all that is tested; also the level of claims."""
    level: Annotated[float, Field(ge=0.8, lt=1)] = 0.95
    """Of every interval."""
    memory_budget: PositiveInt | None = None
    """Bytes of activations in flight; see `engine.sweep`."""
    seed: NonNegativeInt = 0


class AnswerConfig(PairsConfig):
    """The same, of experiments that claim something of the answer: first there must be a behaviour to speak of."""

    least_logits: LeastLogits = LEAST_LOGITS
    """What the corruption must cost at least, of the logit difference, to be called a behaviour (logits): untrained
    models tell any two words apart by a little, always the same. In other units it must be clear of zero, no more."""
