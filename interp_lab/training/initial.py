"""Initial weights as data, from a seed of their own: no global generator is read or reset."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from interp_lab.training.config import AttentionOnlyConfig
from interp_lab.training.organism_config import TransformerConfig


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


def transformer_config(shape: TransformerConfig, *, d_vocab: int, name: str) -> dict[str, Any]:
    """Return the keyword arguments of `HookedTransformerConfig`."""
    return {
        **shape.as_dict(),
        "d_vocab": d_vocab,
        "act_fn": "gelu",
        "positional_embedding_type": "standard",
        "normalization_type": "LN",
        "model_name": name,
    }


def initial_weights(config: Mapping[str, Any], *, seed: int) -> dict[str, Tensor]:
    """Return parameters of a model, with MLPs or without: normal matrices, zero biases, identity LayerNorms.

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
        if not config.get("attn_only"):
            shapes |= _mlp_shapes(block, d_model=d_model, d_mlp=config["d_mlp"])
    shapes |= {"ln_final.w": (d_model,), "ln_final.b": (d_model,)}
    return shapes | {"unembed.W_U": (d_model, d_vocab), "unembed.b_U": (d_vocab,)}


def _mlp_shapes(block: str, *, d_model: int, d_mlp: int) -> dict[str, tuple[int, ...]]:
    return {
        f"{block}.ln2.w": (d_model,),
        f"{block}.ln2.b": (d_model,),
        f"{block}.mlp.W_in": (d_model, d_mlp),
        f"{block}.mlp.b_in": (d_mlp,),
        f"{block}.mlp.W_out": (d_mlp, d_model),
        f"{block}.mlp.b_out": (d_model,),
    }


def with_words_of(
    start: Mapping[str, Tensor], words: Mapping[str, int], *, fresh: Mapping[str, Tensor], vocabulary: Sequence[str]
) -> dict[str, Tensor]:
    """Return the parameters of a trained model for another vocabulary: what it knows of a word goes to its new id.

    Args:
        words: the ids that `start` was trained with.
        fresh: parameters of the right shape; words that `start` does not know keep theirs.
        vocabulary: the words by their new ids.
    """
    new = [nth for nth, word in enumerate(vocabulary) if word in words]
    old = [words[vocabulary[nth]] for nth in new]
    matched = {name: value.clone() for name, value in start.items()}
    for name, axis in (("embed.W_E", 0), ("unembed.W_U", 1), ("unembed.b_U", 0)):
        matched[name] = fresh[name].index_copy(
            axis, torch.tensor(new), start[name].index_select(axis, torch.tensor(old))
        )
    return matched
