"""A compiled model as data: configuration, weights, vocabulary, truth, and the prompts that the truth is about."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from interp_lab.organisms.compiled.residual import Head, Layout, parameters
from interp_lab.organisms.compiled.truth import Truth

BOS = 0
"""Token that every prompt starts with."""
D_VOCAB = 24
"""Tokens of every compiled model, BOS among them."""
N_CTX = 48
"""Context of every compiled model: BOS and two copies of a segment of up to 23 tokens."""


class Pairs(NamedTuple):
    """Clean and corrupted prompts, aligned token by token; the behaviour is read at the last position."""

    clean: Int[Tensor, "batch pos"]
    corrupted: Int[Tensor, "batch pos"]
    answers: Int[Tensor, " batch"]
    """What the model predicts after the clean prompt."""
    wrong: Int[Tensor, " batch"]
    """What its logit is compared with."""


@dataclass(frozen=True)
class CompiledModel:
    """A model whose weights were written by hand, ready to be built."""

    name: str
    """As `load_model` knows it, such as `compiled/induction`."""
    config: dict[str, Any]
    """Keyword arguments of `HookedTransformerConfig`; plain data, no seed, weights not initialised."""
    state_dict: dict[str, Tensor]
    """Every parameter (float32) by its TransformerLens name; no buffers."""
    truth: Truth
    vocabulary: tuple[str, ...]
    """A readable name for each token id."""
    symbols: tuple[int, ...]
    """Token ids to draw random text from: neither BOS nor a token that means something on its own."""
    draw: Callable[[int, Generator], Pairs]
    """Makes pairs from a source of randomness; `sample_pairs` is the way to call it."""

    def sample_pairs(self, n: int, seed: int) -> Pairs:
        """Draw `n` pairs of equally long prompts, as `truth.pairs` describes them.

        Raises: ValueError, if `n` is below 1.
        """
        if n < 1:
            raise ValueError(f"n={n} makes an empty set of pairs; ask for at least one")
        return self.draw(n, torch.Generator().manual_seed(seed))


def compiled(
    name: str,
    layers: Sequence[Sequence[Head]],
    *,
    layout: Layout,
    unembed: Float[Tensor, "d_model d_vocab"],
    truth: Truth,
    vocabulary: tuple[str, ...],
    symbols: tuple[int, ...],
    draw: Callable[[int, Generator], Pairs],
) -> CompiledModel:
    """Write heads down as the weights of a model."""
    n_heads = len(layers[0])
    assert all(len(heads) == n_heads for heads in layers), "every layer has the same number of heads"
    assert len(vocabulary) == D_VOCAB, f"{len(vocabulary)} names for {D_VOCAB} tokens"
    state_dict = parameters(layout, layers, unembed=unembed)
    config = {
        "n_layers": len(layers),
        "n_heads": n_heads,
        "d_model": layout.d_model,
        "d_head": state_dict["blocks.0.attn.W_Q"].shape[-1],
        "d_vocab": D_VOCAB,
        "n_ctx": N_CTX,
        "attn_only": True,
        "normalization_type": None,
        "positional_embedding_type": "standard",
        "attn_scale": 1.0,  # scores as written, whatever d_head comes out as
        "init_weights": False,  # initialising would draw from the global random state
        "device": "cpu",
    }
    return CompiledModel(f"compiled/{name}", config, state_dict, truth, vocabulary, symbols, draw)


def distinct_tokens(n: int, generator: Generator, *, symbols: Sequence[int], length: int) -> Int[Tensor, "batch drawn"]:
    """Draw `n` rows of `length` tokens, none twice in a row."""
    keys = torch.rand(n, len(symbols), generator=generator, dtype=torch.float64)
    return torch.tensor(symbols)[keys.argsort(dim=-1)[:, :length]]


def with_bos(tokens: Int[Tensor, "batch pos"]) -> Int[Tensor, "batch 1+pos"]:
    """Return the tokens with BOS before them."""
    return torch.nn.functional.pad(tokens, (1, 0), value=BOS)
