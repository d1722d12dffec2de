"""The config of the behaviour experiment."""

from typing import Annotated

from pydantic import Field, field_validator

from interp_lab.config import RunRef
from interp_lab.effects.config import AnswerConfig


class BehaviourConfig(AnswerConfig):
    """Is there anything to explain: does the prompt decide the answer, and what can the model do besides?"""

    capabilities: tuple[str, ...] | None = None
    """Other tasks whose accuracy stands beside: behaviours of the grammar, or tasks by name. `None` takes facts,
    agreement and indirect_objects where the task is of the grammar, and none elsewhere."""
    n_capability: Annotated[int, Field(ge=16)] = 100
    """Prompts of each."""
    n_untrained: Annotated[int, Field(ge=2, le=16)] = 4
    """Untrained models of the same shape, which see the same prompts."""
    n_shuffled: Annotated[int, Field(ge=1, le=16)] = 4
    """Times that each pair is given the answers of another one."""
    under: RunRef | None = None
    """What a steering run found, to be measured under as well: its folder, and `leading` (or `leading positive`,
    `leading negative`) as the artefact."""

    @field_validator("capabilities")
    @classmethod
    def _each_once(cls, given: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if given is not None and len(set(given)) < len(given):
            raise ValueError(f"{', '.join(given)}: one comes twice; name each once")
        return given
