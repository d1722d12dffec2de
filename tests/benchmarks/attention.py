"""Scoring every head, and capturing one layer, against the literal ways of doing it."""

import numpy as np
import torch

from interp_lab.attention.heads import pattern_hooks, type_masks
from interp_lab.attention.scores import HEAD_TYPES, attention_to
from interp_lab.hooks import capture
from interp_lab.organisms.repeats import repeated_twice
from tests.benchmarks.harness import Comparison
from tests.tiny import tiny_model

SHAPE = {"n_layers": 4, "n_heads": 12, "d_model": 192, "d_head": 16, "d_mlp": 768, "n_ctx": 128, "d_vocab": 512}


def comparisons() -> list[Comparison]:
    model = tiny_model(**SHAPE)
    tokens = repeated_twice(32, 60, seed=0, symbols=range(1, 512)).tokens
    names = pattern_hooks(model)
    hook = "blocks.1.attn.hook_pattern"
    with torch.inference_mode():
        patterns = model.run_with_cache(tokens, names_filter=lambda name: name.endswith("hook_pattern"))[1]

    def literal() -> np.ndarray:
        """One head, one type, one sequence at a time, from cached patterns; what notebooks do."""
        masks = [mask(tokens).numpy() for mask in HEAD_TYPES.values()]
        asked = masks[list(HEAD_TYPES).index("duplicate_token")].any(-1)
        scores = np.zeros((len(masks), SHAPE["n_layers"], SHAPE["n_heads"], len(tokens)))
        for layer in range(SHAPE["n_layers"]):
            pattern = patterns[f"blocks.{layer}.attn.hook_pattern"].numpy()
            for head in range(SHAPE["n_heads"]):
                for kind, mask in enumerate(masks):
                    for row in range(len(tokens)):
                        paid = (pattern[row, head] * mask[row]).sum(-1)
                        scores[kind, layer, head, row] = paid[asked[row]].mean()
        return scores

    def everything() -> torch.Tensor:
        with torch.inference_mode():
            return model.run_with_cache(tokens)[1][hook]

    return [
        Comparison(
            "scores of 48 heads, 4 types, 32 x 121 tokens, patterns given",
            "loop over heads in NumPy, patterns given",
            lambda: torch.stack([attention_to(patterns[name], type_masks(tokens)) for name in names], dim=1),
            literal,
            lambda ours, theirs: np.allclose(ours.movedim(2, -1), theirs, atol=1e-5),
        ),
        Comparison(
            "capture one pattern of layer 1 of 4",
            "run_with_cache, then index",
            lambda: capture(model, tokens, [hook])[hook],
            everything,
            lambda ours, theirs: torch.equal(ours, theirs),
        ),
    ]
