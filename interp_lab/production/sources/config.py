"""The config of source highlighting."""

from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveInt

from interp_lab.config import ModelConfig
from interp_lab.production.sources.drawn import MOST_SOURCES, TASK
from interp_lab.production.sources.scores import Scoring


class SourcesConfig(ModelConfig):
    """Which source does an answer come from, and which methods say so truly?"""

    task: str = TASK
    """Where prompts come from: `grammar/sources`, or a `.jsonl` file with `query` and `sources`, and if need be
    `answer`, `prompt`, `relevant`, `template`, `reserved` a line."""
    n_sources: Annotated[int, Field(ge=2, le=MOST_SOURCES)] = 4
    """Statements in each prompt of the grammar. The organism was trained on two: with more, it answers by another one
    than is asked for at times, so that who knows the query alone does not know what it answers by."""
    n_prompts: Annotated[int, Field(ge=16)] = 96
    """Prompts of templates that are not held out: half to choose a method on, half to report."""
    n_held_out: Annotated[int, Field(ge=8)] | None = 48
    """Prompts of held-out templates, on which what was found is confirmed; `None` leaves replication out."""
    answer_tokens: PositiveInt = 1
    """Most tokens of the model's own answer, which is asked about where none is given."""
    scoring: Scoring = Scoring()
    """How sources are scored."""
    k: PositiveInt = 1
    """Sources with the largest scores that are left out together, to see whether the answer needed them."""
    n_random: Annotated[int, Field(ge=2)] = 8
    """Sets of as many sources drawn at random, the control; their spread counts, so that few support little."""
    n_shuffled: Annotated[int, Field(ge=1)] = 4
    """Times that scores are dealt out among the sources of their prompt: what a method that knows nothing would hit."""
    smallest_effect: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Smallest effect of interest (share of what all sources together do)."""
    n_shown: NonNegativeInt = 4
    """Prompts shown with their sources coloured."""
    fdr: Annotated[float, Field(gt=0, le=0.2)] = 0.05
    """False discovery rate over all that is tested; also the level of claims."""
    level: Annotated[float, Field(ge=0.8, lt=1)] = 0.95
    """Of every interval."""
    seed: NonNegativeInt = 0

    @property
    def methods(self) -> tuple[str, ...]:
        """Every method by name: what needs no model first, the test of the others last."""
        return (OVERLAP, *self.scoring.methods)


OVERLAP = "word overlap"
"""Share of the query's words that a source has: no method, but what one must be better than."""
