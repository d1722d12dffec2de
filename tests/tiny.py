"""Tiny random models for tests, made without touching the global random state."""

from typing import Any

import torch
from transformer_lens import HookedTransformer, HookedTransformerConfig


def tiny_model(seed: int = 0, **changes: Any) -> HookedTransformer:
    """A three-layer model with four heads; `changes` go to its config."""
    sizes = {"n_layers": 3, "d_model": 16, "n_ctx": 32, "d_head": 4, "n_heads": 4, "d_mlp": 32, "d_vocab": 24}
    settings = {**sizes, "act_fn": "gelu", "device": "cpu", **changes}
    config = HookedTransformerConfig(**settings, init_weights=False, seed=None)
    model = HookedTransformer(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator) * 0.4 + (1.0 if name.endswith("ln.w") else 0.0))
    return model.eval()


def tokens(n: int = 5, length: int = 9, *, seed: int = 0, d_vocab: int = 24) -> torch.Tensor:
    return torch.randint(d_vocab, (n, length), generator=torch.Generator().manual_seed(seed))
