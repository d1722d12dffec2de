"""The config of the experiment on relations."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, NonNegativeInt, PositiveInt, field_validator

from interp_lab.attention.relations.places import RELATIONS, relations_named
from interp_lab.config import Config, ModelConfig
from interp_lab.effects.confirming import each_once
from interp_lab.interventions import Ablation


class ContrastConfig(Config):
    """Two sets of prompts of one task, told apart by a latent, in which attention is compared."""

    task: str = "grammar/loans"
    """Of the grammar (texts as they come, whether or not they decide an answer), any other task, or a `.jsonl` file."""
    latent: str = "expected"
    """What the sets differ in; in the grammar `expected` is the answer that the text makes likelier."""
    first: str | int | bool = "approved"
    """Value of the latent in the first set; differences are first minus second."""
    second: str | int | bool = "rejected"
    query: str = "end"
    """Role of the token that attends."""
    n_prompts: Annotated[int, Field(ge=16)] = 240
    """Prompts drawn, for both sets together, of templates that are not reserved."""

    @property
    def title(self) -> str:
        """What is contrasted, in one line."""
        query = "" if self.query == "end" else f", from {self.query}"
        return f"{self.first} against {self.second} ({self.latent} in {self.task}{query})"


class AttentionRelationsConfig(ModelConfig):
    """Which heads attend along syntactic and semantic relations, and what does ablating them do to the answer?

    Prompts of the grammar; attention and effects are read at the token that the answer follows.
    """

    relations: Annotated[tuple[str, ...], Field(min_length=1)] = tuple(relation.name for relation in RELATIONS)
    """By name, see `places.RELATIONS`; relations of your own are given to `AttentionRelations(config).measure`."""
    n_prompts: Annotated[int, Field(ge=16)] = 192
    """Prompts drawn per relation of templates that are not held out: half to choose heads on, half to report."""
    n_held_out: Annotated[int, Field(ge=16)] | None = 96
    """Prompts drawn per relation of held-out templates; `None` leaves replication out."""
    chosen: Annotated[tuple[str, ...], AfterValidator(each_once)] | None = None
    """Which heads carry which relations, by name (`1.3 along coreference`), in place of what the selection split would
    find; none at all, if the list is empty. All heads are ablated: they are what these are compared with."""
    at_least: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Excess of attention, over other places and over neighbours, from which a head carries a relation (share)."""
    ablations: Annotated[
        tuple[Literal[Ablation.ZERO, Ablation.MEAN_BY_TEMPLATE, Ablation.RESAMPLE], ...], Field(min_length=1)
    ] = (Ablation.ZERO, Ablation.MEAN_BY_TEMPLATE, Ablation.RESAMPLE)
    """What a head's output is replaced with. Claims rest on the first; the others stand beside it. Values are those of
    other prompts of the same template."""
    smallest_effect: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Smallest effect of interest (share of how much the untouched model prefers the answer)."""
    n_random_sets: Annotated[int, Field(ge=5)] = 20
    """Random sets of as many heads: what heads of one relation are compared with when they are ablated together."""
    contrasts: tuple[ContrastConfig, ...] = (ContrastConfig(),)
    """Pairs of sets of prompts in which attention is compared; descriptive only."""
    fdr: Annotated[float, Field(gt=0, le=0.2)] = 0.05
    """False discovery rate over all heads and relations; also the level of claims."""
    level: Annotated[float, Field(ge=0.8, lt=1)] = 0.95
    """Of every interval."""
    batch_size: PositiveInt = 32
    """Prompts per forward pass where attention is read."""
    seed: NonNegativeInt = 0

    @field_validator("relations")
    @classmethod
    def _known(cls, relations: tuple[str, ...]) -> tuple[str, ...]:
        relations_named(relations)
        return relations

    @field_validator("ablations", "contrasts")
    @classmethod
    def _each_once(cls, given: tuple[object, ...]) -> tuple[object, ...]:
        told = [one.title if isinstance(one, ContrastConfig) else str(one) for one in given]
        twice = next((one for nth, one in enumerate(told) if one in told[:nth]), None)
        if twice is not None:
            raise ValueError(f"{twice!r} comes twice; name each once")
        return given
