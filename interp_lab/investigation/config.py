"""The config of an investigation: a model, a behaviour, and a list of steps."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, NonNegativeInt, PositiveInt, model_validator

from interp_lab.config import Config, Processing
from interp_lab.identity import WeightProcessing
from interp_lab.types import nearest

Effort = Literal["quick", "standard", "thorough"]
Mark = Literal["hypotheses", "confirm"]
"""Entries of the list that are no experiments."""


class StepConfig(Config):
    """One step: an experiment of the registry, and what it is told."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    """Of its folder, and by which later steps refer to it (`@name`)."""
    experiment: str
    config: dict[str, Any] = {}  # noqa: RUF012 - pydantic copies defaults
    """Laid over the experiment's defaults and over what all steps share."""
    quick: dict[str, Any] = {}  # noqa: RUF012 - pydantic copies defaults
    """Laid over `config` where the effort is `quick`."""
    thorough: dict[str, Any] = {}  # noqa: RUF012 - pydantic copies defaults
    """The same for `thorough`."""
    gate: bool = False
    """Whether the investigation ends here if the step finds nothing to explain."""
    tested: bool = True
    """Whether what it claims becomes hypotheses; of a step that only says where to look, it need not."""


def _read_entry(entry: Any) -> Any:  # noqa: ANN401 - what a user wrote
    """Read one entry of the list, so that what is wrong with it is told once, and not for all that it might be."""
    if isinstance(entry, str) and entry not in get_args(Mark):
        raise ValueError(
            f"no such mark{nearest(entry, get_args(Mark))}; an entry is 'hypotheses', 'confirm', or a step with name "
            "and experiment"
        )
    return StepConfig.from_mapping(entry) if isinstance(entry, dict) else entry


class InvestigationConfig(Config):
    """The whole cycle on one behaviour of one model."""

    investigation: str
    """Its name."""
    question: str
    """In one sentence."""
    model: str = "organism"
    """As in `ModelConfig`; the same for every step, unless that names its own."""
    processing: Processing = WeightProcessing()
    backend: Literal["hooked", "bridge"] = "hooked"
    dtype: str = "float32"
    device: str | None = None
    beside: str | None = None
    """Another model, in which every hypothesis is tested too: a tuned one beside its base."""
    task: str
    """Of every step whose experiment takes one, unless it names its own."""
    seed: NonNegativeInt = 0
    fdr: Annotated[float, Field(gt=0, le=0.2)] = 0.05
    """False discovery rate over all hypotheses."""
    level: Annotated[float, Field(ge=0.8, lt=1)] = 0.95
    """Of every interval."""
    n_most: PositiveInt = 12
    """Hypotheses that are taken from one step at most, the strongest first."""
    effort: Effort = "standard"
    """Which of the steps' settings are used."""
    steps: Annotated[tuple[Annotated[StepConfig | Mark, BeforeValidator(_read_entry)], ...], Field(min_length=1)]
    """In order. What comes before `hypotheses` sees one fold of the examples and no reserved template; `confirm` tests
    on the rest."""

    @model_validator(mode="after")
    def _require_order(self) -> "InvestigationConfig":
        problems = [*_problems_of_marks(self.steps), *_problems_of_names(self.steps)]
        if self.beside == self.model:
            problems.append(f"beside is {self.model!r}, the model itself; name another, or leave it out")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def before(self) -> tuple[StepConfig, ...]:
        """The steps that come before `hypotheses`; all, if nothing is to be tested."""
        stop = self.steps.index("hypotheses") if self.tests else len(self.steps)
        return tuple(entry for entry in self.steps[:stop] if isinstance(entry, StepConfig))

    @property
    def after(self) -> tuple[StepConfig, ...]:
        """The steps that come after `hypotheses`."""
        return tuple(entry for entry in self.steps if isinstance(entry, StepConfig) and entry not in self.before)

    @property
    def tests(self) -> bool:
        """Whether hypotheses are written down and tested."""
        return "hypotheses" in self.steps


def _problems_of_marks(steps: Sequence[StepConfig | Mark]) -> Iterator[str]:
    for mark in get_args(Mark):
        if steps.count(mark) > 1:
            yield f"{mark!r} stands {steps.count(mark)} times in the list; hypotheses are written, and tested, once"
    there = [mark for mark in steps if isinstance(mark, str)]
    if there[:2] == ["confirm", "hypotheses"]:
        yield "'confirm' stands before 'hypotheses'; what is tested must be written down first: exchange them"
    elif "confirm" in there and "hypotheses" not in there:
        yield "'confirm' has nothing to test; put 'hypotheses' before it"
    elif "hypotheses" in there and "confirm" not in there:
        yield "nothing tests the hypotheses; put 'confirm' behind 'hypotheses', or leave both out: an exploration"
    if steps[0] == "hypotheses":
        yield "'hypotheses' stands before every step; put it behind those that find something"
    if "hypotheses" in there:
        late = [one.name for one in steps[steps.index("hypotheses") :] if isinstance(one, StepConfig) and one.gate]
        yield from (f"step {name!r} is a gate behind 'hypotheses'; what ends it all must come before" for name in late)


def _problems_of_names(steps: Sequence[StepConfig | Mark]) -> Iterator[str]:
    names = [one.name for one in steps if isinstance(one, StepConfig)]
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            yield f"{names.count(name)} steps are named {name!r}; name each by its own word"
