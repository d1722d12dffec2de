"""Scores of every head of a model, and which heads look like a type."""

from collections.abc import Sequence

import numpy as np
import torch
from interp_lab.stats import paired_difference
from jaxtyping import Bool, Float

from interp_lab.attention.scores import HEAD_TYPES, attention_to, chance_attention
from interp_lab.hooks import capture
from interp_lab.types import HeadIndex, HookedModel, Tokens, require_tokens

TYPE_NAMES: tuple[str, ...] = tuple(HEAD_TYPES)
"""The types a head can look like, in the order of every `type` axis."""


def pattern_hooks(model: HookedModel) -> list[str]:
    """Return the hook points of all attention patterns.

    Raises: ValueError, if the model has none.
    """
    names = [f"blocks.{layer}.attn.hook_pattern" for layer in range(int(model.cfg.n_layers))]
    if not names or names[0] not in model.hook_dict:
        raise ValueError("the model has no attention patterns (blocks.0.attn.hook_pattern); nothing to score")
    return names


def head_scores(
    model: HookedModel, tokens: Tokens, *, batch_size: int = 32
) -> Float[np.ndarray, "type layer head example"]:
    """Return the score of every head for every type on every sequence, as probabilities.

    Raises: ValueError, for no tokens or a model without attention patterns; NonFiniteActivationError.
    """
    require_tokens(tokens)
    hooks = pattern_hooks(model)
    chunks = []
    for batch in tokens.split(batch_size):
        masks = torch.stack([mask(batch) for mask in HEAD_TYPES.values()])
        patterns = capture(model, batch, hooks)
        chunks.append(torch.stack([attention_to(patterns[hook].float(), masks) for hook in hooks], dim=1))
    return torch.cat(chunks, dim=2).movedim(2, -1).double().cpu().numpy()


def chance_scores(tokens: Tokens) -> Float[np.ndarray, "type example"]:
    """Return what every score would be on average with shuffled keys: the null of `head_scores`."""
    masks = torch.stack([mask(tokens) for mask in HEAD_TYPES.values()])
    return chance_attention(masks).double().cpu().numpy()


def heads_that_look(
    scores: Float[np.ndarray, "type layer head example"],
    chance: Float[np.ndarray, "type example"],
    *,
    at_least: float,
    fdr: float,
    seed: int,
) -> Bool[np.ndarray, "type layer head"]:
    """Return which heads look like which type: mean score of `at_least`, and above chance after correction.

    The correction counts every head and type (Benjamini and Hochberg). A head may have several types or none.
    """
    above = paired_difference(scores, chance[:, None, None, :], alternative="greater", seed=seed)
    return (above.p_adjusted() < fdr) & (scores.mean(-1) >= at_least)


def typed_heads(looks: Bool[np.ndarray, "type layer head"]) -> dict[HeadIndex, tuple[str, ...]]:
    """Return the types of every head that has any."""
    found: dict[HeadIndex, tuple[str, ...]] = {}
    for kind, layer, head in np.argwhere(looks).tolist():
        found[layer, head] = (*found.get((layer, head), ()), TYPE_NAMES[kind])
    return dict(sorted(found.items()))


def all_heads(model: HookedModel) -> Sequence[HeadIndex]:
    """Return every head of a model, layer by layer."""
    return [(layer, head) for layer in range(int(model.cfg.n_layers)) for head in range(int(model.cfg.n_heads))]
