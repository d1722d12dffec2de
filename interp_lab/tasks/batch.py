"""Rows of different length as one tensor, with a mask that says which tokens are real."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from interp_lab.hooks import device_of
from interp_lab.tasks.encoding import prompts
from interp_lab.types import HookedModel

Padding = Literal["right", "left"]
"""Right padding changes no logit of a causal model at a real position; left padding does, unless the model is given
the mask."""


@dataclass(frozen=True)
class TokenBatch:
    """Padded prompts."""

    tokens: Int[Tensor, "batch pos"]
    mask: Bool[Tensor, "batch pos"]
    """True at tokens, False at padding. Known from the lengths, so that a prompt may hold the padding token itself."""
    texts: tuple[str, ...]

    @property
    def last(self) -> Int[Tensor, " batch"]:
        """Position of the last token of each prompt: it predicts what comes next."""
        positions = torch.arange(self.tokens.shape[1], device=self.tokens.device)
        return torch.where(self.mask, positions, -1).amax(1)


def tokenize(
    model: HookedModel,
    texts: Sequence[str],
    *,
    padding: Padding = "right",
    chat: bool = False,
    system: str | None = None,
) -> TokenBatch:
    """Return texts as one batch on the model's device; BOS as the model was trained, and never twice.

    Args:
        chat: put each text into the tokenizer's chat template, as what the user said.
        system: what the chat begins with.

    Raises: ValueError, for no texts, or as `encoding.prompts`.
    """
    if not texts:
        raise ValueError("no texts to tokenize; give at least one")
    read = prompts(model, texts, chat=chat, system=system)
    tokens, mask = pad_rows([prompt.ids for prompt in read], pad=pad_token(model), padding=padding)
    device = device_of(model)
    return TokenBatch(tokens.to(device), mask.to(device), tuple(prompt.text for prompt in read))


def pad_rows(
    rows: Sequence[Sequence[int]], *, pad: int, padding: Padding
) -> tuple[Int[Tensor, "batch pos"], Bool[Tensor, "batch pos"]]:
    """Return rows of token ids as one tensor, and where in it they are."""
    longest = max(map(len, rows))
    fill = [longest - len(row) for row in rows]
    if padding == "left":
        tokens = [[pad] * n + list(row) for row, n in zip(rows, fill, strict=True)]
        real = [[False] * n + [True] * len(row) for row, n in zip(rows, fill, strict=True)]
    else:
        tokens = [list(row) + [pad] * n for row, n in zip(rows, fill, strict=True)]
        real = [[True] * len(row) + [False] * n for row, n in zip(rows, fill, strict=True)]
    return torch.tensor(tokens), torch.tensor(real)


def pad_token(model: HookedModel) -> int:
    """Return the id to pad with: the tokenizer's, else its end token, else 0. Only the mask says what is padding."""
    tokenizer = getattr(model, "tokenizer", None)
    known = (getattr(tokenizer, "pad_token_id", None), getattr(tokenizer, "eos_token_id", None))
    return next((int(token) for token in known if token is not None), 0)
