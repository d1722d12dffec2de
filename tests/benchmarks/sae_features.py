"""Statistics of all features in one pass, against the loop over features; and how much memory 16,384 features take.

`python -m tests.benchmarks.sae_features`. The loop is what one writes who holds the latents of the whole text: feature
by feature the largest examples with their contexts, a histogram, quantiles, tokens and co-activation. Both are given
the same latents; neither runs a model.
"""

import argparse
import functools
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from rich.console import Console

from interp_lab import load_model
from interp_lab.sae.activations import Labels, TextConfig
from interp_lab.sae.features import DescribeConfig, Dictionary, describe_features
from interp_lab.sae.features.events import events_of
from interp_lab.sae.features.gathered import gathering
from interp_lab.sae.features.moments import EDGES
from interp_lab.sae.features.sampled import blocks
from tests.benchmarks.harness import Comparison, knows_peaks, measure, peak_memory

CONFIG = DescribeConfig()


@dataclass(frozen=True)
class Size:
    n_tokens: int = 8192
    n_latents: int = 1024
    n_active: int = 16
    batch: int = 2048


SMALL = Size(n_tokens=512, n_latents=64, n_active=4, batch=128)
MIDDLE = Size()


@functools.lru_cache(maxsize=1)
def data(size: Size) -> tuple[torch.Tensor, Labels]:
    """Latents of documents of 20 tokens."""
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(size.n_tokens, size.n_latents, generator=generator)
    least = scores.topk(size.n_active, dim=1).values[:, -1:]
    rows = torch.arange(size.n_tokens, dtype=torch.int32)
    tokens = torch.randint(599, (size.n_tokens,), generator=generator, dtype=torch.int32)
    labels = Labels(tokens, rows // 20, rows % 20, rows % 64)
    return torch.where(scores >= least, scores - least + 0.01, 0.0), labels


def ours(size: Size) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    latents, labels = data(size)
    found = gathering(size.n_latents, CONFIG)
    for begin in range(0, size.n_tokens, size.batch):
        rows = slice(begin, begin + size.batch)
        columns = (labels.tokens, labels.documents, labels.places, labels.positions)
        found.take(events_of(latents[rows], Labels(*(column[rows] for column in columns))), seed=0)
    table, coactivation = found.sampled.table(), []
    columns = table.active.tocsc()
    for block in blocks(size.n_latents, 64):
        table.tokens_of(block, columns).top(CONFIG.n_token_rows)
        coactivation.append(table.coactivation(block, n=CONFIG.n_neighbours)[1])
    largest = found.top.value[:, 0].astype(np.float64)
    found.moments.quantiles(np.array([0.5, 0.9, 0.99]), largest=largest, latents=range(size.n_latents))
    return found.moments.n_active, found.top.value, np.concatenate(coactivation)


def literal(size: Size) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    latents, labels = data(size)
    values, tokens, documents = latents.numpy(), labels.tokens.numpy(), labels.documents.numpy()
    n_active, top, coactivation = [], [], []
    active = values > 0
    means, spreads = active.mean(0), active.std(0)
    for column, on in zip(values.T, active.T, strict=True):
        rows = np.flatnonzero(on)
        own = column[rows]
        order, seen, best = rows[np.argsort(-own, kind="stable")], set(), []
        for row in order:
            if documents[row] not in seen:
                seen.add(documents[row])
                best.append(row)
            if len(best) == CONFIG.n_top:
                break
        for row in best:
            column[max(0, row - CONFIG.before) : row + CONFIG.after + 1].copy()
        np.random.default_rng(0).permutation(rows)[: 8 * CONFIG.n_quantiles]
        np.histogram(own, EDGES)
        np.quantile(own, [0.5, 0.9, 0.99])
        Counter(tokens[rows].tolist()).most_common(CONFIG.n_token_rows)
        together = active[rows].sum(0) / len(active)
        phi = (together - means * on.mean()) / (spreads * on.std())
        coactivation.append(np.sort(phi)[-2 : -2 - CONFIG.n_neighbours : -1])
        n_active.append(len(rows))
        top.append(column[best])
    return np.array(n_active), np.stack(top), np.stack(coactivation)


def same(one: tuple, other: tuple) -> bool:
    return all(np.allclose(a, b, atol=1e-6, equal_nan=True) for a, b in zip(one, other, strict=True))


def comparisons(size: Size = MIDDLE) -> Sequence[Comparison]:
    return [
        Comparison(
            f"statistics of {size.n_latents} features on {size.n_tokens} tokens",
            "a loop over features",
            functools.partial(ours, size),
            functools.partial(literal, size),
            same,
        )
    ]


@dataclass(frozen=True)
class RandomTopK:
    """The largest of many random projections, for its cost."""

    rows: torch.Tensor
    k: int = 32

    def encode(self, activation: torch.Tensor) -> torch.Tensor:
        found = (activation @ self.rows.T).topk(self.k, dim=-1)
        return torch.zeros(*activation.shape[:-1], len(self.rows)).scatter_(
            -1, found.indices, found.values.clamp(min=0)
        )

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return latents @ self.rows


@functools.lru_cache(maxsize=1)
def many_features(n_latents: int) -> tuple:
    rows = torch.nn.functional.normalize(torch.randn(n_latents, 128, generator=torch.Generator().manual_seed(0)), dim=1)
    return load_model("organism", device="cpu"), Dictionary(
        "random", "blocks.2.hook_resid_post", RandomTopK(rows), n_latents, rows=rows
    )


def describe_many(n_latents: int, n_tokens: int) -> None:
    model, dictionary = many_features(n_latents)
    config = DescribeConfig(text=TextConfig(seed=1), n_tokens=n_tokens)
    with tempfile.TemporaryDirectory() as folder:
        describe_features(model, dictionary, config, folder=folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in vars(MIDDLE).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value)
    parser.add_argument(
        "--memory", type=int, nargs="*", default=[25_000, 100_000], help="tokens read by 16,384 features"
    )
    asked = vars(parser.parse_args())
    lengths, console = asked.pop("memory"), Console()
    for comparison in comparisons(Size(**asked)):
        timing = measure(comparison, rounds=5)
        console.print(
            f"{comparison.name}: {timing.ours:.2f} s against {timing.reference:.2f} s of {comparison.reference_name}, "
            f"{timing.ratio:.1f}x ({min(timing.ratios):.1f}-{max(timing.ratios):.1f})"
        )
    for n_tokens in lengths if knows_peaks() else []:
        grown = peak_memory(
            functools.partial(many_features, 16_384), functools.partial(describe_many, 16_384, n_tokens)
        )
        console.print(f"16,384 features on {n_tokens} tokens: {grown:.0f} MiB beyond the model and the dictionary")


if __name__ == "__main__":
    main()
