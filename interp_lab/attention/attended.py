"""What heads look at over a corpus: which pairs of tokens get their attention, and how far back they look."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.attention.masks import Real, visible
from interp_lab.attention.scores import mean_over_queries, require_square, seen_by_queries, uniform_pattern
from interp_lab.types import Tokens


def mean_distance(pattern: Float[Tensor, "*batch query key"], real: Real | None = None) -> Float[Tensor, "*batch"]:
    """Return how far back a head looks, averaged over its attention and over queries (the first is left out).

    Returns: tokens; 0 for the own position, 1 for the previous token. For attention spread evenly it is half of the
        mean position: measure `uniform_pattern` beside it. NaN for a sequence of fewer than two tokens.
    Raises: ValueError, if the pattern is not square, or `real` does not fit it.
    """
    n_seen = seen_by_queries(pattern, real)
    at = torch.arange(pattern.shape[-1], device=pattern.device).to(pattern)
    return mean_over_queries((pattern * (at[:, None] - at)).sum(-1), n_seen)


class AttendedPairs(NamedTuple):
    """How much attention each pair of tokens got, summed over its occurrences."""

    pairs: Int[Tensor, "pair 2"]
    """Query token and key token, in ascending order."""
    counts: Int[Tensor, " pair"]
    """Occurrences: pairs of positions that hold the tokens, the key not after the query."""
    attention: Float[Tensor, "*stack pair"]
    """Summed over occurrences."""
    chance: Float[Tensor, " pair"]
    """The same of a head that spreads its attention evenly."""


def attended_pairs(
    pattern: Float[Tensor, "batch *stack query key"],
    tokens: Tokens,
    real: Real | None = None,
    *,
    among: Bool[Tensor, "_ _ _"] | None = None,
) -> AttendedPairs:
    """Return the attention that every head pays from each token to each token, in one batch; `merged` adds batches up.

    Args:
        among: axes batch, query, key; true at the pairs of positions that count. Leaving out the first token
            (`~first_token_mask`) shows what a head looks at when it does not rest.

    Raises: ValueError, if patterns, tokens, `real` and `among` do not fit each other, or nothing is left to count.
    """
    require_square(pattern)
    counted = visible(tokens, real) if among is None else visible(tokens, real) & among.to(tokens.device)
    if counted.shape != (pattern.shape[0], *pattern.shape[-2:]):
        raise ValueError(
            f"patterns of shape {tuple(pattern.shape)} do not fit tokens of shape {tuple(tokens.shape)}; "
            "make them from the same tokens"
        )
    row, query, key = counted.nonzero(as_tuple=True)
    if len(row) == 0:
        raise ValueError("no pair of positions is left to count; loosen `among`, or give prompts that are not padding")
    pairs, place = _distinct(torch.stack([tokens[row, query], tokens[row, key]], dim=1))
    counts = place.bincount(minlength=len(pairs))
    paid = pattern.movedim(0, -3)[..., row, query, key]
    summed = paid.new_zeros(*paid.shape[:-1], len(pairs)).index_add_(-1, place, paid)
    uniform = uniform_pattern(tokens, real)[row, query, key]
    return AttendedPairs(pairs, counts, summed, uniform.new_zeros(len(pairs)).index_add_(0, place, uniform))


def merged(parts: Sequence[AttendedPairs]) -> AttendedPairs:
    """Return the pairs of several batches together.

    Raises: ValueError, for no batches.
    """
    if not parts:
        raise ValueError("no batches to merge; give the pairs of at least one")
    pairs, place = _distinct(torch.cat([part.pairs for part in parts]))

    def added(values: Sequence[Tensor]) -> Tensor:
        joined = torch.cat(list(values), dim=-1)
        return joined.new_zeros(*joined.shape[:-1], len(pairs)).index_add_(-1, place, joined)

    counts, attention, chance = (added([part[nth] for part in parts]) for nth in (1, 2, 3))
    return AttendedPairs(pairs, counts, attention, chance)


def _distinct(pairs: Int[Tensor, "occurrence 2"]) -> tuple[Int[Tensor, "pair 2"], Int[Tensor, " occurrence"]]:
    """Return each pair once, in ascending order, and which of them every occurrence is."""
    base = int(pairs.max()) + 1  # one number per pair: sorting numbers is far faster than sorting rows
    codes, place = (pairs[:, 0] * base + pairs[:, 1]).unique(return_inverse=True)
    return torch.stack([codes // base, codes % base], dim=1), place


class TopPairs(NamedTuple):
    """The most attended pairs of each head, the first first."""

    query: Int[Tensor, "*stack top"]
    """Token ids."""
    key: Int[Tensor, "*stack top"]
    """Token ids."""
    counts: Int[Tensor, "*stack top"]
    """Occurrences."""
    attention: Float[Tensor, "*stack top"]
    """Mean over occurrences, a probability."""
    chance: Float[Tensor, "*stack top"]
    """The same of a head that spreads its attention evenly."""


def top_pairs(found: AttendedPairs, *, top: int, at_least: int = 5) -> TopPairs:
    """Return the pairs that get most attention on average, for every head.

    The mean of a pair that was chosen for its mean is too high: report it on text that it was not chosen on.

    Args:
        top: pairs per head; fewer, if fewer are common enough.
        at_least: occurrences that a pair needs, or pairs seen once come first.

    Raises: ValueError, if `top` is below 1, or no pair is common enough.
    """
    if top < 1:
        raise ValueError(f"top={top} asks for no pairs; ask for at least 1")
    common = found.counts >= at_least
    if not common.any():
        raise ValueError(
            f"no pair of tokens occurs at_least={at_least} times, the commonest {int(found.counts.max())} times; "
            "lower it, or give more text"
        )
    pairs, counts = found.pairs[common], found.counts[common]
    mean = found.attention[..., common] / counts
    attention, place = mean.topk(min(top, len(pairs)), dim=-1)
    query, key = pairs[place].unbind(-1)
    return TopPairs(query, key, counts[place], attention, (found.chance[common] / counts)[place])
