"""Tiny models of every shape that attribution is tested on, with pairs of prompts and a metric."""

import tempfile
from functools import cache
from pathlib import Path

import torch

from interp_lab.metrics import logit_difference
from interp_lab.models import load_model
from tests.models.fixtures import random_tokens, save_directory
from tests.tiny import tiny_model, tokens

SHAPES = {
    "GPT-2": {"normalization_type": "LN"},
    "Llama": {
        "normalization_type": "RMS",
        "positional_embedding_type": "rotary",
        "n_key_value_heads": 2,
        "gated_mlp": True,
        "act_fn": "silu",
    },
    "parallel, windowed, partly rotary": {
        "normalization_type": "LNPre",
        "positional_embedding_type": "rotary",
        "rotary_dim": 2,
        "parallel_attn_mlp": True,
        "use_local_attn": True,
        "attn_types": ["global", "local"],
        "window_size": 3,
    },
    "ALiBi": {"positional_embedding_type": "alibi", "normalization_type": "RMSPre"},
    "attention only, capped scores": {"attn_only": True, "attn_scores_soft_cap": 3.0, "normalization_type": None},
}


def model_of(shape, **changes):
    return tiny_model(seed=3, **{"n_layers": 2, **SHAPES[shape], **changes})


def pairs(n=3, length=7):
    """Clean and corrupted prompts that differ at two positions, and a left-padding mask for the first prompt."""
    clean = tokens(n, length, seed=11)
    corrupted = clean.clone()
    corrupted[:, 3] = (clean[:, 3] + 5) % 24
    corrupted[:, 5] = (clean[:, 5] + 9) % 24
    mask = torch.ones(n, length, dtype=torch.bool)
    mask[0, :2] = False
    return clean, corrupted, mask


ANSWERS, WRONG = torch.tensor([3, 7, 11]), torch.tensor([4, 8, 1])


def metric():
    return logit_difference(ANSWERS, WRONG)


def literal_metric(logits, row):
    return logits[-1, ANSWERS[row]] - logits[-1, WRONG[row]]


@cache
def on_both_backends(directory_shape, processing="folded"):
    """One saved model as a HookedTransformer and as a bridge."""
    with tempfile.TemporaryDirectory() as place:
        directory = save_directory(Path(place) / f"tiny-{directory_shape}", directory_shape)
        return tuple(load_model(directory, "cpu", backend=b, processing=processing) for b in ("hooked", "bridge"))


def directory_pairs():
    """Pairs for these models, which have 40 tokens; the second prompt is padded on the left."""
    clean = random_tokens(pos=8)
    corrupted = clean.clone()
    corrupted[:, 4] = (clean[:, 4] + 3) % 40
    mask = torch.ones(3, 8, dtype=torch.bool)
    mask[1, :3] = False
    return clean, corrupted, mask
