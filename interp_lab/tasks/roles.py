"""Places of a prompt by what stands there (its role), so that prompts of several templates can be set side by side."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from interp_lab.tasks.encoding import Prompt, encode, tokenizer_of
from interp_lab.types import HookedModel

GIVEN = ("start", "changed", "last_changed", "end")
"""Roles that prompts have without being told: BOS, the first token that differs between clean and corrupted, the last
one (where they differ in several places), and the token that predicts the answer."""

Span = tuple[int, int]
"""First character, and the one after the last."""


class Place(NamedTuple):
    """Characters of a clean prompt, and by them a token."""

    start: int
    stop: int
    """After the last character; the token is the one in which they end."""
    further: int = 0
    """The token so many tokens further on."""


def numbered(places: Iterable[tuple[str, Place]]) -> dict[str, Place]:
    """Name places; a name that comes again becomes `name.2`, `name.3`, and one that is in `GIVEN` `name.slot`."""
    named: dict[str, Place] = {}
    for name, place in places:
        free = f"{name}.slot" if name in GIVEN else name
        named[next(one for n in count(1) if (one := free if n == 1 else f"{free}.{n}") not in named)] = place
    return named


def token_indices(
    model: HookedModel, prompts: Sequence[Prompt], texts: Sequence[str], places: Sequence[Mapping[str, Place]]
) -> list[dict[str, int]]:
    """Return, for each prompt, the token of each role, counted from the first one; BOS is `start`.

    Args:
        texts: that places are said of; a prompt may hold its text in a chat.

    Raises: ValueError, if a text is not in its chat, or no token can be told for a place.
    """
    first = tokenizer_of(model).bos_token_id
    rows = [{"start": 0} if prompt.ids[0] == first else {} for prompt in prompts]
    if not any(places):
        return rows
    for row, prompt, text, named, spans in zip(rows, prompts, texts, places, _spans(model, prompts), strict=True):
        moved = _text_at(prompt.text, text) if named else 0
        for name, place in named.items():
            where = (place.start + moved, place.stop + moved)
            index = _index(model, prompt, where, spans) + place.further
            if index < len(prompt.ids):
                row[name] = index
    return rows


def role_positions(
    rows: Sequence[Mapping[str, int]],
    *,
    mask: Bool[Tensor, "batch pos"],
    changed: Bool[Tensor, "batch pos"],
    last: Int[Tensor, " batch"],
) -> dict[str, Int[Tensor, " batch"]]:
    """Return positions in the padded rows by role, those in `GIVEN` too; -1 where a row has no such place.

    Args:
        rows: for each row the token of each role, counted from the first one.
        changed: where clean and corrupted differ.
        last: position that predicts the answer.
    """
    begins = mask.long().argmax(1)
    found: dict[str, Int[Tensor, " batch"]] = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        index = torch.tensor([row.get(name, -1) for row in rows])
        found[name] = torch.where(index < 0, index, begins + index)
    found["changed"] = changed.long().argmax(1)
    several = _n_runs(changed) > 1
    if bool(several.any()):
        final = changed.shape[1] - 1 - changed.flip(1).long().argmax(1)
        found["last_changed"] = torch.where(several, final, -1)
    return {**found, "end": last}


def _n_runs(changed: Bool[Tensor, "batch pos"]) -> Int[Tensor, " batch"]:
    before = torch.nn.functional.pad(changed, (1, 0))[:, :-1]
    return (changed & ~before).sum(1)


def _text_at(written: str, text: str) -> int:
    """Return where a text begins in a chat: chats leave out the space around it, and what the user said comes last."""
    if written == text:
        return 0
    at = written.rfind(text.strip())
    if at < 0:
        raise ValueError(f"the chat {written!r} does not hold {text!r} as it is, so roles cannot be found in it")
    return at - (len(text) - len(text.lstrip()))


def _spans(model: HookedModel, prompts: Sequence[Prompt]) -> Sequence[Sequence[Span] | None]:
    """Return the characters of every token (BOS left out), or `None` from tokenizers that do not tell."""
    tokenizer = tokenizer_of(model)
    if not tokenizer.is_fast:
        return [None for _ in prompts]
    texts = [prompt.text for prompt in prompts]
    return tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True, verbose=False)["offset_mapping"]


def _index(model: HookedModel, prompt: Prompt, where: Span, spans: Sequence[Span] | None) -> int:
    """Return the last token that holds any of these characters."""
    start, stop = where
    if spans is not None:
        touching = [i for i, (begin, end) in enumerate(spans) if begin < stop and end > start]
        if touching:
            return len(prompt.ids) - len(spans) + touching[-1]
    else:
        (before,) = encode(model, [prompt.text[:stop]], bos=prompt.bos)
        if before == prompt.ids[: len(before)]:
            return len(before) - 1
    raise ValueError(
        f"the tokenizer has no token that ends {prompt.text[start:stop]!r} in {prompt.text!r}; choose whole words, or "
        "use the fast version of the tokenizer"
    )
