"""The config of red-teaming."""

from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator, model_validator

from interp_lab.config import Config, ModelConfig, RunRef
from interp_lab.effects.confirming import Stated, each_once
from interp_lab.production.red_team.edits import edit_from

SpaceName = Literal["slots", "tokens"]
"""What a search knows: the values that the slots of a template may take, or the tokenizer alone."""
MethodName = Literal["gradient", "mutation", "evolution", "likely_mutation", "likely", "random"]
"""How it looks; see `methods`."""
Over = Literal["max", "last"]


class TargetConfig(Config):
    """What is to be driven up."""

    direction: RunRef | Path | None = None
    """A direction, the direction of a probe, or what an autoencoder's latent writes: an artefact of a run, or a file of
    directions (also a control vector). `None` is the answer: the log odds of the one that the model did not prefer."""
    hook: str | None = None
    """Which of its hook points; `None` where there is one."""
    over: Over = "max"
    """Of a direction: the largest projection over tokens, or that at the last one."""


class RedTeamConfig(ModelConfig):
    """Which inputs drive a target up, found by which search at what price, and does the answer follow?

    Model calls are counted: a forward pass of one sequence is one, a backward pass two more.
    """

    behaviour: str = "loans"
    """A behaviour of the grammar, whose texts are edited."""
    target: TargetConfig = TargetConfig()
    """What is driven up."""
    threshold: float | None = None
    """What makes a hit (unit of the target). `None`: log odds of 1 for the other answer (nats); of a direction the
    largest value among ordinary texts."""
    n_ordinary: Annotated[int, Field(ge=16)] = 128
    """Ordinary texts among which a direction's largest value is taken."""
    clear: Annotated[float, Field(ge=0)] = 1.0
    """Least log odds (nats) of its own answer over the other that a text must have to be edited."""
    keep: tuple[str, ...] | None = None
    """Attributes whose words stay, and are put nowhere else; `None` keeps what is declared to decide (of loans income,
    debt and savings)."""
    searches: tuple[str, ...] = Field(
        (
            "slots/gradient", "slots/mutation", "slots/evolution", "slots/random",
            "tokens/gradient", "tokens/evolution", "tokens/likely_mutation", "tokens/likely", "tokens/random",
        ),
        min_length=1,
    )  # fmt: skip
    """What is compared, each `SPACE/METHOD`."""
    n_seeds: Annotated[int, Field(ge=2)] = 10
    """Runs of each search, the independent units of its hit rate."""
    budget: Annotated[int, Field(ge=10)] = 20_000
    """Model calls of each run, a hard limit: whatever is run counts, texts that are not edited after all included."""
    per_start: PositiveInt = 1000
    """Model calls after which a text is given up for another one."""
    most_hits: PositiveInt | None = 20
    """Hits after which a run ends before its budget does; `None` spends all of it."""
    max_edits: PositiveInt = 4
    """Most slots (or tokens) in which an input may differ from its text."""
    max_drop: Annotated[float, Field(ge=0)] = 0.1
    """Most that an input's log-probability under the model may lie below that of its text (nats per token)."""
    n_candidates: PositiveInt = 32
    """Inputs that a search puts to the model at once."""
    pairs: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Share of moves that change two slots at once: single moves see nothing of what only acts together."""
    top_k: PositiveInt = 8
    """Options of a slot among which a gradient lets choose."""
    n_followed: PositiveInt = 3
    """Clusters of inputs, the largest first, whose edits are tried on other texts."""
    n_contexts: Annotated[int, Field(ge=8)] = 64
    """Other texts of ordinary templates on which these edits are reported."""
    n_held_out: Annotated[int, Field(ge=8)] | None = 64
    """The same of held-out templates; `None` leaves replication out."""
    n_controls: Annotated[int, Field(ge=2, le=16)] = 4
    """Random edits, as many, that each is compared with on the same text."""
    planted: Stated | None = None
    """Edits that are known to be there, such as `[paper=waxed, seal=broken]`: no search is told, and each is judged by
    whether it comes to exactly these."""
    chosen: Stated | None = None
    """Edits to be tried, stated in advance, such as `[paper=waxed with seal=broken]`, so that nothing is searched."""
    smallest_effect: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    """Smallest effect of interest (share of texts whose answer turns)."""
    fdr: Annotated[float, Field(gt=0, le=0.2)] = 0.05
    """False discovery rate over all that is tested; also the level of claims."""
    level: Annotated[float, Field(ge=0.8, lt=1)] = 0.95
    """Of every interval."""
    batch_size: PositiveInt = 256
    """Inputs per forward pass."""
    seed: NonNegativeInt = 0

    @field_validator("searches", "keep")
    @classmethod
    def _each_once(cls, given: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if given is None else each_once(given)

    @field_validator("searches")
    @classmethod
    def _known(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        known = [f"{space}/{method}" for space in get_args(SpaceName) for method in get_args(MethodName)]
        for one in given:
            if one not in known:
                raise ValueError(f"{one!r} is no search; there are {', '.join(known)}")
        return given

    @model_validator(mode="after")
    def _readable(self) -> "RedTeamConfig":
        for one in self.chosen or ():
            edit_from(one)
        edit_from(" with ".join(self.planted or ("none=none",)))
        return self
