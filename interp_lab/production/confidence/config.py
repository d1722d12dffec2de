"""The config of the confidence experiment."""

from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator, model_validator

from interp_lab.config import ModelConfig, RunRef
from interp_lab.production.confidence.levels import LEVELS, highest_first
from interp_lab.production.confidence.names import PRIMARIES
from interp_lab.types import nearest


class ConfidenceConfig(ModelConfig):
    """How likely is an answer of the model to be right, by which signals, and how far can one go by that?

    Prompts are divided: a probe is fitted on some, probabilities of being right on others, and all is reported on a
    third part and on reserved templates. The answer is the likeliest token, or several in turn.
    """

    task: str = "grammar/loans"
    """Where prompts come from: `grammar/BEHAVIOUR`, or a `.jsonl` file with `prompt` and `answers` (all that are right)
    and, if need be, `sources` (texts that stand in the prompt), `template`, `reserved` a line. Right is what the text
    goes on with: where the grammar leaves that to chance (loans), the best model is wrong at times."""
    where: dict[str, str] = Field(default_factory=dict)
    """Only texts of the grammar whose latents are these."""
    words_cut: NonNegativeInt = 0
    """Words left out of each prompt, drawn at random: it may no longer say what is asked for."""
    n_sources: Annotated[int, Field(ge=2, le=6)] = 2
    """Of `grammar/sources`: statements in each prompt. The organism was trained on two."""
    answer_tokens: PositiveInt = 1
    """Tokens of the answer, fewer if it ends before. Those of a right answer must not be more."""
    n_fit: Annotated[int, Field(ge=64)] = 256
    """Prompts that the probe, and what activations usually are, is fitted on."""
    n_calibrate: Annotated[int, Field(ge=64)] = 256
    """Prompts that turn signals into probabilities."""
    n_report: Annotated[int, Field(ge=64)] = 256
    """Prompts of the same templates that everything is reported on."""
    n_held_out: Annotated[int, Field(ge=64)] | None = 256
    """Prompts of reserved templates; `None` leaves them out."""
    least_of_a_kind: Annotated[int, Field(ge=5)] = 10
    """Right answers, and wrong ones, that each part needs: with fewer there is nothing to calibrate."""
    n_samples: Annotated[int, Field(ge=2)] = 20
    """Answers drawn for self-consistency."""
    heat: Annotated[float, Field(gt=0)] = 1.0
    """Temperature that they are drawn at."""
    probe: RunRef | None = None
    """A probe, a latent or a direction of another run, read at the last token of the prompt, as
    `monitors.monitor_from_run` takes it, whatever it was fitted on; `None` fits a probe here that tells right answers
    from wrong ones."""
    penalty: Annotated[float, Field(gt=0)] = 10.0
    """L2 penalty of the probe that is fitted here (inverse of scikit-learn's C), on activations of unit spread."""
    grounding: bool = True
    """Where prompts have sources: leave out each, and note the largest fall of the answer's log odds."""
    primary: str = "combined"
    """The probability that levels are said by, stated in advance: of `combined` or a signal, or of `probability` fitted
    by `temperature`, `platt` or `isotonic`, such as `probability, temperature`."""
    n_shuffled: Annotated[int, Field(ge=2)] = 8
    """Times that signals are combined for outcomes that were dealt out at random, as a control."""
    n_bins: Annotated[int, Field(ge=2)] = 10
    """Of reliability diagrams and calibration errors."""
    levels: dict[str, float] = LEVELS
    """In words: the least probability of each, the lowest 0; in any order."""
    largest_error: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    """Levels are refused unless the calibration error on the prompts that report is shown to be smaller: the upper
    limit of its interval."""
    strange: Annotated[float, Field(gt=0, lt=0.2)] = 0.01
    """Levels are refused for a prompt whose activations are farther from the usual ones than those of all but this
    share of the prompts that calibrate; and for a part that differs from these at this level."""
    telling: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    """A signal is given as a reason where it is among this share of the lowest or highest."""
    smallest_effect: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """Smallest difference of Brier scores that is of interest."""
    fdr: Annotated[float, Field(gt=0, le=0.2)] = 0.05
    """False discovery rate over all differences of a part."""
    level: Annotated[float, Field(ge=0.8, lt=1)] = 0.95
    """Of every interval."""
    batch_size: PositiveInt = 128
    """Prompts per forward pass."""
    seed: NonNegativeInt = 0

    @field_validator("primary")
    @classmethod
    def _known(cls, given: str) -> str:
        if given not in PRIMARIES:
            raise ValueError(
                f"no probability is called {given!r}{nearest(given, PRIMARIES)}; there are {', '.join(PRIMARIES)}"
            )
        return given

    @field_validator("levels")
    @classmethod
    def _highest_first(cls, given: dict[str, float]) -> dict[str, float]:
        return highest_first(given)

    @model_validator(mode="after")
    def _fitting(self) -> "ConfidenceConfig":
        if self.n_calibrate * self.strange < 1:
            raise ValueError(
                f"strange={self.strange:g} is a share of n_calibrate={self.n_calibrate} prompts, and less than one of "
                f"them; use {1 / self.n_calibrate:.3g} or more, or more prompts"
            )
        return self
