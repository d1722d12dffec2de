"""Scores of every head of a model, and which heads look like a type."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp_lab.attention.attended import mean_distance
from interp_lab.attention.masks import HEAD_TYPES, MaskOf, Real, duplicate_token_mask, require_targets
from interp_lab.attention.scores import attention_entropy, attention_to, chance_attention
from interp_lab.hooks import capture, ready_tokens, require_finite
from interp_lab.stats import paired_difference
from interp_lab.types import HeadIndex, HookedModel, Tokens

TYPE_NAMES: tuple[str, ...] = tuple(HEAD_TYPES)
"""The types that are scored unless others are asked for."""

ROW_SUM_TOLERANCE = 0.02
"""How far a row of attention may be from adding up to 1; bf16 patterns of 1,000 keys stay within it."""


def pattern_hooks(model: HookedModel) -> list[str]:
    """Return the hook points of all attention patterns.

    Raises: ValueError, if the model has none.
    """
    names = [f"blocks.{layer}.attn.hook_pattern" for layer in range(int(model.cfg.n_layers))]
    if not names or names[0] not in model.hook_dict:
        raise ValueError("the model has no attention patterns (blocks.0.attn.hook_pattern); nothing to score")
    return names


def head_scores(
    model: HookedModel,
    tokens: Tokens,
    *,
    types: Mapping[str, MaskOf] = HEAD_TYPES,
    compete: bool = True,
    mask: Real | None = None,
    batch_size: int = 32,
) -> Float[np.ndarray, "type layer head example"]:
    """Return the score of every head for every type on every sequence, as probabilities.

    Args:
        types: where a head of each type looks, given the tokens (and `mask`, if there is one).
        compete: score every type on the same queries, those whose token has occurred before (see `type_masks`).
        mask: true at tokens, false at padding on either side: prompts score as they do alone.

    Raises: ValueError, for no tokens, a mask that does not fit them or leaves nothing of a prompt, a model without
        attention patterns, or a sequence that has nothing for a type to look at; NonFiniteActivationError.
    """

    def score(batch: Tokens, real: Real | None, patterns: Sequence[Tensor]) -> Float[Tensor, "type layer example head"]:
        masks = type_masks(batch, types, compete=compete, mask=real)
        require_targets(masks, list(types))
        return torch.stack([attention_to(pattern, masks) for pattern in patterns], dim=1)

    return _over_batches(model, tokens, score, mask=mask, batch_size=batch_size)


def head_habits(
    model: HookedModel, tokens: Tokens, *, mask: Real | None = None, batch_size: int = 32
) -> Float[np.ndarray, "habit layer head example"]:
    """Return how every head spreads its attention on every sequence: its entropy, and how far back it looks.

    Neither has a null: see `attention_entropy` (a share of the causal maximum) and `mean_distance` (tokens).

    Raises: as `head_scores`.
    """

    def measure(
        batch: Tokens, real: Real | None, patterns: Sequence[Tensor]
    ) -> Float[Tensor, "habit layer example head"]:
        habits = [(attention_entropy(pattern, real), mean_distance(pattern, real)) for pattern in patterns]
        return torch.stack([torch.stack(habit) for habit in habits], dim=1)

    return _over_batches(model, tokens, measure, mask=mask, batch_size=batch_size)


def _over_batches(
    model: HookedModel,
    tokens: Tokens,
    measure: Callable[[Tokens, Real | None, Sequence[Tensor]], Tensor],
    *,
    mask: Real | None,
    batch_size: int,
) -> Float[np.ndarray, "what layer head example"]:
    tokens = ready_tokens(model, tokens)
    real = _ready_mask(tokens, mask)
    hooks = pattern_hooks(model)
    chunks = []
    for rows in torch.arange(len(tokens)).split(batch_size):
        batch, own = tokens[rows], None if real is None else real[rows]
        patterns = capture(model, batch, hooks, mask=own)
        _require_attention(model, batch, patterns, own)
        chunks.append(measure(batch, own, [patterns[hook].float() for hook in hooks]))
    return torch.cat(chunks, dim=2).movedim(2, -1).double().cpu().numpy()


def _ready_mask(tokens: Tokens, mask: Real | None) -> Real | None:
    """Return a mask on the device of the tokens, once it is known to fit them."""
    if mask is None:
        return None
    if mask.shape != tokens.shape:
        raise ValueError(
            f"mask has shape {tuple(mask.shape)}, and the tokens {tuple(tokens.shape)}; give true or false for each"
        )
    empty = (~mask.any(-1)).nonzero().flatten().tolist()
    if empty:
        raise ValueError(f"prompt {empty[0]} is all padding by its mask ({len(empty)} of {len(mask)}); leave it out")
    return mask.to(tokens.device)


def _require_attention(
    model: HookedModel, tokens: Tokens, patterns: Mapping[str, Tensor], real: Real | None = None
) -> None:
    """Refuse patterns whose rows are no distributions: TransformerLens sets NaN attention to zero, silently.

    Rows of padding may be anything; a token that attends to padding is refused, too.
    """
    off = torch.stack([_off(pattern, real) for pattern in patterns.values()])
    if off.max() > ROW_SUM_TOLERANCE:
        require_finite(model, tokens, mask=real)
        worst = list(patterns)[int(off.argmax())]
        raise ValueError(
            f"attention at {worst!r} does not add up to 1 over the keys (off by {float(off.max()):.2g}); "
            "scores need the patterns of an untouched softmax: remove other hooks, and of padded prompts give the mask"
        )


def _off(pattern: Float[Tensor, "batch head query key"], real: Real | None) -> Float[Tensor, ""]:
    """Return how far the attention of some token to all tokens is from adding up to 1."""
    if real is None:
        return (pattern.sum(-1) - 1).abs().max()
    paid = (pattern * real[:, None, None, :]).sum(-1)
    return ((paid - 1).abs() * real[:, None, :]).max()


def chance_scores(
    tokens: Tokens,
    types: Mapping[str, MaskOf] = HEAD_TYPES,
    *,
    compete: bool = True,
    mask: Real | None = None,
) -> Float[np.ndarray, "type example"]:
    """Return what every score would be on average with shuffled keys: the null of `head_scores`."""
    real = _ready_mask(tokens, mask)
    return chance_attention(type_masks(tokens, types, compete=compete, mask=real), real).double().cpu().numpy()


def type_masks(
    tokens: Tokens,
    types: Mapping[str, MaskOf] = HEAD_TYPES,
    *,
    compete: bool = True,
    mask: Real | None = None,
) -> Bool[Tensor, "type batch query key"]:
    """Return where heads of each type would look.

    Args:
        compete: only for the queries whose token has occurred before. These give every type something to look at, and
            scored on the same queries the types compete for the same attention: a head that rests on BOS until there
            is something to do is not taken for a first-token head.
        mask: true at tokens, false at padding, which neither looks nor is looked at.
    """
    given = (tokens,) if mask is None else (tokens, mask)
    masks = torch.stack([where(*given) for where in types.values()])
    return masks & duplicate_token_mask(*given).any(-1, keepdim=True) if compete else masks


def heads_that_look(
    scores: Float[np.ndarray, "type layer head example"],
    null: Float[np.ndarray, "type example"],
    *,
    at_least: float,
    fdr: float,
    seed: int,
) -> Bool[np.ndarray, "type layer head"]:
    """Return which heads look like which type: mean score of `at_least`, and above its null after correction.

    The correction counts every head and type (Benjamini and Hochberg). A head may have several types or none.
    """
    above = paired_difference(scores, null[:, None, None, :], alternative="greater", seed=seed)
    return (above.p_adjusted() < fdr) & (scores.mean(-1) >= at_least)


def typed_heads(
    looks: Bool[np.ndarray, "type layer head"], names: Sequence[str] = TYPE_NAMES
) -> dict[HeadIndex, tuple[str, ...]]:
    """Return the types of every head that has any."""
    found: dict[HeadIndex, tuple[str, ...]] = {}
    for kind, layer, head in np.argwhere(looks).tolist():
        found[layer, head] = (*found.get((layer, head), ()), names[kind])
    return dict(sorted(found.items()))


def all_heads(model: HookedModel) -> Sequence[HeadIndex]:
    """Return every head of a model, layer by layer."""
    return [(layer, head) for layer in range(int(model.cfg.n_layers)) for head in range(int(model.cfg.n_heads))]
