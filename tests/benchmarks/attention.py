"""Scoring every head against `transformer_lens.head_detector` and against a literal loop: times and peak memory.

`python -m tests.benchmarks.attention --help` for other sizes; the defaults are a GPT-2-small-shaped random model and 64
prompts of 128 tokens that repeat. What is timed is said in the names: "given" means that the forward passes were made
before and count for neither side. Text is tokenised before, so that its cost counts for neither side.
"""

import argparse
import functools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from transformer_lens import ActivationCache, HookedTransformer
from transformer_lens.head_detector import detect_head

from interp_lab.attention.heads import pattern_hooks
from interp_lab.attention.masks import duplicate_token_mask, induction_mask, previous_token_mask
from interp_lab.attention.scores import attention_to
from interp_lab.hooks import capture
from interp_lab.organisms.repeats import repeated_twice
from tests.benchmarks.harness import Comparison, knows_peaks, measure, peak_memory
from tests.tiny import tiny_model

TYPES = {
    "previous_token_head": previous_token_mask,
    "duplicate_token_head": duplicate_token_mask,
    "induction_head": induction_mask,
}


@dataclass(frozen=True)
class Size:
    n_layers: int = 12
    n_heads: int = 12
    d_model: int = 768
    d_vocab: int = 50257
    n_prompts: int = 64
    n_pos: int = 128
    batch_size: int = 16
    """Prompts per forward pass on our side; `detect_head` has one."""


SMALL = Size(n_layers=2, n_heads=2, d_model=32, d_vocab=200, n_prompts=4, n_pos=15)
MIDDLE = Size(n_layers=4, n_heads=8, d_model=256, d_vocab=8192, n_prompts=16, n_pos=64)
"""For `make bench`, which must end while one waits."""


@functools.lru_cache(maxsize=1)
def prompts(size: Size) -> Tensor:
    """BOS and two copies of a segment; one more token where the length leaves one."""
    period = (size.n_pos - 1) // 2
    tokens = repeated_twice(size.n_prompts, period, seed=0, symbols=range(1, size.d_vocab)).tokens
    return torch.nn.functional.pad(tokens, (0, size.n_pos - tokens.shape[1]), value=1)


@functools.lru_cache(maxsize=1)
def model_of(size: Size) -> HookedTransformer:
    """A random model that takes the texts "0", "1", ... for the prompts: `detect_head` takes nothing but text."""
    given = {name: getattr(size, name) for name in ("n_layers", "n_heads", "d_model", "d_vocab")}
    model = tiny_model(**given, d_head=size.d_model // size.n_heads, d_mlp=4 * size.d_model, n_ctx=size.n_pos + 1)
    model.to_tokens = lambda text: prompts(size)[[int(row) for row in text] if isinstance(text, list) else [int(text)]]
    return model


@functools.lru_cache(maxsize=1)
def patterns_given(size: Size) -> list[Tensor]:
    """One per layer, of all prompts."""
    model = model_of(size)
    batches = [capture(model, rows, pattern_hooks(model)) for rows in prompts(size).split(size.batch_size)]
    return [torch.cat([batch[hook] for batch in batches]) for hook in pattern_hooks(model)]


def masks_of(tokens: Tensor) -> Tensor:
    return torch.stack([mask(tokens) for mask in TYPES.values()])


def scored(patterns: list[Tensor], tokens: Tensor) -> Tensor:
    """Axes type, batch, layer, head."""
    masks = masks_of(tokens)
    return torch.stack([attention_to(pattern, masks) for pattern in patterns], dim=2)


def ours_given(size: Size) -> Tensor:
    """From patterns to scores of every prompt, masks included; prompts in batches, so that memory is bounded."""
    patterns = patterns_given(size)
    parts = torch.arange(size.n_prompts).split(size.batch_size)
    return torch.cat([scored([p[r[0] : r[-1] + 1] for p in patterns], prompts(size)[r]) for r in parts], dim=1)


def ours(size: Size) -> Tensor:
    """From tokens to scores of every prompt."""
    model, hooks = model_of(size), pattern_hooks(model_of(size))
    parts = []
    for rows in prompts(size).split(size.batch_size):
        kept = capture(model, rows, hooks)
        parts.append(scored([kept[hook] for hook in hooks], rows))
    return torch.cat(parts, dim=1)


@functools.lru_cache(maxsize=1)
def caches_given(size: Size) -> list[ActivationCache]:
    """One cache per prompt, as `detect_head` wants it; of nothing but patterns, or they would not fit."""
    layers = list(zip(pattern_hooks(model_of(size)), patterns_given(size), strict=True))
    return [
        ActivationCache({hook: pattern[row] for hook, pattern in layers}, model_of(size), has_batch_dim=False)
        for row in range(size.n_prompts)
    ]


def detector_given(size: Size) -> Tensor:
    """`detect_head(model, prompt, type, cache=cache)` for every type and prompt."""
    model, caches = model_of(size), caches_given(size)
    each = [torch.stack([detect_head(model, str(n), kind, cache=c) for n, c in enumerate(caches)]) for kind in TYPES]
    return torch.stack(each)


def detector(size: Size) -> Tensor:
    """`detect_head(model, prompts, type)` for every type, as its documentation has it."""
    texts = [str(row) for row in range(size.n_prompts)]
    with torch.inference_mode():
        return torch.stack([detect_head(model_of(size), texts, kind) for kind in TYPES])


def loop_given(size: Size) -> np.ndarray:
    """One type, layer, head and prompt at a time in NumPy, masks included; what notebooks do."""
    masks, patterns = masks_of(prompts(size)).numpy(), [pattern.numpy() for pattern in patterns_given(size)]
    scores = np.zeros((len(TYPES), size.n_prompts, size.n_layers, size.n_heads))
    for kind, mask in enumerate(masks):
        for row in range(size.n_prompts):
            asked = mask[row].any(-1)
            for layer, pattern in enumerate(patterns):
                for head in range(size.n_heads):
                    scores[kind, row, layer, head] = (pattern[row, head] * mask[row]).sum(-1)[asked].mean()
    return scores


def as_shares(size: Size, scores: Tensor) -> Tensor:
    """Ours in their unit: of the attention of all queries instead of those that have something to look at."""
    asked = masks_of(prompts(size)).any(-1).sum(-1)
    return scores * (asked / size.n_pos)[:, :, None, None]


def comparisons(size: Size = MIDDLE) -> list[Comparison]:
    shape = f"{size.n_layers * size.n_heads} heads, 3 types, {size.n_prompts} x {size.n_pos} tokens"
    close = functools.partial(torch.allclose, atol=1e-5)
    return [
        Comparison(
            f"{shape}, patterns given",
            "detect_head for each prompt, its cache given",
            functools.partial(ours_given, size),
            functools.partial(detector_given, size),
            lambda found, expected: close(as_shares(size, found), expected),
        ),
        Comparison(
            f"{shape}, from tokens",
            "detect_head as documented, a list of prompts",
            functools.partial(ours, size),
            functools.partial(detector, size),
            lambda found, expected: close(as_shares(size, found).mean(1), expected),
        ),
        Comparison(
            f"{shape}, patterns given",
            "loop over heads in NumPy, patterns given",
            functools.partial(ours_given, size),
            functools.partial(loop_given, size),
            lambda found, expected: np.allclose(found, expected, atol=1e-5),
        ),
    ]


SIDES: dict[str, Callable[[Size], object]] = {
    "ours, from tokens": ours,
    "detect_head as documented": detector,
    "ours, patterns given": ours_given,
    "detect_head, caches given": detector_given,
    "loop in NumPy, patterns given": loop_given,
}


def prepare(size: Size, *, given: bool) -> None:
    """Build the model, run it once, and make what is given before the call."""
    model = model_of(size)
    with torch.inference_mode():
        model(prompts(size)[:1, :2])
    if given:
        caches_given(size)


def report(size: Size, *, rounds: int) -> None:
    times = Table("what", "reference", "ours (s)", "reference (s)", "ratio", "rounds from-to")
    for comparison in comparisons(size):
        timing = measure(comparison, rounds=rounds)
        spread = f"{min(timing.ratios):.1f}-{max(timing.ratios):.1f}"
        seconds = (f"{timing.ours:.3f}", f"{timing.reference:.3f}", f"{timing.ratio:.1f}x")
        times.add_row(comparison.name, comparison.reference_name, *seconds, spread)
    Console().print(times)
    memory = Table("what", "MiB", title="peak memory beyond the model's and what is given")
    for side, call in SIDES.items() if knows_peaks() else ():
        ready = functools.partial(prepare, size, given=side.endswith("given"))
        memory.add_row(side, f"{peak_memory(ready, functools.partial(call, size)):.0f}")
    Console().print(memory)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--small", action="store_true", help="a model of toy size, to see that the benchmark runs")
    for name, default in vars(Size()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=None, help=f"default {default}")
    given = vars(parser.parse_args())
    rounds, small = given.pop("rounds"), given.pop("small")
    size = replace(SMALL if small else Size(), **{name: value for name, value in given.items() if value is not None})
    report(size, rounds=rounds)
    Console().print(f"{size}, {torch.get_num_threads()} threads")


if __name__ == "__main__":
    main()
