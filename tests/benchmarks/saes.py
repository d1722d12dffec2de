"""Training autoencoders against SAE Lens's runners: the same model, the same windows of text, the same settings.

`python -m tests.benchmarks.saes --help` for other sizes. Both sides run the organism as they train, mix the rows of as
many windows, and begin with the text as tokens in memory. SAE Lens logs nothing here, and so computes no metrics; ours
computes and keeps them every `log_every` steps. Run as a module, it also measures the model (L) and one autoencoder
(S), in seconds per token, and says how much of the speed-up that sharing a pass allows, n (L + S) / (L + n S), is had.
"""

import argparse
import contextlib
import functools
import io
import signal
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from datasets import Dataset
from rich.console import Console
from sae_lens import (
    LanguageModelSAERunnerConfig,
    LanguageModelSAETrainingRunner,
    LoggingConfig,
    MultiSAETrainingRunner,
    MultiSAETrainingRunnerConfig,
    TopKTrainingSAEConfig,
    TrainingSAE,
)

from interp_lab.models import load_model
from interp_lab.sae.activations import ActivationsConfig, StreamedActivations, hold_activations, stream_activations
from interp_lab.sae.training import SaeConfig, TrainingConfig, train_saes
from interp_lab.sae.training.architectures import TopKSae
from tests.benchmarks.harness import Comparison, measure, seconds

HOOK = "blocks.2.hook_resid_post"
MIXED = 128
"""Windows whose rows are mixed, on both sides."""


@dataclass(frozen=True)
class Size:
    n_tokens: int = 2**16
    batch_size: int = 2048
    width: int = 1024
    n_saes: int = 6


SMALL = Size(n_tokens=2**11, batch_size=512, width=32, n_saes=2)
MIDDLE = Size(n_tokens=2**14)
"""For `make bench`, which must end while one waits."""


@functools.lru_cache(maxsize=1)
def organism():
    return load_model("organism", device="cpu")


def activations(size: Size) -> ActivationsConfig:
    return ActivationsConfig(hooks=(HOOK,), n_tokens=size.n_tokens, exclude_special=False, dtype="float32")


@functools.lru_cache(maxsize=1)
def stream(size: Size) -> StreamedActivations:
    return stream_activations(organism(), activations(size), mixed=MIXED)


@functools.lru_cache(maxsize=1)
def dataset(size: Size) -> Dataset:
    return Dataset.from_dict({"tokens": stream(size).tokens.tolist()})


@functools.lru_cache(maxsize=1)
def sample(size: Size) -> torch.Tensor:
    return next(stream(size).source(HOOK).batches(size.batch_size, seed=1))


def sparsities(size: Size, n: int) -> list[int]:
    """One point is in the middle of the sweep."""
    return [2 ** (2 + nth % 4) + nth // 4 for nth in range(size.n_saes)] if n > 1 else [16]


def ours(size: Size, n: int) -> list[float]:
    return _trained(size, sparsities(size, n))


def one_by_one(size: Size) -> list[float]:
    """A pass of the model for each point of the sweep."""
    return [found for k in sparsities(size, size.n_saes) for found in _trained(size, [k])]


def _trained(size: Size, ks: Sequence[int]) -> list[float]:
    found = train_saes(stream(size).source(HOOK), training(size, ks))
    return [explained(one.sae, size) for one in found.values()]


def training(size: Size, ks: Sequence[int]) -> TrainingConfig:
    plain = SaeConfig(width=size.width, learning_rate=1e-3, warm_up=0, decay=0, centre=False, dead_after=1000)
    saes = {f"k{k}": plain.model_copy(update={"architecture": TopKSae(k=k)}) for k in ks}
    return TrainingConfig(saes=saes, n_tokens=size.n_tokens, batch_size=size.batch_size, device="cpu")


@torch.no_grad()
def explained(sae: TrainingSAE, size: Size) -> float:
    """R2 on a batch."""
    batch = sample(size)
    return float(1 - (sae(batch) - batch).square().sum() / (batch - batch.mean(0)).square().sum())


def shared_settings(size: Size) -> dict[str, object]:
    return {
        "model_name": "organism", "dataset_path": "in memory", "streaming": False, "context_size": 64,
        "training_tokens": size.n_tokens, "train_batch_size_tokens": size.batch_size, "store_batch_size_prompts": 32,
        "n_batches_in_buffer": MIXED, "lr": 1e-3, "device": "cpu", "checkpoint_path": None, "output_path": None,
        "logger": LoggingConfig(log_to_wandb=False),
    }  # fmt: skip


def topk(size: Size, k: int) -> TopKTrainingSAEConfig:
    return TopKTrainingSAEConfig(d_in=int(organism().cfg.d_model), d_sae=size.width, k=k)


def of_sae_lens(size: Size) -> list[float]:
    config = LanguageModelSAERunnerConfig(
        sae=topk(size, 16), hook_name=HOOK, is_dataset_tokenized=True, verbose=False, **shared_settings(size)
    )
    with quiet():
        runner = LanguageModelSAETrainingRunner(config, override_model=organism(), override_dataset=dataset(size))
        return [explained(runner.run(), size)]


def several_of_sae_lens(size: Size) -> list[float]:
    saes = {f"k{k}": topk(size, k) for k in sparsities(size, size.n_saes)}
    config = MultiSAETrainingRunnerConfig(saes=saes, hook_names=HOOK, **shared_settings(size))
    with quiet():
        runner = MultiSAETrainingRunner(config, override_model=organism(), override_dataset=dataset(size))
        return [explained(sae, size) for sae in runner.run().values()]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without progress bars, and with the signal handlers put back that SAE Lens leaves behind."""
    handlers = {which: signal.getsignal(which) for which in (signal.SIGINT, signal.SIGTERM)}
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        for which, handler in handlers.items():
            signal.signal(which, handler)


def alike(one: list[float], other: list[float]) -> bool:
    """Orders and initial weights are drawn differently, so that R2 is about the same only."""
    return all(abs(a - b) < 0.1 for a, b in zip(one, other, strict=True))


def comparisons(size: Size = MIDDLE) -> list[Comparison]:
    n = size.n_saes
    rows: list[tuple[str, str, Callable[[], object], Callable[[], object]]] = [
        ("one SAE while the model reads", "SAE Lens's runner", functools.partial(ours, size, 1),
         functools.partial(of_sae_lens, size)),
        (f"{n} SAEs on one pass", "SAE Lens's multi-SAE runner", functools.partial(ours, size, n),
         functools.partial(several_of_sae_lens, size)),
        (f"{n} SAEs on one pass", f"{n} passes", functools.partial(ours, size, n), functools.partial(one_by_one, size)),
    ]  # fmt: skip
    return [Comparison(*row, same=alike) for row in rows]


def read_only(size: Size) -> None:
    """The model and the reading of it, without training: L for every token."""
    batches = stream(size).source(HOOK).batches(size.batch_size, seed=0)
    for _ in range(size.n_tokens // size.batch_size):
        next(batches)


def train_only(size: Size) -> None:
    """One autoencoder on activations in memory: S for every token."""
    train_saes(held(size).source(HOOK), training(size, [16]))


@functools.lru_cache(maxsize=1)
def held(size: Size):
    return hold_activations(organism(), activations(size))


def allowed(size: Size, *, rounds: int) -> float:
    """Speed-up that sharing a pass allows, from L and S as measured here (medians)."""
    train_only(size)
    pairs = [(seconds(lambda: read_only(size)), seconds(lambda: train_only(size))) for _ in range(rounds)]
    model, step = (statistics.median(times) for times in zip(*pairs, strict=True))
    n = size.n_saes
    Console().print(f"L {1e6 * model / size.n_tokens:.1f} and S {1e6 * step / size.n_tokens:.1f} µs per token")
    return n * (model + step) / (model + n * step)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in vars(Size()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value)
    parser.add_argument("--rounds", type=int, default=5)
    settings = vars(parser.parse_args())
    rounds, size = settings.pop("rounds"), Size(**settings)
    for comparison in comparisons(size):
        timing = measure(comparison, rounds=rounds)
        Console().print(
            f"{comparison.name}: {1000 * timing.ours:.0f} ms against {1000 * timing.reference:.0f} ms of "
            f"{comparison.reference_name}, {timing.ratio:.2f}x ({min(timing.ratios):.2f}-{max(timing.ratios):.2f})"
        )
    bound = allowed(size, rounds=rounds)
    Console().print(f"sharing the pass allows {bound:.2f}x; {timing.ratio / bound:.0%} of it is had")


if __name__ == "__main__":
    main()
