"""The config of counterfactuals."""

from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator

from interp_lab.config import ModelConfig
from interp_lab.effects.confirming import Stated, each_once
from interp_lab.production.counterfactuals.choice import stated
from interp_lab.production.counterfactuals.proposals import MethodName
from interp_lab.production.counterfactuals.search import Reach


class CounterfactualsConfig(ModelConfig):
    """Which smallest edits of a text flip its answer, which attribute does most, and does a protected one do so?"""

    behaviour: str = "loans"
    """A behaviour of the grammar by name, or a `.jsonl` file of your own prompts; see `own_prompts`."""
    methods: tuple[MethodName, ...] = Field(("vocabulary", "gradient", "fillers", "deletion", "swap"), min_length=1)
    """Where edits come from, see `proposals.METHODS`; attributes are those of `vocabulary`, which is always read."""
    legitimate: tuple[str, ...] | None = None
    """Attributes that should decide; `None` takes what the behaviour declares."""
    protected: tuple[str, ...] | None = None
    """Attributes that should not; `None` takes what the behaviour declares."""
    against: str | None = None
    """Another model, such as `organism-tuned`, that is asked about protected attributes on the same texts."""
    n_select: Annotated[int, Field(ge=8)] = 32
    """Texts of ordinary templates on which each attribute's values are ranked by how far they turn the answer."""
    n_report: Annotated[int, Field(ge=8)] = 64
    """Other texts of ordinary templates, on which everything is reported."""
    n_held_out: Annotated[int, Field(ge=8)] | None = 64
    """Texts of held-out templates; `None` leaves replication out."""
    most_edits: Annotated[int, Field(ge=1, le=4)] = 3
    """Edits at most."""
    beam: PositiveInt | None = 4
    """Sets of edits that a search keeps to grow from; `None` keeps all."""
    n_tried: PositiveInt | None = 16
    """Single edits that each of them grows by; `None` tries all."""
    n_proposed: PositiveInt = 48
    """Words of the tokenizer that `gradient` and `fillers` try in each text."""
    n_controls: Annotated[int, Field(ge=2, le=16)] = 4
    """Random edits, as many, that each edit is compared with on the same text."""
    n_chosen: PositiveInt = 6
    """Attributes that are tested at most: those that flip most texts on the selection split."""
    chosen: Stated | None = None
    """What is tested, stated in advance, so that nothing is chosen: `income: approved > low, medium; rejected > high`
    (by the answer before, the values to put in, of which the first that is not there is taken), or `any neighbourhood`
    for a protected attribute."""
    n_shown: NonNegativeInt = 4
    """Texts of the report split that are shown beside their flips."""
    smallest_effect: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    """Smallest effect of interest (share of texts)."""
    fdr: Annotated[float, Field(gt=0, le=0.2)] = 0.05
    """False discovery rate over all that is tested; also the level of claims."""
    level: Annotated[float, Field(ge=0.8, lt=1)] = 0.95
    """Of every interval."""
    batch_size: PositiveInt = 128
    """Texts per forward pass."""
    seed: NonNegativeInt = 0

    @field_validator("methods", "legitimate", "protected")
    @classmethod
    def _each_once(cls, given: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if given is None else each_once(given)

    @field_validator("chosen")
    @classmethod
    def _readable(cls, given: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for one in given or ():
            stated(one)
        return given

    @property
    def reach(self) -> Reach:
        """How far a search goes."""
        return Reach(self.most_edits, self.beam, self.n_tried)
