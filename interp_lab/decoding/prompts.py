"""Prompts as token ids, one list per row, checked against the model's vocabulary and context."""

from collections.abc import Sequence
from typing import Any

from jaxtyping import Int
from torch import Tensor

from interp_lab.decoding.settings import DecodingSettings
from interp_lab.types import HookedModel

Prompts = Sequence[str] | Sequence[Sequence[int]] | Sequence[Int[Tensor, " _"]] | Int[Tensor, "batch pos"]
"""Texts, or token ids of any lengths without padding: every id given is a real token."""


def prompt_ids(model: HookedModel, prompts: Prompts) -> list[list[int]]:
    """Return the token ids of each prompt.

    Text starts with BOS where the model expects one (`cfg.default_prepend_bos`), once, also if the text
    itself begins with it. Token ids are taken as they are.

    Raises: ValueError, for no prompts, a single string, text without a tokenizer, an empty prompt, or an id outside
        the vocabulary.
    """
    if isinstance(prompts, str):
        raise ValueError(f"prompts is the single string {prompts!r}; give a list of prompts")
    found = [_ids(model, prompt) for prompt in prompts]
    if not found:
        raise ValueError("there is no prompt to decode from; give at least one")
    d_vocab = int(model.cfg.d_vocab)
    for row, ids in enumerate(found):
        if not ids:
            raise ValueError(f"prompt {row} is empty; give at least one token, such as BOS")
        foreign = next((token for token in ids if not 0 <= token < d_vocab), None)
        if foreign is not None:
            raise ValueError(f"prompt {row} holds token {foreign}, outside the model's vocabulary of {d_vocab}")
    return found


def _ids(model: HookedModel, prompt: str | Sequence[int] | Tensor) -> list[int]:
    if not isinstance(prompt, str):
        return prompt.tolist() if isinstance(prompt, Tensor) else [int(token) for token in prompt]
    tokenizer = tokenizer_of(model)
    if tokenizer is None:
        raise ValueError(f"the model has no tokenizer for the text {prompt!r}; give token ids")
    ids = tokenizer.encode(prompt, add_special_tokens=False)
    first = [tokenizer.bos_token_id] if model.cfg.default_prepend_bos and tokenizer.bos_token_id is not None else []
    return ids if ids[:1] == first else first + ids


def tokenizer_of(model: HookedModel) -> Any:  # noqa: ANN401 - any transformers tokenizer, or None
    """Return the model's tokenizer, or `None`."""
    return getattr(model, "tokenizer", None)


def scales_with_padding(model: HookedModel) -> bool:
    """Whether attention is scaled by the length with padding, so that prompts of unequal length disturb each other."""
    return any(getattr(model.cfg, name, False) for name in ("use_dynamic_ntk_rope", "use_logn_attn"))


def require_room(model: HookedModel, prompts: Sequence[Sequence[int]], settings: Sequence[DecodingSettings]) -> None:
    """Refuse rows that would not fit the model's context.

    Raises: ValueError, naming the row, its lengths and how many new tokens it has room for; and for prompts of
        unequal length on a model that scales its attention by the padded length.
    """
    n_ctx = int(model.cfg.n_ctx)
    lengths = sorted({len(ids) for ids in prompts})
    if scales_with_padding(model) and len(lengths) > 1:
        raise ValueError(
            f"this model scales attention by the length including padding, and the prompts have {lengths[0]} to "
            f"{lengths[-1]} tokens; decode prompts of one length at a time"
        )
    for row, (ids, asked) in enumerate(zip(prompts, settings, strict=True)):
        if len(ids) >= n_ctx:
            raise ValueError(
                f"prompt {row} has {len(ids)} tokens, and the model's context is {n_ctx}; "
                f"shorten it to {n_ctx - 1} or fewer"
            )
        if len(ids) + asked.max_new_tokens > n_ctx:
            raise ValueError(
                f"prompt {row} has {len(ids)} tokens, with max_new_tokens={asked.max_new_tokens} that makes "
                f"{len(ids) + asked.max_new_tokens}, and the model's context is {n_ctx}; "
                f"ask for {n_ctx - len(ids)} new tokens or fewer"
            )
