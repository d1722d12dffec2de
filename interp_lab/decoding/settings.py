"""How one row is decoded: greedily or sampled, with which seed, until when."""

from collections.abc import Sequence
from enum import StrEnum

from pydantic import NonNegativeInt, field_validator, model_validator

from interp_lab.config import Config


class StopReason(StrEnum):
    """Why a row ended."""

    STOP_TOKEN = "stop token"
    STOP_SEQUENCE = "stop sequence"
    LENGTH = "length"
    """It has its `max_new_tokens`."""
    WATCHED = "watched"
    """A watcher ended it; the token that had been chosen is not given out."""


class DecodingSettings(Config):
    """Settings of one row; give one for all rows, or one per row."""

    max_new_tokens: int = 32
    """Most tokens generated; the token that stops a row counts."""
    temperature: float | None = None
    """Logits are divided by it before sampling; `None` decodes greedily."""
    top_k: int | None = None
    """Sample among this many likeliest tokens."""
    top_p: float | None = None
    """Sample among the likeliest tokens that together have at least this probability (after `top_k`)."""
    seed: NonNegativeInt = 0
    """Of this row's own generator: what it samples does not depend on the other rows."""
    stop_tokens: tuple[int, ...] | None = None
    """Ids that end the row, and are kept; `None` is the tokenizer's end of text, `()` is no token."""
    stop_sequences: tuple[tuple[int, ...], ...] = ()
    """Runs of generated ids that end the row; a run that begins in the prompt does not count."""

    @field_validator("max_new_tokens")
    @classmethod
    def _some_tokens(cls, value: int) -> int:
        if value < 1:
            raise ValueError(f"max_new_tokens={value} generates nothing; use 1 or more")
        return value

    @field_validator("temperature")
    @classmethod
    def _positive_temperature(cls, value: float | None) -> float | None:
        if value is not None and not 0 < value < float("inf"):
            raise ValueError(f"temperature={value} must be positive and finite; for greedy decoding use None")
        return value

    @field_validator("top_k")
    @classmethod
    def _some_candidates(cls, value: int | None) -> int | None:
        if value is not None and value < 1:
            raise ValueError(f"top_k={value} leaves no token to sample; use 1 or more, or None for all")
        return value

    @field_validator("top_p")
    @classmethod
    def _some_probability(cls, value: float | None) -> float | None:
        if value is not None and not 0 < value <= 1:
            raise ValueError(f"top_p={value} is outside (0, 1]; use None for all tokens")
        return value

    @field_validator("stop_sequences")
    @classmethod
    def _no_empty_sequence(cls, value: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
        if () in value:
            raise ValueError("an empty stop sequence would end every row at once; remove it")
        return value

    @model_validator(mode="after")
    def _filters_need_sampling(self) -> "DecodingSettings":
        given = [name for name in ("top_k", "top_p") if getattr(self, name) is not None]
        if self.temperature is None and given:
            raise ValueError(f"{given[0]} acts on sampling, and this is greedy; give a temperature, or remove it")
        return self

    def stop_reason(self, generated: Sequence[int]) -> StopReason | None:
        """Return why a row that has generated these tokens ends here; `None` if it goes on."""
        if generated[-1] in (self.stop_tokens or ()):
            return StopReason.STOP_TOKEN
        if any(tuple(generated[-len(sequence) :]) == sequence for sequence in self.stop_sequences):
            return StopReason.STOP_SEQUENCE
        return StopReason.LENGTH if len(generated) >= self.max_new_tokens else None


def per_row(
    settings: DecodingSettings | Sequence[DecodingSettings], *, n_rows: int, end_of_text: int | None
) -> list[DecodingSettings]:
    """Return one setting per row, with `stop_tokens` filled in.

    A single setting is shared, except for the seed: row `r` gets `seed + r`, so that several samples
    of one prompt differ. Settings given per row are taken as they are.

    Raises: ValueError, if there are not as many settings as rows.
    """
    if isinstance(settings, DecodingSettings):
        settings = [settings.model_copy(update={"seed": settings.seed + row}) for row in range(n_rows)]
    if len(settings) != n_rows:
        raise ValueError(f"{len(settings)} settings for {n_rows} prompts; give one for all, or one for each")
    ends = () if end_of_text is None else (end_of_text,)
    return [s if s.stop_tokens is not None else s.model_copy(update={"stop_tokens": ends}) for s in settings]
