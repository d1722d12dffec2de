"""The training loss of a transformer, computed from its parameters: what `HookedTransformer` computes, without hooks.

Measured with one thread on 64 rows of 64 tokens (4 layers, width 128, 900 words), forward and backward: 0.44 s through
`HookedTransformer`, 0.28 s here in float32, 0.17 s with products in bfloat16.
"""

import contextlib
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from interp_lab.training.mixture import Batch
from interp_lab.training.organism_config import Precision

_HIDDEN = -1e9
"""Attention score of what may not be seen; finite, so that a row of padding still has a softmax."""


def weighted_loss(parameters: Mapping[str, Tensor], batch: Batch, *, precision: Precision) -> Float[Tensor, ""]:
    """Return the mean loss (nats) of predicting every token that counts from those before it in its context.

    Args:
        parameters: all of a model built by `initial.transformer_config`, by their TransformerLens names.
    """
    counts = batch.weights[:, 1:]
    predicted = counts > 0
    reading = contextlib.nullcontext() if precision == "float32" else torch.autocast("cpu", dtype=torch.bfloat16)
    with reading:
        resid = _residual(parameters, batch)[:, :-1][predicted]
        normed = F.layer_norm(resid, resid.shape[-1:], parameters["ln_final.w"], parameters["ln_final.b"])
        logits = F.linear(normed, parameters["unembed.W_U"].T, parameters["unembed.b_U"])
    losses = F.cross_entropy(logits.float(), batch.tokens[:, 1:][predicted], reduction="none")
    weights = counts[predicted]
    return (losses * weights).sum() / weights.sum()


def _residual(parameters: Mapping[str, Tensor], batch: Batch) -> Float[Tensor, "batch pos d_model"]:
    embedded = F.embedding(batch.tokens, parameters["embed.W_E"])
    resid = embedded + F.embedding(batch.positions, parameters["pos_embed.W_pos"])
    hidden = torch.zeros(batch.visible.shape).masked_fill(~batch.visible, _HIDDEN)[:, None]
    for block in _blocks(parameters):
        resid = resid + _attention(block, _normed(resid, block, "ln1"), hidden)
        resid = resid + _mlp(block, _normed(resid, block, "ln2"))
    return resid


def _blocks(parameters: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
    """Return the parameters of every block, by their names within it."""
    blocks: dict[int, dict[str, Tensor]] = {}
    for name, parameter in parameters.items():
        if name.startswith("blocks."):
            _, layer, rest = name.split(".", 2)
            blocks.setdefault(int(layer), {})[rest] = parameter
    return [blocks[layer] for layer in sorted(blocks)]


def _normed(resid: Tensor, block: Mapping[str, Tensor], name: str) -> Tensor:
    return F.layer_norm(resid, resid.shape[-1:], block[f"{name}.w"], block[f"{name}.b"])


def _attention(block: Mapping[str, Tensor], normed: Tensor, hidden: Tensor) -> Tensor:
    n_heads, _, d_head = block["attn.W_Q"].shape
    n_batch, n_pos, _ = normed.shape
    weight = torch.cat([block[f"attn.W_{part}"].transpose(1, 2).flatten(0, 1) for part in "QKV"])
    bias = torch.cat([block[f"attn.b_{part}"].flatten() for part in "QKV"])
    projected = F.linear(normed, weight, bias).view(n_batch, n_pos, 3, n_heads, d_head)
    q, k, v = projected.permute(2, 0, 3, 1, 4)
    pattern = ((q @ k.mT) * d_head**-0.5 + hidden).softmax(-1)
    mixed = (pattern.to(v.dtype) @ v).transpose(1, 2).reshape(n_batch, n_pos, n_heads * d_head)
    return F.linear(mixed, block["attn.W_O"].flatten(0, 1).T, block["attn.b_O"])


def _mlp(block: Mapping[str, Tensor], normed: Tensor) -> Tensor:
    inner = F.gelu(F.linear(normed, block["mlp.W_in"].T, block["mlp.b_in"]))
    return F.linear(inner, block["mlp.W_out"].T, block["mlp.b_out"])
