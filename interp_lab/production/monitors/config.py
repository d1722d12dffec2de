"""The config of the monitors experiment."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator, model_validator

from interp_lab.config import ModelConfig, RunRef
from interp_lab.production.monitors.over import over_of

Kind = Literal["mean difference", "logistic"]
"""How a monitor is fitted: the way from one mean to the other, or logistic regression."""


class MonitorsConfig(ModelConfig):
    """Does a monitor warn of a behaviour while it is written, at which error rates, and what can be done in time?

    Texts come from a behaviour of the grammar. A monitor is fitted on some, chosen on others, given its threshold on
    the controls of a third part, and reported on a fourth and on reserved templates, beside filters that see words.
    """

    behaviour: str = "support"
    """Of the grammar."""
    where: dict[str, str] = Field(default_factory=lambda: {"kind": "mention"})
    """Only texts whose other latents are these."""
    label: str = "mention"
    """The latent that says whether a text is one to warn of."""
    alarming: tuple[str, ...] = Field(("named",), min_length=1)
    """Values of it that are."""
    says: tuple[str, ...] | None = ("Zenix", "Voltra", "Quanta", "Orbis")
    """Words that the model should not write: texts are then labelled by whether it does, and what happens under alarms
    is measured. `None` labels by the latent, and lets nothing be written."""
    begins: str = "answer"
    """The slot from which on the text counts as written by the model."""
    words_before: NonNegativeInt = 0
    """So many words earlier, which the model then writes itself."""
    until: tuple[str, ...] | None = None
    """Where a text is labelled by the latent: read it up to the last word of these slots, not up to the answer."""
    keywords: tuple[str, ...] = Field(("compares", "leaves"), min_length=1)
    """What a filter by hand would look for: it raises the alarm where one of them stands in the text."""
    paraphrases: dict[str, str] = {}  # noqa: RUF012 - pydantic copies defaults
    """Wordings of your own: texts of ordinary templates with one of these phrases put in another's place."""
    monitors: tuple[RunRef, ...] = ()
    """What other runs made, beside what is fitted here; see `from_run.monitor_from_run`."""
    kinds: tuple[Kind, ...] = Field(("mean difference", "logistic"), min_length=1)
    """How monitors are fitted here."""
    layers: tuple[NonNegativeInt, ...] | None = None
    """After which layers; `None` is all but the last, so that a later one is left to act in."""
    over: str = "max"
    """How tokens' scores become the text's; see `over.WAYS`."""
    n_fit: Annotated[int, Field(ge=32)] = 240
    """Texts that monitors, and the filter that learns words, are fitted on."""
    n_choose: Annotated[int, Field(ge=16)] = 96
    """Texts that the monitor, and the strength of the response, are chosen on."""
    n_calibrate: Annotated[int, Field(ge=32)] = 240
    """Texts that thresholds and probabilities come from."""
    n_report: Annotated[int, Field(ge=32)] = 240
    """Texts of the same templates that everything is reported on; and of paraphrases, where there are any."""
    n_held_out: Annotated[int, Field(ge=32)] | None = 240
    """Texts of reserved templates; `None` leaves them out."""
    rate: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    """Share of control texts that may raise an alarm."""
    strict_rate: Annotated[float, Field(gt=0, lt=0.5)] = 0.01
    """A second one, at which recall is told if there are controls enough."""
    n_random: Annotated[int, Field(ge=2)] = 5
    """Random directions at the same place, and monitors fitted on shuffled labels: so many of each, as controls."""
    strengths: tuple[Annotated[float, Field(gt=0)], ...] = Field((1.0, 2.0, 4.0), min_length=1)
    """Of the response: multiples of the way from texts to warn of to the others, added in the next layer from the
    token that raises the alarm on; the least that keeps the words from being written, on the texts that choose."""
    n_responses: Annotated[int, Field(ge=2)] = 4
    """Random directions of the same length that respond in its stead, as controls."""
    chosen: str | None = None
    """The monitor, stated in advance so that none is chosen, such as `logistic at 1.hook_resid_post`."""
    smallest_effect: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Smallest effect of interest (share of texts)."""
    fdr: Annotated[float, Field(gt=0, le=0.2)] = 0.05
    """False discovery rate; also the level of claims."""
    level: Annotated[float, Field(ge=0.8, lt=1)] = 0.95
    """Of every interval."""
    batch_size: PositiveInt = 128
    """Texts per forward pass."""
    seed: NonNegativeInt = 0

    @field_validator("over")
    @classmethod
    def _known_way(cls, given: str) -> str:
        over_of(given)
        return given

    @field_validator("kinds", "layers", "strengths")
    @classmethod
    def _each_once(cls, given: tuple[object, ...] | None) -> tuple[object, ...] | None:
        if given is not None and len(set(given)) < len(given):
            raise ValueError(f"{', '.join(map(str, given))}: one comes twice; name each once")
        return given

    @model_validator(mode="after")
    def _fitting(self) -> "MonitorsConfig":
        if self.says is not None and self.until is not None:
            raise ValueError("until is for texts that are labelled by the latent; with says they end at the answer")
        if self.says is not None and self.begins != "answer":
            raise ValueError(f"begins={self.begins!r}: what the model says stands at the answer; use words_before")
        return self
