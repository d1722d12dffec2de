"""What attention looks like: scores of attention patterns, as pure functions.

Every score is the attention that a query pays to the tokens a type of head would look at, averaged
over the queries for which there are such tokens. It describes; what a head does for the model's
output is a matter of intervening on it.
"""

import math
from collections.abc import Callable, Mapping

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor

from interp_lab.types import Tokens

Mask = Bool[Tensor, "batch query key"]
"""True where a head of the type would look."""

MaskOf = Callable[[Tokens], Mask]
"""Where a head of one type would look, given the tokens."""


def previous_token_mask(tokens: Tokens) -> Mask:
    """Return the token before the query."""
    position = torch.arange(tokens.shape[1], device=tokens.device)
    return (position[:, None] - 1 == position).expand(len(tokens), -1, -1)


def first_token_mask(tokens: Tokens) -> Mask:
    """Return the first token, for every query but the first (which can look nowhere else)."""
    position = torch.arange(tokens.shape[1], device=tokens.device)
    return ((position[:, None] > 0) & (position == 0)).expand(len(tokens), -1, -1)


def duplicate_token_mask(tokens: Tokens) -> Mask:
    """Return every earlier occurrence of the query's own token."""
    position = torch.arange(tokens.shape[1], device=tokens.device)
    return (tokens[:, :, None] == tokens[:, None, :]) & (position < position[:, None])


def induction_mask(tokens: Tokens) -> Mask:
    """Return the tokens that followed an earlier occurrence of the query's own token (prefix matching).

    Source: Olsson et al. 2022, arXiv 2209.11895.
    """
    after = duplicate_token_mask(tokens)[:, :, :-1]
    return torch.nn.functional.pad(after, (1, 0), value=False)


HEAD_TYPES: Mapping[str, MaskOf] = {
    "previous_token": previous_token_mask,
    "induction": induction_mask,
    "duplicate_token": duplicate_token_mask,
    "first_token": first_token_mask,
}
"""Where a head of each type looks, given the tokens."""


def attention_to(
    pattern: Float[Tensor, "batch head query key"], masks: Bool[Tensor, "type _ _ _"]
) -> Float[Tensor, "type batch head"]:
    """Return the attention paid to masked tokens, averaged over the queries that have any.

    Args:
        masks: axes type, batch, query, key, made from the tokens of the patterns.

    Returns: probabilities; NaN for a sequence in which no query has a token to look at.
    Raises: ValueError, if patterns and masks are not square and of the same size.
    """
    require_square(pattern)
    if masks.shape[1:] != (len(pattern), *pattern.shape[2:]):
        raise ValueError(
            f"masks of shape {tuple(masks.shape)} do not fit patterns of shape {tuple(pattern.shape)}; "
            "they need the same batch, query and key axes: make both from the same tokens"
        )
    there = rearrange(masks, "type batch query key -> batch type (query key)").to(pattern)
    paid = rearrange(pattern, "batch head query key -> batch head (query key)") @ there.mT
    return rearrange(paid, "batch head type -> type batch head") / _n_asked(masks)[..., None]


def chance_attention(masks: Bool[Tensor, "*type batch query key"]) -> Float[Tensor, "*type batch"]:
    """Return the score that `attention_to` gives on average when keys are shuffled.

    Shuffling the keys that a query can see leaves each of them the same expected share, `1 / (query + 1)`,
    whatever the pattern was: the null is exact, and needs no sampling.
    """
    side = masks.shape[-1]
    visible = torch.ones(side, side, device=masks.device).tril()
    uniform = visible / visible.sum(-1, keepdim=True)
    return (masks * uniform).sum((-2, -1)) / _n_asked(masks)


def _n_asked(masks: Bool[Tensor, "*type batch query key"]) -> Float[Tensor, "*type batch"]:
    """Count the queries that have any token to look at."""
    return masks.any(-1).sum(-1).float()


def require_square(pattern: Float[Tensor, "*batch query key"]) -> None:
    """Refuse a pattern that is not square.

    Raises: ValueError.
    """
    n_query, n_key = pattern.shape[-2:]
    if n_query != n_key:
        raise ValueError(
            f"a pattern of {n_query} queries by {n_key} keys is not square; "
            "scores need the whole pattern of a full forward pass (no cached keys, no sliced positions)"
        )


def attention_entropy(pattern: Float[Tensor, "*batch query key"]) -> Float[Tensor, "*batch"]:
    """Return the entropy of attention over the causal maximum, averaged over queries (the first is left out).

    Returns: 0 when every query looks at one token, 1 when every query spreads evenly over all it can see.
    Raises: ValueError, if the pattern is not square.
    """
    require_square(pattern)
    nats = torch.special.entr(pattern).sum(-1)[..., 1:]
    most = torch.tensor([math.log(query + 1) for query in range(1, pattern.shape[-1])], device=pattern.device)
    return (nats / most).mean(-1)
