"""The config of what steered models write."""

from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator, model_validator

from interp_lab.config import Config


class GeneratedConfig(Config):
    """What does a steered model write, beside the same model with random vectors of the same length?"""

    n_prompts: Annotated[int, Field(ge=4)] = 24
    """Most texts that are continued, each under every setting; no opening is given twice."""
    opening: Annotated[int, Field(ge=2)] | None = 8
    """Tokens of each text that are given, BOS included; `None` gives it up to where its answer would stand. What acts
    on the last token of a prompt acts on the last one that is given, and on nothing that is written."""
    max_new_tokens: PositiveInt = 32
    """Most tokens written; fewer where the context ends."""
    temperature: Annotated[float, Field(gt=0)] | None = None
    """`None` writes the likeliest token; else one is drawn, with the same luck under every setting."""
    n_random: Annotated[int, Field(ge=20)] = 20
    """Random directions of the same length beside each setting."""
    positive_words: tuple[str, ...] = ()
    """Counted for the positive side, beside the answers of the trait that are one word; case does not matter."""
    negative_words: tuple[str, ...] = ()
    """Counted for the negative side."""
    rows_at_once: PositiveInt = 256
    """Continuations that are written together."""
    seed: NonNegativeInt = 0

    @field_validator("positive_words", "negative_words")
    @classmethod
    def _single_words(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        strange = [word for word in given if len(word.split()) != 1]
        if strange:
            raise ValueError(f"{strange[0]!r} is not one word; words are counted one by one")
        return given

    @model_validator(mode="after")
    def _on_one_side(self) -> "GeneratedConfig":
        both = {word.lower() for word in self.positive_words} & {word.lower() for word in self.negative_words}
        if both:
            raise ValueError(f"{min(both)!r} is counted for both sides; leave it out of one")
        return self
