"""What heads do to tokens, read from the weights: what they copy, and which tokens they look for.

A head is two maps: what it writes when it attends to a token (OV), and which token attends to which (QK). Both are read
here on one token at a time, without position or context. As in `attention.weights`, biases are ignored and norms worked
in, so that weight processing makes no difference.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.attention.weights import HeadWeights, centres
from interp_lab.hooks import ablate, capture
from interp_lab.models import forward_from
from interp_lab.types import HookedModel, Site

_BUDGET = 2**24
"""Numbers held at once, 64 MiB in float32."""


def token_states(
    model: HookedModel, tokens: Int[Tensor, " token"], *, through_mlp0: bool
) -> Float[Tensor, "token d_model"]:
    """Return each token as heads read it, with no position and no context: its embedding, normed but for the weights.

    Args:
        through_mlp0: add what the first MLP makes of it. Real models often finish their embedding there, and heads
            above read the sum; a head of layer 0 reads the embedding alone.

    Raises: ValueError, for no tokens, ids outside the vocabulary, or `through_mlp0` of a model without MLPs.
    Source: Wang et al. 2022, arXiv 2211.00593 (tokens after the first MLP); theirs come with their context.
    """
    if through_mlp0 and getattr(model.cfg, "attn_only", False):
        raise ValueError("the model has no MLPs; ask with through_mlp0=False")
    state = capture(model, tokens[:, None], ["hook_embed"])["hook_embed"]
    if through_mlp0:
        with torch.no_grad(), ablate(model, Site("blocks.0.hook_attn_out")):
            state = forward_from(model, state, 0, tokens=tokens[:, None], stop_at_layer=1)
    return _normed(state[:, 0].detach().float(), model)


def _normed(state: Float[Tensor, "token d_model"], model: HookedModel) -> Float[Tensor, "token d_model"]:
    if model.cfg.normalization_type is None:
        return state
    state = state - centres(model) * state.mean(-1, keepdim=True)
    return state / (state.square().mean(-1, keepdim=True) + float(model.cfg.eps)).sqrt()


def copied_tokens(
    weights: HeadWeights,
    states: Float[Tensor, "token d_model"],
    *,
    unembed: Float[Tensor, "d_model d_vocab"],
    tokens: Int[Tensor, " _"],
    top: int,
    negative: bool = False,
) -> Bool[Tensor, "layer head token"]:
    """Return whether a head that attends to a token raises that token's own logit into the top of the vocabulary.

    The copying score of a head is the mean over tokens. Ties count against it, so that a silent head copies nothing.
    By chance it is about `top / d_vocab`; heads differ from that for other reasons than copying too, so measure it
    beside `rotated` heads.

    Args:
        weights: of `head_weights`.
        states: of `token_states`, for these `tokens`.
        unembed: of `models.readings.unembedding`.
        top: places of the vocabulary that count as copied.
        negative: whether it lowers the logit into the bottom instead, as a head that inhibits copies does.

    Raises: ValueError, if tokens and states differ in number, or `top` is not below the size of the vocabulary.
    Source: Wang et al. 2022, arXiv 2211.00593 (copy score, negative copy score; top 5).
    """
    d_vocab = unembed.shape[1]
    if len(tokens) != len(states):
        raise ValueError(f"{len(tokens)} tokens have {len(states)} states; make them with token_states(model, tokens)")
    if not 1 <= top < d_vocab:
        raise ValueError(f"top={top} of a vocabulary of {d_vocab} says nothing; choose at least 1 and less than that")
    sign, own = -1.0 if negative else 1.0, tokens.to(unembed.device)
    copied = []
    for v, o in zip(weights.v, weights.o, strict=True):
        to_logits = sign * o @ unembed  # head, d_head, d_vocab
        rows = _chunks(len(states), len(v) * d_vocab)
        copied.append(torch.cat([_in_top(states[part] @ v @ to_logits, own[part], top) for part in rows], dim=1))
    return torch.stack(copied)


def _in_top(
    logits: Float[Tensor, "head token d_vocab"], own: Int[Tensor, " token"], top: int
) -> Bool[Tensor, "head token"]:
    its = logits.gather(-1, own[None, :, None].expand(len(logits), -1, 1))
    return (logits >= its).sum(-1) <= top  # itself is one of them


def _chunks(n_rows: int, numbers_per_row: int) -> Iterator[slice]:
    step = max(1, _BUDGET // numbers_per_row)
    return (slice(start, start + step) for start in range(0, n_rows, step))


def eigenvalue_scores(
    weights: HeadWeights,
    states: Float[Tensor, "_ d_model"] | None = None,
    *,
    unembed: Float[Tensor, "d_model d_vocab"] | None = None,
) -> Float[Tensor, "*head"]:
    """Return the sum of the eigenvalues of what heads do, over the sum of their sizes.

    Without further arguments of `W_OV`, as a map from the residual stream to itself; with `states` and `unembed` of all
    tokens of `W_E W_OV W_U`, from tokens to logits. The eigenvalues are those of a `d_head` by `d_head` matrix, the
    factors turned around; no larger problem is solved. They may be complex, in conjugate pairs: the sum is real.

    These maps need not be normal, and of such a matrix eigenvalues say less than of a symmetric one.

    Returns: from -1 (all lower what was there) to 1 (all raise it); 0 for a silent head.
    Raises: ValueError, if only one of `states` and `unembed` is given, or their vocabularies differ.
    Source: Elhage et al. 2021, transformer-circuits.pub/2021/framework (copying heads have positive eigenvalues).
    """
    if (states is None) != (unembed is None):
        raise ValueError("give both states and unembed, for the map from tokens to logits, or neither, for W_OV")
    back = weights.v
    if states is not None and unembed is not None:
        if len(states) != unembed.shape[1]:
            raise ValueError(
                f"{len(states)} states for a vocabulary of {unembed.shape[1]}: eigenvalues need a square map; give the "
                "states of all tokens, in order"
            )
        back = (unembed @ states) @ weights.v
    values = torch.linalg.eigvals(weights.o @ back)
    size = values.abs().sum(-1)
    return torch.where(size == 0, 0.0, values.sum(-1).real / size)


class TopKeys(NamedTuple):
    """For each head and query token, the key tokens with the highest attention scores, the first first."""

    keys: Int[Tensor, "layer head query top"]
    """Row of the key states."""
    scores: Float[Tensor, "layer head query top"]
    """What enters the softmax, less what biases, positions and the model's cap on scores do to it."""


def top_keys(
    weights: HeadWeights,
    queries: Float[Tensor, "query d_model"],
    keys: Float[Tensor, "key d_model"],
    *,
    top: int,
    attn_scale: float,
) -> TopKeys:
    """Return which tokens a token looks for, by the QK circuit of every head.

    Scores compare keys for one query; a softmax does not see what is added to all of them, so the scores of two
    queries cannot be compared.

    Args:
        queries: of `token_states`.
        keys: of `token_states`; `tokens[found.keys]` are their ids.
        top: fewer, if there are fewer keys.
        attn_scale: of `attention_scale`.

    Raises: ValueError, if `top` is below 1.
    """
    if top < 1:
        raise ValueError(f"top={top} asks for no keys; ask for at least 1")
    found = []
    for q, k in zip(weights.q, weights.k, strict=True):
        looked_for = keys @ k
        rows = _chunks(len(queries), len(q) * len(keys))
        best = [((queries[part] @ q) @ looked_for.mT / attn_scale).topk(min(top, len(keys)), dim=-1) for part in rows]
        found.append((torch.cat([one.indices for one in best], 1), torch.cat([one.values for one in best], 1)))
    return TopKeys(*(torch.stack(part) for part in zip(*found, strict=True)))


def attention_scale(model: HookedModel) -> float:
    """Return what attention scores are divided by before the softmax."""
    scale = float(getattr(model.cfg, "attn_scale", None) or -1.0)
    return scale if scale > 0 else math.sqrt(float(model.cfg.d_head))  # a bridge says -1 for the usual
