"""Attention of packed tokens: new queries look at new keys, and at the keys of the untouched run before them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.engine.layout import Group, Rows

Fire = Callable[[str, Tensor, Group], Tensor]
"""Takes the local name of a hook point, an activation and the group it is of; returns it edited."""


@dataclass(frozen=True)
class Before:
    """Keys (as they meet queries: normalised, rotated) and values of the untouched prompts, in one layer."""

    keys: Float[Tensor, "batch pos kv_head d_head"]
    values: Float[Tensor, "batch pos kv_head d_head"]


@dataclass(frozen=True)
class Prompts:
    """What attention must know of the prompts."""

    visible: Bool[Tensor, "batch pos"]
    """False at padding."""
    places: Int[Tensor, "batch pos"]
    """Position in the prompt without its padding, from 0."""


def attend(
    attn: Any,  # noqa: ANN401 - TransformerLens's attention module
    query_input: Float[Tensor, "query_token d_model"],
    key_input: Float[Tensor, "key_token d_model"],
    value_input: Float[Tensor, "key_token d_model"],
    *,
    queries: Rows,
    keys: Rows,
    groups: Sequence[Group],
    before: Before | None,
    prompts: Prompts,
    fire: Fire,
    keep: Callable[[str, Tensor], None],
) -> Float[Tensor, "query_token head d_head"]:
    """Return every head's z.

    Args:
        groups: of the items that are here.
        before: `None` if all keys are new.
        keep: called with new queries, keys and values as they meet each other.
    """
    q, k, v = (part[0] for part in attn.calculate_qkv_matrices(query_input[None], key_input[None], value_input[None]))
    if attn.cfg.positional_embedding_type == "rotary":
        q = attn.hook_rot_q(_rotated(attn, q, prompts, queries)[None])[0]
        k = attn.hook_rot_k(_rotated(attn, k, prompts, keys)[None])[0]
    keep("queries", q)
    keep("keys", k)
    keep("values", v)
    z = q.new_empty(*q.shape[:2], v.shape[-1])
    for group in groups:
        all_keys = _joined(k, group, None if before is None else before.keys)
        all_values = _joined(v, group, None if before is None else before.values)
        padded = q.new_zeros(len(group.items), group.n_queries, *q.shape[1:])
        padded[group.query_at] = q[group.query_rows]
        pattern = _pattern(attn, padded, all_keys, group=group, prompts=prompts, fire=fire)
        z[group.query_rows] = _mixed(attn, pattern, all_values)[group.query_at]
    return z


def _joined(new: Tensor, group: Group, before: Tensor | None) -> Float[Tensor, "row key kv_head d_head"]:
    """Put the new keys (or values) of items behind those of the untouched run."""
    if before is None:
        joined = new.new_zeros(len(group.items), group.n_keys, *new.shape[1:])
    else:
        joined = before[:, : group.n_keys][group.examples]
    joined[group.key_at] = new[group.key_rows]
    return joined


def _pattern(
    attn: Any,  # noqa: ANN401 - as above
    q: Float[Tensor, "row query head d_head"],
    k: Float[Tensor, "row key kv_head d_head"],
    *,
    group: Group,
    prompts: Prompts,
    fire: Fire,
) -> Float[Tensor, "row head query key"]:
    scores = attn.calculate_attention_scores(q, k)
    at, key = group.query_positions, torch.arange(group.n_keys, device=q.device)
    if attn.cfg.positional_embedding_type == "alibi":
        bias = attn.create_alibi_bias(int(attn.cfg.n_heads), int(prompts.visible.shape[1]), q.device)
        scores = scores + bias[:, at, : group.n_keys].transpose(0, 1)
    seen = (key <= at[..., None]) & prompts.visible[group.examples, None, : group.n_keys]
    if attn.attn_type == "local":
        seen &= key > at[..., None] - attn.cfg.window_size
    scores = torch.where(seen[:, None], scores, attn.IGNORE.to(scores.device))
    pattern = fire("attn.hook_attn_scores", scores, group).softmax(-1)
    # A query that sees nothing (padding) has no pattern; TransformerLens makes it zero, too.
    pattern = torch.where(pattern.isnan(), torch.zeros_like(pattern), pattern)
    return fire("attn.hook_pattern", pattern, group).to(k.dtype)


def _mixed(
    attn: Any,  # noqa: ANN401 - as above
    pattern: Float[Tensor, "row head query key"],
    values: Float[Tensor, "row key kv_head d_head"],
) -> Float[Tensor, "row query head d_head"]:
    n_heads = pattern.shape[1]
    if values.shape[2] != n_heads:
        values = values.repeat_interleave(n_heads // values.shape[2], dim=2)
    return (pattern @ values.transpose(1, 2)).transpose(1, 2)


def _rotated(attn: Any, x: Tensor, prompts: Prompts, rows: Rows) -> Float[Tensor, "token head d_head"]:  # noqa: ANN401 - as above
    """Rotate queries or keys by their place in the prompt."""
    n, width, n_pos = len(x), int(attn.cfg.rotary_dim), prompts.places.shape[1]
    if n_pos > attn.rotary_cos.shape[0]:
        attn._extend_rotary_embeddings(n_pos)
    place = prompts.places[rows.examples[:n], rows.positions[:n]]
    cos, sin = (part[place][:, None] for part in (attn.rotary_cos, attn.rotary_sin))
    turned = x[..., :width] * cos + attn.rotate_every_two(x[..., :width]) * sin
    return torch.cat([turned, x[..., width:]], dim=-1)
