"""The config of the ablation experiment."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator

from interp_lab.effects.config import AnswerConfig
from interp_lab.effects.confirming import Stated
from interp_lab.interventions import Ablation
from interp_lab.patching.prescreen import Estimator

AblatedMap = Literal["z", "attn_out", "mlp_out"]
"""Heads; whole attention outputs; MLP outputs: one site per head or layer, at all positions."""
Reference = Literal["clean and corrupted", "clean"]


class AblatingConfig(AnswerConfig):
    """Which parts does an answer need, do they write it to the logits themselves, and what stands in for what?

    Every part is ablated on the clean prompts; values that replace its own come from other pairs of the same template.
    """

    task: str = "grammar/facts"
    """Where pairs come from: a task by name, or a `.jsonl` file (`interp-lab init-task` writes one)."""
    sites: tuple[AblatedMap, ...] = Field(("z", "mlp_out"), min_length=1)
    """What is ablated, part by part; attention-only models have no `mlp_out`."""
    ablations: tuple[Ablation, ...] = Field((Ablation.MEAN_BY_TEMPLATE, Ablation.ZERO, Ablation.RESAMPLE), min_length=1)
    """What values are replaced with. Claims rest on the first; the others stand beside it."""
    reference: Reference = "clean and corrupted"
    """Which prompts of other pairs the replacing values come from. What clean prompts of a template have in common may
    give an answer away (who is named first, say); with the corrupted ones it says nothing of which answer is right."""
    n_top: PositiveInt = 4
    """Parts of each map that are chosen, by how much ablating them does on the selection split."""
    chosen: Stated | None = None
    """What is tested, by name, in place of what the selection split would choose: parts, such as `1.3` or
    `2.hook_mlp_out`, and heads that may stand in for each other, such as `1.2+1.3` (the one that is not missed first).
    The other parts are measured as well: they are what these are compared with."""
    n_cumulative: PositiveInt = 8
    """Parts that are ablated one on top of the other, the most needed first."""
    n_backups: NonNegativeInt = 3
    """Heads, for each kind of ablation, for which a stand-in is looked for: those that write the answer to the logits
    and are missed by less than half of that. 0 looks for none."""
    n_random_sets: Annotated[int, Field(ge=5)] = 12
    """Random sets, orders and directions that what was found is compared with."""
    prescreen: Estimator | None = None
    """First-order estimate of patches, whose largest are then made exactly; reported with the share of the largest
    exact ones that it found. `None` leaves it out."""
    n_prescreened: PositiveInt = 8
    """Parts that the prescreen keeps."""
    smallest_effect: Annotated[float, Field(gt=0, lt=1)] = 0.025
    """Smallest effect of interest (share of what the corruption costs; an ablation that leaves nothing to tell right
    from wrong costs about half as much as a corruption that turns the answer over)."""

    @field_validator("sites", "ablations")
    @classmethod
    def _each_once(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(given)) < len(given):
            raise ValueError(f"{', '.join(map(str, given))}: one comes twice; name each once")
        return given
