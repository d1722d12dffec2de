"""Where a head of each type would look, given the tokens.

Every mask is true at the keys that a query of such a head would look at, and never ahead of the query. Where `real` is
given (true at tokens, false at padding), padding neither looks nor is looked at, and a sequence begins at its first
real token, so that scores of padded prompts are those of the same prompts alone.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from interp_lab.types import Tokens

Mask = Bool[Tensor, "batch query key"]
"""True where a head of the type would look."""

Real = Bool[Tensor, "_ _"]
"""Axes batch and position: true at tokens, false at padding."""

MaskOf = Callable[..., Mask]
"""Where a head of one type would look, given the tokens, and after them `real` where prompts are padded."""


def visible(tokens: Tokens, real: Real | None = None) -> Mask:
    """Return the keys that each query can see: itself and what comes before it.

    Raises: ValueError, if `real` has another shape than the tokens.
    """
    causal = (_distance(tokens) >= 0).expand(len(tokens), -1, -1)
    if real is None:
        return causal
    if real.shape != tokens.shape:
        raise ValueError(f"real has shape {tuple(real.shape)}, and the tokens {tuple(tokens.shape)}; give one for each")
    real = real.to(tokens.device)
    return causal & real[:, :, None] & real[:, None, :]


def previous_token_mask(tokens: Tokens, real: Real | None = None) -> Mask:
    """Return the token before the query."""
    return (_distance(tokens) == 1) & visible(tokens, real)


def current_token_mask(tokens: Tokens, real: Real | None = None) -> Mask:
    """Return the query's own position, for every query but the first (which can look nowhere else)."""
    first = _first(tokens, real)[:, None, None]
    return (_distance(tokens) == 0) & visible(tokens, real) & (_positions(tokens)[:, None] != first)


def first_token_mask(tokens: Tokens, real: Real | None = None) -> Mask:
    """Return the first token, for every query but the first (which can look nowhere else)."""
    first = _first(tokens, real)[:, None, None]
    return (_distance(tokens) > 0) & visible(tokens, real) & (_positions(tokens) == first)


def local_window_mask(tokens: Tokens, real: Real | None = None, *, width: int) -> Mask:
    """Return the `width` tokens before the query; the query itself is left out.

    Raises: ValueError, if `width` is below 1.
    """
    if width < 1:
        raise ValueError(f"width={width} is no window; give the number of tokens to look back, at least 1")
    back = _distance(tokens)
    return (back >= 1) & (back <= width) & visible(tokens, real)


def window_behind_mask(tokens: Tokens, real: Real | None = None, *, width: int) -> Mask:
    """Return the tokens from 2 to `width` before the query: a local window without the previous token.

    Raises: ValueError, if `width` is below 2.
    """
    if width < 2:
        raise ValueError(f"width={width} leaves nothing behind the previous token; look back 2 tokens or more")
    return local_window_mask(tokens, real, width=width) & (_distance(tokens) > 1)


def delimiter_mask(tokens: Tokens, real: Real | None = None, *, delimiters: Collection[int]) -> Mask:
    """Return the delimiters before the query.

    Args:
        delimiters: token ids, such as those of full stops, commas and line breaks.

    Raises: ValueError, for no delimiters.
    """
    if not delimiters:
        raise ValueError("no delimiters are given; name the ids of at least one token, such as the full stop's")
    there = torch.isin(tokens, torch.tensor(sorted(delimiters), device=tokens.device))
    return (_distance(tokens) > 0) & visible(tokens, real) & there[:, None, :]


def duplicate_token_mask(tokens: Tokens, real: Real | None = None) -> Mask:
    """Return every earlier occurrence of the query's own token."""
    same = tokens[:, :, None] == tokens[:, None, :]
    return same & (_distance(tokens) > 0) & visible(tokens, real)


def induction_mask(tokens: Tokens, real: Real | None = None) -> Mask:
    """Return the tokens that followed an earlier occurrence of the query's own token (prefix matching).

    Source: Olsson et al. 2022, arXiv 2209.11895.
    """
    after = duplicate_token_mask(tokens, real)[:, :, :-1]
    return torch.nn.functional.pad(after, (1, 0), value=False) & visible(tokens, real)


def checked_mask(mask: Tensor, tokens: Tokens, real: Real | None = None) -> Mask:
    """Return a caller's own mask, for every sequence, once it is known to be one.

    Args:
        mask: 0 or 1, axes query and key, or batch, query and key; numbers or booleans.

    Raises: ValueError, for another shape, values other than 0 and 1, a mask that looks ahead, or one that is empty.
    """
    n, length = tokens.shape
    if tuple(mask.shape) not in ((length, length), (n, length, length)):
        raise ValueError(
            f"a mask of shape {tuple(mask.shape)} does not fit {n} sequences of {length} tokens; "
            f"give ({length}, {length}) for all sequences alike, or ({n}, {length}, {length})"
        )
    strange = mask[(mask != 0) & (mask != 1)]
    if len(strange):
        raise ValueError(f"a mask holds 0 and 1 only, and this one {float(strange[0]):g}; threshold it first")
    where = mask.to(tokens.device).bool().expand(n, -1, -1)
    if where.triu(1).any():
        row, query, key = (int(index) for index in where.triu(1).nonzero()[0])
        raise ValueError(
            f"the mask asks query {query} of sequence {row} to look ahead to {key}, which no causal model can; "
            "rows are queries and columns keys: is it transposed?"
        )
    return where & visible(tokens, real)


HEAD_TYPES: Mapping[str, MaskOf] = {
    "previous_token": previous_token_mask,
    "induction": induction_mask,
    "duplicate_token": duplicate_token_mask,
    "first_token": first_token_mask,
}
"""Where a head of each type looks, given the tokens: the types of the compiled models, which any text can show."""


def require_targets(masks: Bool[Tensor, "type batch query key"], names: Sequence[str]) -> None:
    """Refuse sequences in which no query has a token to look at: their score would be NaN.

    Args:
        names: of the types, in the order of the masks.

    Raises: ValueError, naming the type, and how many sequences.
    """
    empty = ~masks.any(-1).any(-1)
    for name, rows in zip(names, empty, strict=True):
        if rows.any():
            first = int(rows.nonzero()[0])
            raise ValueError(
                f"{int(rows.sum())} of {len(rows)} sequences (first: {first}) hold nothing for {name} to "
                "look at; use longer text, for induction and duplicates text in which tokens come back "
                "(tasks.repeats), for delimiters text that has them"
            )


def _positions(tokens: Tokens) -> Int[Tensor, " pos"]:
    return torch.arange(tokens.shape[1], device=tokens.device)


def _distance(tokens: Tokens) -> Int[Tensor, "query key"]:
    """How many tokens back each key lies."""
    at = _positions(tokens)
    return at[:, None] - at


def _first(tokens: Tokens, real: Real | None) -> Int[Tensor, " batch"]:
    """Position of the first real token."""
    if real is None:
        return torch.zeros(len(tokens), dtype=torch.long, device=tokens.device)
    return real.to(tokens.device).long().argmax(-1)
