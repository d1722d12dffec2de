"""Activation patching against `transformer_lens.patching`: times, peak memory, and how cost grows.

`python -m tests.benchmarks.patching --help` for other sizes; the defaults are a GPT-2-small-shaped random model and
8 prompts of 20 tokens that diverge at token 12.
"""

import argparse
import contextlib
import functools
import io
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch.utils.flop_counter import FlopCounterMode
from transformer_lens import HookedTransformer, HookedTransformerConfig, patching

from interp_lab.engine import sweep
from interp_lab.interventions import patches
from interp_lab.metrics import logit_difference
from interp_lab.types import Site
from tests.benchmarks.harness import Comparison, knows_peaks, measure, peak_memory, seconds


@dataclass(frozen=True)
class Size:
    n_layers: int = 12
    n_heads: int = 12
    d_model: int = 768
    d_vocab: int = 50257
    n_prompts: int = 8
    n_pos: int = 20
    shared: int = 12
    """Tokens that clean and corrupted prompts have in common; 0 for none."""


SMALL = Size(n_layers=3, n_heads=4, d_model=64, d_vocab=1000, n_prompts=3, n_pos=8, shared=4)
MIDDLE = Size(n_layers=4, n_heads=8, d_model=256, d_vocab=8192)
"""For `make bench`, which must end while one waits."""


@functools.lru_cache(maxsize=1)
def random_model(size: Size) -> HookedTransformer:
    """Weights of the usual size, drawn without TransformerLens's slow initialisation."""
    settings = {"n_layers": size.n_layers, "n_heads": size.n_heads, "d_model": size.d_model, "d_vocab": size.d_vocab}
    shape = {"d_head": size.d_model // size.n_heads, "d_mlp": 4 * size.d_model, "n_ctx": 64, "act_fn": "gelu_new"}
    config = HookedTransformerConfig(**settings, **shape, normalization_type="LNPre", init_weights=False, device="cpu")
    model, generator = HookedTransformer(config), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.05 if weight.ndim > 1 else 0.0, generator=generator)
    return model.eval()


def prompts(size: Size) -> tuple[torch.Tensor, torch.Tensor]:
    """Corrupted prompts and clean ones with the same beginning."""
    corrupted, clean = torch.randint(
        size.d_vocab, (2, size.n_prompts, size.n_pos), generator=torch.Generator().manual_seed(0)
    )
    clean[:, : size.shared] = corrupted[:, : size.shared]
    clean[:, size.shared] = (corrupted[:, size.shared] + 1) % size.d_vocab
    return corrupted, clean


def head_groups(size: Size) -> list[list[Site]]:
    return [[Site.of_head(layer, head)] for layer in range(size.n_layers) for head in range(size.n_heads)]


def residual_groups(size: Size) -> list[list[Site]]:
    layers, positions = range(size.n_layers), range(size.n_pos)
    return [[Site(f"blocks.{layer}.hook_resid_pre", position=at)] for layer in layers for at in positions]


SWEEPS: dict[str, tuple[Callable, Callable]] = {
    "heads (z)": (head_groups, patching.get_act_patch_attn_head_out_all_pos),
    "residual by position": (residual_groups, patching.get_act_patch_resid_pre),
}


def ours(size: Size, kind: str) -> np.ndarray:
    """From tokens to effects: the clean run's activations are part of the price on both sides."""
    (corrupted, clean), model = prompts(size), random_model(shape_of(size))
    made = patches(model, SWEEPS[kind][0](size), clean, base=corrupted)
    return sweep(model, corrupted, made, metric(size)).values


def theirs(size: Size, kind: str) -> np.ndarray:
    (corrupted, clean), model, read = prompts(size), random_model(shape_of(size)), metric(size)
    suffix = "attn.hook_z" if kind.startswith("heads") else "hook_resid_pre"
    with torch.inference_mode(), contextlib.redirect_stderr(io.StringIO()):  # its progress bar
        _, cache = model.run_with_cache(clean, names_filter=lambda name: name.endswith(suffix))
        return SWEEPS[kind][1](model, corrupted, cache, lambda logits: read(logits).mean()).numpy().ravel()


def metric(size: Size):
    return logit_difference(torch.arange(size.n_prompts), torch.arange(size.n_prompts) + size.n_prompts)


def shape_of(size: Size) -> Size:
    """What the model depends on, so that one model serves all batches."""
    return replace(size, n_prompts=1, n_pos=1, shared=0)


def same(found: np.ndarray, expected: np.ndarray) -> bool:
    return bool(np.ptp(expected) > 0 and np.allclose(found.mean(1), expected, atol=1e-5, rtol=1e-5))


def comparisons(size: Size = MIDDLE) -> list[Comparison]:
    each = [(case, kind) for case in (size, replace(size, shared=0)) for kind in SWEEPS]
    return [
        Comparison(
            f"{kind}, {case.n_layers} layers, {case.n_prompts} x {case.n_pos} tokens, {case.shared} shared",
            "transformer_lens.patching",
            functools.partial(ours, case, kind),
            functools.partial(theirs, case, kind),
            same,
        )
        for case, kind in each
    ]


def growth(size: Size) -> list[tuple[str, float, float]]:
    """(what, multiply-adds of our head sweep, seconds): from half the prompts, positions and layers to all."""
    cases = {"as given": size}
    for name in ("n_prompts", "n_layers"):
        cases |= {f"{name} {getattr(size, name) // 2}": replace(size, **{name: getattr(size, name) // 2})}
    cases |= {
        f"n_pos {size.n_pos // 2}, diverging in proportion": replace(
            size, n_pos=size.n_pos // 2, shared=size.shared // 2
        )
    }
    rows = []
    for name, case in cases.items():
        run = functools.partial(ours, case, "heads (z)")
        with FlopCounterMode(display=False) as counter:
            run()  # warms up, too
        rows.append((name, counter.get_total_flops() / 2, min(seconds(run) for _ in range(3))))
    return rows


def prepare(size: Size) -> None:
    """Build the model and run it once."""
    model, (corrupted, _) = random_model(shape_of(size)), prompts(size)
    with torch.inference_mode():
        model(corrupted[:1, :2])


def report(size: Size, *, rounds: int) -> None:
    console = Console()
    times = Table(
        "what", "ours (s)", "reference (s)", "ratio", "rounds from-to", title="against transformer_lens.patching"
    )
    for comparison in comparisons(size):
        timing = measure(comparison, rounds=rounds)
        spread = f"{min(timing.ratios):.1f}-{max(timing.ratios):.1f}"
        times.add_row(comparison.name, f"{timing.ours:.2f}", f"{timing.reference:.2f}", f"{timing.ratio:.1f}x", spread)
    console.print(times)
    memory = Table("what", "ours (MiB)", "reference (MiB)", title="peak memory beyond the model's")
    for kind in SWEEPS if knows_peaks() else ():
        peaks = (
            peak_memory(functools.partial(prepare, size), functools.partial(side, size, kind))
            for side in (ours, theirs)
        )
        memory.add_row(kind, *(f"{peak:.0f}" for peak in peaks))
    console.print(memory)
    grown = Table("head sweep", "multiply-adds (1e9)", "seconds", title="how cost grows")
    for name, count, duration in growth(size):
        grown.add_row(name, f"{count / 1e9:.2f}", f"{duration:.2f}")
    console.print(grown)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--small", action="store_true", help="a model of toy size, to see that the benchmark runs")
    for name, default in vars(Size()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=None, help=f"default {default}")
    given = vars(parser.parse_args())
    rounds, small = given.pop("rounds"), given.pop("small")
    size = replace(SMALL if small else Size(), **{name: value for name, value in given.items() if value is not None})
    start = time.perf_counter()
    report(size, rounds=rounds)
    Console().print(f"{size}, {torch.get_num_threads()} threads, {time.perf_counter() - start:.0f} s in all")


if __name__ == "__main__":
    main()
