"""The config of the audit."""

from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator, model_validator

from interp_lab.audit.named import TURN, PairsThat, chosen_from
from interp_lab.config import ModelConfig, RunRef


class AuditConfig(ModelConfig):
    """Which attributes of the input decide the answer, alone or together, and for what do they stand in?

    Nothing is read off correlations: texts are written again with one thing changed, and the answers compared.
    """

    behaviour: str = "loans"
    """A behaviour of the grammar by name, or a `.yaml` file of your own templates and attributes; see
    `audit.own_file`."""
    where: dict[str, str] = {}  # noqa: RUF012 - pydantic copies defaults
    """Only texts of the grammar whose other latents are these, such as `{kind: tone}`."""
    answers: tuple[str, str] | None = None
    """The two answers that are compared, the positive one first; `None` takes those of the behaviour."""
    attributes: tuple[str, ...] | None = None
    """What is varied; `None` takes all that the behaviour lets vary."""
    legitimate: tuple[str, ...] | None = None
    """Attributes that should decide; `None` takes what the behaviour declares."""
    hidden: tuple[str, ...] | None = None
    """Latents that no text names, and that attributes may stand in for; `None` takes what the behaviour declares."""
    pairs: bool = True
    """Whether to look for two values that together turn the answer around."""
    pairs_that: PairsThat = TURN
    """What is looked for in pairs: two values that turn either answer around, as a trigger does; or two that together
    bring an answer which either alone leaves away, as two conditions do that must both be met."""
    n_select: Annotated[int, Field(ge=8)] = 24
    """Texts that are written with every value of every attribute: these choose."""
    n_contexts: Annotated[int, Field(ge=8)] = 64
    """Texts of ordinary templates, others than those that choose, on which each attribute and each pair of values is
    reported."""
    n_held_out: Annotated[int, Field(ge=8)] | None = 64
    """The same of held-out templates, where what was found is confirmed; `None` leaves replication out."""
    n_gap: Annotated[int, Field(ge=16)] = 64
    """Pairs of texts, equal in what is declared to decide, that differ in a hidden latent; on each split."""
    n_screen: Annotated[int, Field(ge=200)] = 1024
    """Texts with all attributes drawn evenly, in which pairs of values are looked for: each holds dozens of them."""
    n_candidates: PositiveInt = 4
    """Pairs of values that the screen passes on, to be looked at one by one."""
    n_controls: Annotated[int, Field(ge=2, le=10)] = 4
    """Arbitrary other changes that each change is compared with, on the same texts."""
    chosen: tuple[str, ...] | None = None
    """What is tested, stated in advance, so that nothing is chosen: `neighbourhood: Eastgate, Northside > Oakridge,
    Westfield` (an attribute and the values between which the answer is asked about), `paper=waxed with seal=broken`,
    `neighbourhood for group`. `None` chooses on the selection split."""
    smallest_effect: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    """Smallest effect of interest (probability of the positive answer, among the two)."""
    under: RunRef | None = None
    """What a steering run found, to be measured under as well: its folder, and `leading` (or `leading positive`,
    `leading negative`) as the artefact."""
    fdr: Annotated[float, Field(gt=0, le=0.2)] = 0.05
    """False discovery rate over all that is tested; also the level of claims."""
    level: Annotated[float, Field(ge=0.8, lt=1)] = 0.95
    """Of every interval."""
    batch_size: PositiveInt = 256
    """Texts per forward pass."""
    seed: NonNegativeInt = 0

    @field_validator("attributes", "legitimate", "hidden")
    @classmethod
    def _each_once(cls, given: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if given is not None and len(set(given)) < len(given):
            raise ValueError(f"{', '.join(given)}: one comes twice; name each once")
        return given

    @model_validator(mode="after")
    def _readable(self) -> "AuditConfig":
        if self.chosen is not None:
            chosen_from(self.chosen)
        if self.answers is not None and self.answers[0] == self.answers[1]:
            raise ValueError(f"answers {list(self.answers)} are the same; name two that tell decisions apart")
        return self
