"""The config of the steering experiment."""

import math
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, NonNegativeInt, PositiveInt, field_validator, model_validator

from interp_lab.config import Config, ModelConfig, RunRef
from interp_lab.decoding.where import words
from interp_lab.steering.generated.config import GeneratedConfig
from interp_lab.steering.side_effects.config import SideEffectsConfig

MethodName = Literal["mean_difference", "mean_centred", "pca", "logistic", "lda"]
ReadName = Literal["last", "all", "answer"]
HowName = Literal["add", "clamp", "ablate"]
GateName = Literal["projection", "similarity"]
TargetName = Literal["share", "log_odds", "gap"]
Side = Literal["positive", "negative"]

_WRITES = re.compile(r"writes (\d+)")


def _usable(coefficients: tuple[float, ...]) -> tuple[float, ...]:
    bad = [one for one in coefficients if not math.isfinite(one)]
    if bad:
        raise ValueError(f"coefficient {bad[0]} is no number to multiply by; leave it out")
    if len(set(coefficients)) < len(coefficients):
        raise ValueError(f"coefficients {coefficients}: one comes twice; name each once")
    return tuple(sorted(coefficients))


Coefficients = Annotated[tuple[float, ...], Field(min_length=1), AfterValidator(_usable)]


class Budget(Config):
    """What a setting may cost, on texts that have nothing to do with the trait.

    Means over the selection split keep to it or do not; the same means on the report split stand beside, with intervals
    over templates, which say how far it is known: 200 questions cannot show a loss below 1 point.
    """

    kl: Annotated[float, Field(gt=0)] = 0.1
    """Mean divergence of next-token predictions on neutral text, KL(unsteered || steered) (nats per token)."""
    capability_loss: Annotated[float, Field(ge=0, lt=1)] = 0.01
    """Largest fall in accuracy on any capability: share of prompts whose likeliest next token is a right answer."""
    deciding_loss: Annotated[float, Field(ge=0, lt=1)] = 0.02
    """Largest fall of the gap by what should decide, where `should_decide` asks for it (a probability)."""


class SteeringConfig(ModelConfig):
    """How far does a direction move a trait, at which price, and farther than directions that have no meaning?

    Directions are made from one set of texts, settings chosen on a second set of prompts within a budget, and what is
    chosen reported on a third, and on templates that neither saw.
    """

    trait: str = "sentiment"
    """A contrast of the grammar by name, or a `.jsonl` file; see `steering.traits`."""
    n_contrast: Annotated[int, Field(ge=8)] = 256
    """Texts on each side, from which directions are made."""
    read: ReadName = "last"
    """Where activations are read for a direction: the last token, the mean over all, or the answer."""
    methods: tuple[MethodName, ...] = ("mean_difference",)
    """How directions are made; may be empty where `directions` are given, here or in `measure`."""
    directions: tuple[RunRef, ...] = ()
    """Directions of other runs: of a probe, a decoder row, or a direction file; see `directions.from_run`."""
    hook: Literal["hook_resid_pre", "hook_resid_mid", "hook_resid_post", "hook_attn_out", "hook_mlp_out"] = (
        "hook_resid_post"
    )
    """Which activation of a layer is read and steered."""
    layers: Annotated[tuple[int | tuple[int, ...] | str, ...], Field(min_length=1)] = (0, 1, 2, 3, "all")
    """Where to steer, each alone: a layer, several at once (`[1, 2]`), `all`, or `writes L`: the direction of layer L
    at everything that writes to the residual stream."""
    hows: Annotated[tuple[HowName, ...], Field(min_length=1)] = ("add", "clamp")
    """Add the direction, clamp the projection on it, or ablate it (which has no coefficient)."""
    wheres: Annotated[tuple[str, ...], Field(min_length=1)] = ("all",)
    """At which tokens: `all` (but special ones), `all+bos`, `last` (of the prompt: it predicts the answer), `from K`,
    or `tokens WORD ...`; see `steering.setting`. A setting that hardly ever acts on neutral text has a low mean price:
    compare what it costs where it acts."""
    gates: Annotated[tuple[GateName | None, ...], Field(min_length=1)] = (None,)
    """Act only on tokens whose activation is like that of texts that show the trait, on either side: `projection` or
    `similarity`, fitted on the contrast texts and neutral ones; `null` acts on all."""
    gate_percentile: Annotated[float, Field(ge=0, le=100)] | None = 95.0
    """Of neutral tokens, for which a gate stays closed; `None` puts its threshold midway between the means."""
    coefficients: Coefficients = (
        -2.0,
        -1.0,
        -0.7,
        -0.5,
        -0.3,
        0.3,
        0.5,
        0.7,
        1.0,
        2.0,
    )
    """Multiples of the gap between the two sides along the direction; 0 is always measured, and need not be here."""
    coefficients_of: dict[str, Coefficients] = {}  # noqa: RUF012 - pydantic copies defaults
    """By the name of a direction, in place of `coefficients`: a decoder row has length 1, and takes other multiples
    than the mean difference."""
    chosen: Annotated[dict[Side, str], Field(min_length=1)] | None = None
    """What is tested, in place of what the selection split would choose: by side, a setting of the grid by the name
    that tables have for it, such as `add +0.5 mean_difference at 2, all`. Nothing else of the grid is measured."""
    made_in: RunRef | None = None
    """Where directions of `methods` come from, in place of being made again of texts: the artefact `directions` of
    another run of this experiment."""
    target: TargetName = "share"
    """`share`: of the possible range, 2 P(positive answer) / P(either) - 1, from -1 to 1; `log_odds`: nats. `gap`:
    P(positive answer) / P(either), less the same of a partner: the same prompt with the negative side's words, all else
    equal; what is chosen leaves the least of it. A target of your own: `measure(model, target=...)`."""
    should_decide: dict[str, tuple[str, str]] = {}  # noqa: RUF012 - pydantic copies defaults
    """With `gap`: latents of the same behaviour that should decide, each with two values (`income: [low, high]`). How
    much of the gap between the first values of all and the second ones may go is in the budget."""
    n_prompts: Annotated[int, Field(ge=16)] = 192
    """Prompts of ordinary templates: half to choose on, half to report."""
    n_held_out: Annotated[int, Field(ge=8)] | None = 64
    """Prompts of held-out templates, on which what was chosen is confirmed; `None` leaves replication out."""
    n_neutral: Annotated[int, Field(ge=8)] = 48
    """Neutral texts that the price is measured on: half to choose on, half to report."""
    neutral: Path | None = None
    """File of neutral text, for models that were not trained on the grammar; `None` takes the grammar without the
    trait's own texts and those near to it."""
    capabilities: tuple[str, ...] = ("facts", "agreement", "indirect_objects")
    """What must not suffer: behaviours of the grammar, or tasks by name; empty measures none."""
    n_capability: Annotated[int, Field(ge=16)] = 200
    """Prompts of each capability: half to choose on, half to report. The loss is known to one prompt, no finer."""
    budget: Budget = Budget()
    """What a chosen setting may cost on the selection split. If none keeps to it, that is the result."""
    tolerance: Annotated[float, Field(ge=0, lt=0.5)] = 0.02
    """Of settings within the budget whose mean effect is within this of the largest, the cheapest is chosen; in the
    same measure as `smallest_effect`."""
    n_random: PositiveInt = 199
    """Random directions as long as the chosen one, at its setting; so many that the rank of what leads to either side
    can be below `fdr`."""
    n_orthogonal: Annotated[int, Field(ge=2)] = 49
    """The same, orthogonal to the chosen one."""
    n_shuffled: Annotated[int, Field(ge=2)] = 20
    """Directions made from shuffled labels, and made as long as the chosen one."""
    prefixes: tuple[str, str] | None = None
    """Texts put before prompts as a baseline, to move them to the positive and to the negative side; `None` takes texts
    of the contrast with their answers, of other templates than the prompt's."""
    n_priced: Annotated[int, Field(ge=2)] = 20
    """The first of the random directions, whose price is measured too, and which are seen at every coefficient and on
    held-out templates."""
    generated: GeneratedConfig | None = GeneratedConfig()
    """What is written under the settings that lead; `None` leaves it out."""
    side_effects: SideEffectsConfig | None = None
    """What directions do to other traits, together, and from fewer texts; `None` leaves it out (it takes minutes)."""
    smallest_effect: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Smallest effect of interest (share: of the possible range from -1 to 1, so 0.1 at 0.05; gap: a probability; else
    a share of the standard deviation of the unsteered target)."""
    fdr: Annotated[float, Field(gt=0, le=0.2)] = 0.05
    """False discovery rate over all that is tested; also the level of claims."""
    level: Annotated[float, Field(ge=0.8, lt=1)] = 0.95
    """Of every interval."""
    batch_size: PositiveInt = 64
    """Texts per forward pass where directions are made."""
    memory_budget: PositiveInt | None = None
    """Bytes of activations in flight; see `engine.sweep`."""
    seed: NonNegativeInt = 0

    @field_validator("wheres")
    @classmethod
    def _known(cls, wheres: tuple[str, ...]) -> tuple[str, ...]:
        for where in wheres:
            words(where)
        return wheres

    @field_validator("layers")
    @classmethod
    def _placed(cls, layers: tuple[int | tuple[int, ...] | str, ...]) -> tuple[int | tuple[int, ...] | str, ...]:
        for one in layers:
            if isinstance(one, str) and one != "all" and not _WRITES.fullmatch(one):
                raise ValueError(f"layers {one!r} is neither a layer, a list of them, 'all', nor 'writes L'")
            if isinstance(one, tuple) and (not one or len(set(one)) < len(one)):
                raise ValueError(f"layers {list(one)}: give at least one, and each once")
        return layers

    @field_validator("methods", "layers", "hows", "wheres", "gates", "capabilities")
    @classmethod
    def _each_once(cls, given: tuple[object, ...]) -> tuple[object, ...]:
        if len(set(given)) < len(given):
            raise ValueError(f"{', '.join(map(str, given))}: one comes twice; name each once")
        return given

    @model_validator(mode="after")
    def _makes_settings(self) -> "SteeringConfig":
        if "add" in self.hows and (0.0,) in (self.coefficients, *self.coefficients_of.values()):
            raise ValueError("coefficients: [0] steers nothing by adding; give others, or leave 'add' out of hows")
        return self

    @model_validator(mode="after")
    def _states_each_once(self) -> "SteeringConfig":
        named = list((self.chosen or {}).values())
        if len(set(named)) < len(named):
            raise ValueError(f"chosen names {named[0]!r} for both sides; one setting moves to one of them")
        return self

    @model_validator(mode="after")
    def _decides_a_gap(self) -> "SteeringConfig":
        if self.should_decide and self.target != "gap":
            raise ValueError(f"should_decide stands beside a gap, and target is {self.target!r}; leave it out")
        return self

    @model_validator(mode="after")
    def _can_be_told_from_random(self) -> "SteeringConfig":
        fewest = math.floor(2 / self.fdr)
        if self.n_random < fewest:
            raise ValueError(
                f"n_random={self.n_random} random directions give no p below {self.fdr:g} for both sides together; "
                f"take {fewest} or more"
            )
        return self
