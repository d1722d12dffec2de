"""Tiny models of every shape that edges are exact on, and prompts for them."""

import torch

from interp_lab.metrics import logit_difference
from tests.engine.models import diverging, hooked, left_padding, prompts

KINDS = ("gpt2", "gpt2 folded", "llama", "neox", "attention only", "alibi", "soft caps", "no norm")


def pairs_for(kind):
    """A model, clean and corrupted prompts that share a prefix, answers and wrong answers."""
    model = hooked(kind)
    corrupted = prompts(model, n=3, length=6)
    clean = diverging(corrupted, [3, 0, 2], n_tokens=20)
    return model, (clean, corrupted, torch.tensor([1, 2, 3]), torch.tensor([4, 5, 6]))


def metric_of(pairs):
    return logit_difference(pairs[2], pairs[3])


__all__ = ["KINDS", "left_padding", "metric_of", "pairs_for"]
