"""What attention looks like: scores of attention patterns, as pure functions.

Every score is the attention that a query pays to the tokens a type of head would look at (`attention.masks`), averaged
over the queries for which there are such tokens. It describes; what a head does for the model's output is a matter of
intervening on it.

Patterns have query heads, also where keys and values are shared. Between their batch and query axes there may be any
others: heads, or layers and heads.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp_lab.attention.masks import Real, visible
from interp_lab.types import Tokens


def attention_to(
    pattern: Float[Tensor, "batch *stack query key"], masks: Bool[Tensor, "type _ _ _"]
) -> Float[Tensor, "type batch *stack"]:
    """Return the attention paid to masked tokens, averaged over the queries that have any.

    Args:
        masks: axes type, batch, query, key, made from the tokens of the patterns.

    Returns: probabilities; NaN for a sequence in which no query has a token to look at.
    Raises: ValueError, if patterns and masks are not square and of the same size.
    """
    require_square(pattern)
    batch, *stack, query, key = pattern.shape
    if masks.shape[1:] != (batch, query, key):
        raise ValueError(
            f"masks of shape {tuple(masks.shape)} do not fit patterns of shape {tuple(pattern.shape)}; "
            "they need the same batch, query and key axes: make both from the same tokens"
        )
    there = masks.flatten(2).movedim(0, 1).to(pattern)
    paid = pattern.reshape(batch, -1, query * key) @ there.mT
    return (paid.movedim(-1, 0) / _n_asked(masks)[..., None]).reshape(len(masks), batch, *stack)


def uniform_pattern(tokens: Tokens, real: Real | None = None) -> Float[Tensor, "batch query key"]:
    """Return attention spread evenly over all that each query can see; rows of padding are 0.

    Raises: ValueError, if `real` has another shape than the tokens.
    """
    seen = visible(tokens, real).float()
    return seen / seen.sum(-1, keepdim=True).clamp(min=1)


def chance_attention(
    masks: Bool[Tensor, "*type batch query key"], real: Real | None = None
) -> Float[Tensor, "*type batch"]:
    """Return the score that `attention_to` gives on average when keys are shuffled.

    Shuffling the keys that a query can see leaves each of them the same expected share, one over their number,
    whatever the pattern was: the null is exact, and needs no sampling.

    Args:
        real: of the padded prompts that the masks were made from.
    """
    uniform = uniform_pattern(torch.zeros(masks.shape[-3:-1], dtype=torch.long, device=masks.device), real)
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


def attention_entropy(pattern: Float[Tensor, "*batch query key"], real: Real | None = None) -> Float[Tensor, "*batch"]:
    """Return the entropy of attention over the causal maximum, averaged over queries (the first is left out).

    This is how evenly a head looks ("uniform" or "global"). It has no null: an untrained head is near 1.

    Returns: 0 when every query looks at one token, 1 when every query spreads evenly over all it can see; NaN for a
        sequence of fewer than two tokens.
    Raises: ValueError, if the pattern is not square, or `real` does not fit it.
    """
    n_seen = seen_by_queries(pattern, real)
    nats = torch.special.entr(pattern).sum(-1)
    return mean_over_queries(nats / n_seen.log(), n_seen)


def seen_by_queries(
    pattern: Float[Tensor, "*batch query key"], real: Real | None = None
) -> Float[Tensor, "*broadcast query"]:
    """Return how many keys each query can see, 0 for padding; its axes broadcast to the pattern's without the keys.

    Raises: ValueError, if the pattern is not square, or `real` does not have its first axis and its queries.
    """
    require_square(pattern)
    n_query = pattern.shape[-1]
    if real is None:
        return torch.arange(1, n_query + 1, device=pattern.device).float()
    if pattern.ndim < 3 or real.shape != (pattern.shape[0], n_query):
        raise ValueError(
            f"real of shape {tuple(real.shape)} does not fit patterns of shape {tuple(pattern.shape)}; "
            "give batch and position, the first and the last axis of the patterns"
        )
    real = real.to(pattern.device)
    n_seen = (real.cumsum(-1) * real).float()
    return n_seen.reshape(len(real), *[1] * (pattern.ndim - 3), n_query)


def mean_over_queries(
    per_query: Float[Tensor, "*batch query"], n_seen: Float[Tensor, "*broadcast query"]
) -> Float[Tensor, "*batch"]:
    """Return the mean over the queries that can see more than themselves; NaN where there is none."""
    chooses = (n_seen > 1).expand_as(per_query)
    return per_query.where(chooses, 0.0).sum(-1) / chooses.sum(-1)
