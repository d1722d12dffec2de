"""Tiny models of every position type, and prompts of unequal length for them."""

import torch

from tests.tiny import tiny_model

KINDS = {
    "standard": {},
    "rotary": {"positional_embedding_type": "rotary"},
    "alibi": {"positional_embedding_type": "alibi"},
    "shortformer": {"positional_embedding_type": "shortformer"},
    "grouped-query": {"positional_embedding_type": "rotary", "n_key_value_heads": 2},
    "partly rotary, parallel, windowed": {
        "positional_embedding_type": "rotary",
        "rotary_dim": 2,
        "parallel_attn_mlp": True,
        "use_local_attn": True,
        "attn_types": ["global", "local"],
        "window_size": 3,
    },
}

PROMPTS = [[3, 1, 4, 1, 5], [6], [5, 3, 5]]
NEVER_STOP = {"stop_tokens": ()}


def model_of(kind, **changes):
    return tiny_model(seed=1, **{"n_layers": 2, "normalization_type": "LNPre", **KINDS[kind], **changes})


def direction(seed=0, size=16, scale=1.5):
    return scale * torch.randn(size, generator=torch.Generator().manual_seed(seed))
