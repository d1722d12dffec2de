"""What is read of heads without touching them: scores with their null, habits, weights, and patterns to look at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.attention.attended import AttendedPairs, attended_pairs, merged, top_pairs
from interp_lab.attention.config import AttentionHeadsConfig
from interp_lab.attention.head_types import HeadType
from interp_lab.attention.heads import chance_scores, head_habits, head_scores, heads_that_look, pattern_hooks
from interp_lab.attention.masks import Real, first_token_mask, visible
from interp_lab.attention.token_circuits import copied_tokens, eigenvalue_scores, token_states
from interp_lab.attention.weights import HeadWeights, composition_scores, head_weights, rotated
from interp_lab.hooks import capture
from interp_lab.models.readings import unembedding
from interp_lab.models.untrained import untrained_copies
from interp_lab.tasks.encoding import spellings
from interp_lab.types import HeadIndex, HookedModel, Tokens, head_name

COMPOSITIONS = ("q", "k", "v")
COPIED_TOP = 5
"""Places of the vocabulary that count as copied (Wang et al. 2022)."""


@dataclass(frozen=True)
class HeadScores:
    """Scores of every head on one text, beside what they are compared with (probabilities)."""

    scores: Float[np.ndarray, "type layer head example"]
    null: Float[np.ndarray, "type example"]
    """By the null of each type: shuffled keys, or the best of all heads of untrained models."""

    def looks(self, config: AttentionHeadsConfig) -> Bool[np.ndarray, "type layer head"]:
        """Return which heads look like which type; see `heads_that_look`."""
        return heads_that_look(self.scores, self.null, at_least=config.looks_like, fdr=config.fdr, seed=config.seed)


def read_scores(
    model: HookedModel,
    tokens: Tokens,
    types: Mapping[str, HeadType],
    config: AttentionHeadsConfig,
    *,
    compete: bool,
    mask: Real | None = None,
) -> HeadScores:
    """Score every head of a model for every type, and the nulls on the same text.

    Args:
        mask: true at tokens, false at padding.

    Raises: ValueError, as `head_scores`.
    """
    masks = {name: one.mask for name, one in types.items()}
    scored = partial(head_scores, tokens=tokens, compete=compete, mask=mask, batch_size=config.batch_size)
    scores, null = scored(model, types=masks), chance_scores(tokens, masks, compete=compete, mask=mask)
    positional = {name: masks[name] for name, one in types.items() if one.null == "untrained"}
    if positional:
        drawn = [scored(one, types=positional) for one in untrained_copies(model, config.n_untrained, seed=config.seed)]
        every = np.stack(drawn, axis=1).reshape(len(positional), -1, len(tokens))  # type, draw and head, example
        best = every.mean(-1).argmax(1)
        for nth, name in enumerate(positional):
            null[list(types).index(name)] = every[nth, best[nth]]
    return HeadScores(scores, null)


@dataclass(frozen=True)
class WeightReadings:
    """What heads' weights say, beside the same with all that heads write rotated at random."""

    copied: Float[np.ndarray, "layer head"]
    """Share of tokens whose own logit the head raises into the top five."""
    copied_null: Float[np.ndarray, "draw layer head"]
    eigenvalues: Float[np.ndarray, "layer head"]
    """Sum of the eigenvalues of W_OV over the sum of their sizes, from -1 to 1."""
    eigenvalues_null: Float[np.ndarray, "draw layer head"]
    composition: Float[np.ndarray, "kind layer head layer head"]
    """By input of the reading head (q, k, v), writing layer and head, reading layer and head; NaN where not above."""
    composition_null: Float[np.ndarray, "draw kind layer head layer head"]


def read_weights(model: HookedModel, symbols: Int[Tensor, " token"], config: AttentionHeadsConfig) -> WeightReadings:
    """Read copying, eigenvalues and compositions off the weights.

    Args:
        symbols: tokens that copying is asked of.

    Raises: ValueError, as `head_weights` (for models whose weights do not meet as matrices).
    """
    weights = head_weights(model)
    through_mlp0 = not getattr(model.cfg, "attn_only", False)
    states, unembed = token_states(model, symbols, through_mlp0=through_mlp0), unembedding(model)
    top = min(COPIED_TOP, max(1, unembed.shape[1] // 50))

    def copied(own: HeadWeights) -> Float[Tensor, "layer head"]:
        return copied_tokens(own, states, unembed=unembed, tokens=symbols, top=top).float().mean(-1)

    def composed(own: HeadWeights) -> Float[Tensor, "kind layer head layer head"]:
        return torch.stack([composition_scores(own, kind=kind) for kind in COMPOSITIONS])

    measures = {"copied": copied, "eigenvalues": eigenvalue_scores, "composition": composed}
    found: dict[str, np.ndarray] = {}
    for name, measure in measures.items():
        own = measure(weights)
        turned = rotated(weights, measure, n_draws=config.n_rotations, seed=config.seed)
        found |= {name: own.double().cpu().numpy(), f"{name}_null": turned.double().cpu().numpy()}
    return WeightReadings(**found)


@dataclass(frozen=True)
class Habits:
    """How heads spread their attention; no types, and no null."""

    entropy: Float[np.ndarray, "layer head example"]
    """Share of the causal maximum: 0 for one token, 1 for all alike ("uniform")."""
    distance: Float[np.ndarray, "layer head example"]
    """Mean number of tokens looked back."""


def read_habits(
    model: HookedModel, tokens: Tokens, config: AttentionHeadsConfig, *, mask: Real | None = None
) -> Habits:
    """Return how every head spreads its attention; `mask` is true at tokens, false at padding."""
    return Habits(*head_habits(model, tokens, mask=mask, batch_size=config.batch_size))


@dataclass(frozen=True)
class Attended:
    """The pairs of tokens that heads pay most attention to: chosen on one half of a text, reported on the other."""

    names: tuple[str, ...]
    """Of the heads."""
    query: tuple[tuple[str, ...], ...]
    """By head, the tokens as text."""
    key: tuple[tuple[str, ...], ...]
    attention: Float[np.ndarray, "head pair"]
    """Mean over occurrences on the report half; NaN where the pair does not occur there."""
    chance: Float[np.ndarray, "head pair"]
    """The same of attention spread evenly."""


def read_attended(
    model: HookedModel,
    select: Tokens,
    report: Tokens,
    heads: Sequence[HeadIndex],
    *,
    top: int = 3,
    masks: tuple[Real | None, Real | None] = (None, None),
) -> Attended:
    """Return the most attended pairs of tokens of some heads, the first token left out.

    Args:
        masks: of `select` and `report`; true at tokens, false at padding.

    Raises: ValueError, if no pair of tokens is common enough; see `top_pairs`.
    """
    chosen = top_pairs(_pairs(model, select, heads, mask=masks[0]), top=top)
    again = _pairs(model, report, heads, mask=masks[1])
    place = {(query, key): nth for nth, (query, key) in enumerate(again.pairs.tolist())}
    attention, chance = np.full((2, *chosen.query.shape), np.nan)
    for at in np.ndindex(*chosen.query.shape):
        nth = place.get((int(chosen.query[at]), int(chosen.key[at])))
        if nth is not None:
            n = int(again.counts[nth])
            attention[at], chance[at] = float(again.attention[at[0], nth]) / n, float(again.chance[nth]) / n
    spelt = spellings(model, [*chosen.query.flatten().tolist(), *chosen.key.flatten().tolist()])
    query, key = (
        tuple(tuple(spelt[token] for token in row) for row in tokens.tolist()) for tokens in (chosen.query, chosen.key)
    )
    return Attended(tuple(map(head_name, heads)), query, key, attention, chance)


def _pairs(
    model: HookedModel, tokens: Tokens, heads: Sequence[HeadIndex], *, mask: Real | None, batch_size: int = 16
) -> AttendedPairs:
    parts = []
    for rows in torch.arange(len(tokens)).split(batch_size):
        batch, real = tokens[rows], None if mask is None else mask[rows].to(tokens.device)
        kept = capture(model, batch, pattern_hooks(model), mask=real)
        own = torch.stack([kept[f"blocks.{layer}.attn.hook_pattern"][:, head] for layer, head in heads], dim=1)
        first = first_token_mask(batch, real)
        others = visible(batch, real) & ~first & first.any(-1, keepdim=True)  # the first sees itself alone
        parts.append(attended_pairs(own.float(), batch, real, among=others))
    return merged(parts)


@dataclass(frozen=True)
class Example:
    """Attention of some heads on one sequence of the report half, to look at."""

    names: tuple[str, ...]
    tokens: tuple[str, ...]
    patterns: Float[np.ndarray, "head query key"]


def read_example(
    model: HookedModel, tokens: Tokens, heads: Sequence[HeadIndex], *, mask: Real | None = None
) -> Example:
    """Return the attention of heads on the first of some sequences; of a padded one, without its padding."""
    if mask is not None:
        tokens = tokens[:1, mask[0].to(tokens.device)]
    patterns = capture(model, tokens[:1], pattern_hooks(model))
    own = [patterns[f"blocks.{layer}.attn.hook_pattern"][0, head].float().cpu().numpy() for layer, head in heads]
    spelt = spellings(model, tokens[0].tolist())
    return Example(tuple(map(head_name, heads)), tuple(spelt[token] for token in tokens[0].tolist()), np.stack(own))
