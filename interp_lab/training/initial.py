"""Initial weights as data, from a seed of their own: no global generator is read or reset."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from interp_lab.training.config import AttentionOnlyConfig


def attention_only_config(shape: AttentionOnlyConfig, *, n_symbols: int, name: str) -> dict[str, Any]:
    """Return the keyword arguments of `HookedTransformerConfig`; the vocabulary is BOS and the symbols."""
    return {
        **shape.as_dict(),
        "d_vocab": n_symbols + 1,
        "attn_only": True,
        "positional_embedding_type": "standard",
        "normalization_type": "LN",
        "model_name": name,
    }


def initial_weights(config: Mapping[str, Any], *, seed: int) -> dict[str, Tensor]:
    """Return parameters of an attention-only model: normal matrices, zero biases, identity LayerNorms.

    Matrices have standard deviation `0.8 / sqrt(d_model)`, as TransformerLens's default has, which keeps the
    attention of an untrained head close to uniform.
    """
    generator = torch.Generator().manual_seed(seed)
    spread = 0.8 / config["d_model"] ** 0.5
    return {
        name: torch.randn(shape, generator=generator) * spread if ".W_" in name else torch.full(shape, _constant(name))
        for name, shape in _parameter_shapes(config).items()
    }


def _constant(name: str) -> float:
    return 1.0 if name.endswith(".w") else 0.0


def _parameter_shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    d_model, d_vocab, n_ctx = config["d_model"], config["d_vocab"], config["n_ctx"]
    n_heads, d_head = config["n_heads"], config["d_head"]
    shapes: dict[str, tuple[int, ...]] = {"embed.W_E": (d_vocab, d_model), "pos_embed.W_pos": (n_ctx, d_model)}
    for layer in range(config["n_layers"]):
        block = f"blocks.{layer}"
        shapes |= {f"{block}.ln1.w": (d_model,), f"{block}.ln1.b": (d_model,)}
        for part in "QKV":
            shapes[f"{block}.attn.W_{part}"] = (n_heads, d_model, d_head)
            shapes[f"{block}.attn.b_{part}"] = (n_heads, d_head)
        shapes |= {f"{block}.attn.W_O": (n_heads, d_head, d_model), f"{block}.attn.b_O": (d_model,)}
    shapes |= {"ln_final.w": (d_model,), "ln_final.b": (d_model,)}
    return shapes | {"unembed.W_U": (d_model, d_vocab), "unembed.b_U": (d_vocab,)}
