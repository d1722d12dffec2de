"""The types a head can look like: where a head of each looks, what it is compared with, and what it predicts."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from interp_lab.attention.masks import (
    MaskOf,
    checked_mask,
    current_token_mask,
    delimiter_mask,
    duplicate_token_mask,
    first_token_mask,
    induction_mask,
    previous_token_mask,
    window_behind_mask,
)
from interp_lab.types import HookedModel, Tokens

SECOND_COPY, TEXT, TASK = "second copy", "text", "task"
"""Behaviours that heads are ablated for: predicting the second copy of a random segment, natural text, and the answers
of a task."""

Null = Literal["shuffled keys", "untrained"]
"""What a score must exceed: the same attention with the keys shuffled, or the best head of untrained models."""


@dataclass(frozen=True)
class HeadType:
    """Where heads of one type look, and what follows if they do what the type suggests."""

    mask: MaskOf
    null: Null = "shuffled keys"
    """Positions alone explain some types; for these shuffled keys are a weak null, and untrained models the better."""
    predicts: str | None = None
    """Behaviour that suffers without such a head; `None` if the type predicts none (it rests, or is one's own)."""


TYPES: Mapping[str, HeadType] = {
    "previous_token": HeadType(previous_token_mask, "untrained", SECOND_COPY),
    "induction": HeadType(induction_mask, predicts=SECOND_COPY),
    "duplicate_token": HeadType(duplicate_token_mask, predicts=TASK),
    "first_token": HeadType(first_token_mask, "untrained"),
    "current_token": HeadType(current_token_mask, "untrained", TEXT),
}
"""Types that any text can show. A previous-token head is half of an induction circuit (Olsson et al. 2022), hence its
prediction; a duplicate-token head is part of telling who was named twice (Wang et al. 2022), which tasks ask for."""


def head_types(
    *, window: int, delimiters: Collection[int] = (), own: Mapping[str, MaskOf] | None = None
) -> dict[str, HeadType]:
    """Return all types that text can be scored for, by name.

    Args:
        window: tokens that a local head looks back; the one before the query is left to previous-token heads.
        delimiters: token ids; without any there is no delimiter type.
        own: where heads of one's own types look, given tokens (and what is no padding); checked at every call.

    Raises: ValueError, for a window below 2, or an own type with the name of another.
    """
    types = dict(TYPES)
    types["local_window"] = HeadType(partial(window_behind_mask, width=window), "untrained", TEXT)
    if delimiters:
        types["delimiter"] = HeadType(partial(delimiter_mask, delimiters=delimiters), predicts=TEXT)
    for name, mask in (own or {}).items():
        if name in types:
            raise ValueError(f"there is a type {name!r} already; call yours something else")
        types[name] = HeadType(_checked(mask))
    return types


def _checked(mask_of: MaskOf) -> MaskOf:
    def mask(tokens: Tokens, real: Any = None) -> Any:  # noqa: ANN401 - see MaskOf
        made = mask_of(tokens) if real is None else mask_of(tokens, real)
        return checked_mask(made, tokens, real)

    return mask


PUNCTUATION = frozenset(".,;:!?\n")


def delimiters_of(model: HookedModel) -> tuple[int, ...]:
    """Return the ids of tokens that are punctuation or line breaks and nothing else; none without a tokenizer."""
    tokenizer: Any = getattr(model, "tokenizer", None)
    if tokenizer is None:
        return ()
    special = set(tokenizer.all_special_ids)
    ids = [id for id in range(min(len(tokenizer), int(model.cfg.d_vocab))) if id not in special]
    texts = [tokenizer.decode([id]).strip(" ") for id in ids]
    return tuple(id for id, text in zip(ids, texts, strict=True) if text and set(text) <= PUNCTUATION)
