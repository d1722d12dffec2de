"""Extraction of activations on this machine, token by token, and from that what a large one would cost.

`OMP_NUM_THREADS=1 python -m tests.benchmarks.scaling` measures, then prints the estimate; `--estimate` prints it from
the rates that were measured when `docs/scaling.md` was written. One thread everywhere; medians of interleaved rounds.
"""

import argparse
import functools
import json
import os
import statistics
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch.utils.flop_counter import FlopCounterMode
from transformer_lens import HookedTransformer, HookedTransformerConfig

from interp_lab.cli.mapping import PRELOAD
from interp_lab.models import declare_identity, load_model
from interp_lab.registry import load_experiment
from interp_lab.runs.parts import make_parts
from interp_lab.sae.activations import ActivationsConfig, TextConfig, write_store
from interp_lab.sae.activations.reading import Labels, pieces
from interp_lab.sae.extraction import Extraction, ExtractionConfig, ExtractionResult
from interp_lab.sharding import map_parts
from interp_lab.tasks import grammar_documents
from interp_lab.types import HookedModel
from tests.benchmarks.estimate import Rates, estimate
from tests.benchmarks.harness import peak_memory, seconds
from tests.benchmarks.sweeps import Row, alone, places, table, warm

MEASURED = Rates(text=336_000, write=178e6, join=248e6, memory=50)
"""As in `docs/scaling.md`."""
WIDTH, N_WIDE, N_ROWS = 4096, 25_000, 5_000_000
"""Of a 7B model's activations; tokens enough for four parts of 64 MiB; and for a store to weigh on memory."""


GPT2_SMALL = {"n_layers": 12, "d_model": 768, "n_heads": 12, "d_head": 64, "d_mlp": 3072, "act_fn": "gelu_new"}
WIDE = {"n_layers": 1, "d_model": WIDTH, "n_heads": 1, "d_head": 1, "attn_only": True}
"""Activations as wide as a large model's at next to no cost, for what happens to them afterwards."""


def random_model(name: str, **shape: Any) -> HookedModel:
    """Random weights, and the organism's tokenizer."""
    organism: Any = load_model("organism", "cpu")
    settings: dict[str, Any] = {
        "n_ctx": 1024,
        "d_vocab": 50257,
        "normalization_type": "LNPre",
        "init_weights": False,
        "device": "cpu",
    }
    model = HookedTransformer(HookedTransformerConfig(**settings, **shape), tokenizer=organism.tokenizer)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.02 if weight.ndim > 1 else 0.0, generator=generator)
    declare_identity(model.eval(), name=name, processing="raw")
    return model


def counted(model: HookedModel, config: ActivationsConfig) -> float:
    """Multiply-adds for a token, in the first batch of windows."""
    piece = next(pieces(model, config))
    with FlopCounterMode(display=False) as counter:
        piece.activations(model, config)
    return counter.get_total_flops() / 2 / piece.tokens.numel()


def extraction(name: str, model: HookedModel, config: ActivationsConfig, *, rounds: int) -> list[Row]:
    """Text and model, each alone, and the store that they make."""
    n, held = config.n_tokens or 0, list(pieces(model, config))
    n_read, cost = sum(piece.tokens.numel() for piece in held), counted(model, config)
    with places() as place:
        ways: dict[str, Callable[[Path], object]] = {
            "text": lambda to: list(pieces(model, config)),
            "model": lambda to: [piece.activations(model, config) for piece in held],
            "store": lambda to: write_store(model, config, folder=to),
        }
        found = in_turn(ways, place, rounds=rounds)
        size = sum(path.stat().st_size for path in (place / "store0").glob("*.safetensors")) / n
    rates = {what: [n / took for took in times] for what, times in found.items()}
    return [
        Row(f"{name}: multiply-adds", [cost / 1e6], "M a token", f"counted, windows of {held[0].tokens.shape[1]}"),
        Row(f"{name}: model alone", rates["model"], "tokens/s"),
        Row(f"{name}: model alone", [2 * cost * n_read / t / 1e9 for t in found["model"]], "GFLOP/s a core"),
        Row(f"{name}: text alone", rates["text"], "tokens/s"),
        Row(f"{name}: the whole store", rates["store"], "tokens/s"),
        Row(f"{name}: the whole store", [size * rate / 1e6 for rate in rates["store"]], "MB/s"),
        Row(f"{name}: on disk", [size], "bytes a token", "one hook point, fp16"),
    ]


def in_turn(ways: Mapping[str, Callable[[Path], object]], place: Path, *, rounds: int) -> dict[str, list[float]]:
    """Seconds of each, after a round that warms up; each is given a path of its own."""
    found: dict[str, list[float]] = {what: [] for what in ways}
    for nth in range(rounds + 1):
        for what, way in ways.items():
            found[what].append(seconds(functools.partial(way, place / f"{what}{nth}")))
    return {what: times[1:] for what, times in found.items()}


def mapped(config: Path, *, n_tokens: int, rounds: int, per_job: int) -> list[Row]:
    """One process, and a map by one worker and by two, whose stores are the same files."""
    argv = [str(config), f"--activations.n_tokens={n_tokens}"]
    experiment = load_experiment(config, {"activations.n_tokens": n_tokens})
    modules = (*PRELOAD, "interp_lab.sae.extraction.experiment")
    with ExitStack() as stack:
        place = stack.enter_context(places())
        one, two = (stack.enter_context(warm(n, preload=modules)) for n in (1, 2))
        ways: dict[str, Callable[[Path], object]] = {
            "one process": lambda to: experiment.run(run_dir=to / "run"),
            "1 worker": lambda to: map_parts(argv, to, one, per_job=per_job),
            "2 workers": lambda to: map_parts(argv, to, two, per_job=per_job),
        }
        found = in_turn(ways, place, rounds=rounds)
        stores = [files(place / f"{what}0/run/activations") for what in ways]
        assert stores[0] == stores[1] == stores[2], "the stores differ; the times mean nothing"
        assert len(stores[0]) > per_job + 1, "one job is no map"
    ratio = lambda one, two: [50 * a / b for a, b in zip(found[one], found[two], strict=True)]  # noqa: E731
    return [
        *(Row(f"map of {n_tokens:,} tokens, {len(stores[0]) - 1} parts: {what}", found[what]) for what in ways),
        Row("efficiency of 2 workers against 1", ratio("1 worker", "2 workers"), "%"),
        Row("efficiency of 2 workers against one process", ratio("one process", "2 workers"), "%"),
    ]


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def wide_rows(text: TextConfig, *, rounds: int) -> tuple[list[Row], Rates]:
    """What the estimate needs: reading in long windows, parts of 64 MiB, and the step that no second worker shares."""
    model = random_model("random and wide", **WIDE)
    asked = ActivationsConfig(hooks=("blocks.0.hook_resid_post",), n_tokens=N_WIDE, text=text, windows_at_once=4)
    experiment = Extraction(ExtractionConfig(model="random and wide", activations=asked))
    with places() as place:
        work = experiment.divided(model)
        parts = experiment.parts(work, model, place / "parts")
        make_parts(work, parts, range(work.n_parts))
        part, n_bytes = parts.read(0), sum(parts.fingerprint(number).n_bytes for number in range(parts.n))

        def join(to: Path) -> None:
            ExtractionResult.of(experiment.config, experiment.provenance(model), work.joined(parts, to))

        ways: dict[str, Callable[[Path], object]] = {
            "text": lambda to: list(pieces(model, asked)),
            "write": lambda to: replace(parts, folder=to).write(0, part),
            "join": join,
        }
        found = in_turn(ways, place, rounds=rounds)
        n_part = parts.fingerprint(0).n_bytes
    units = {"text": (N_WIDE, "tokens/s"), "write": (n_part / 1e6, "MB/s"), "join": (n_bytes / 1e6, "MB/s")}
    told = {
        "text": "text alone, windows of 1,024",
        "write": f"writing a part of {n_part / 2**20:.0f} MiB",
        "join": f"joining {parts.n} parts, {n_bytes / 1e6:.0f} MB",
    }
    notes = {"text": "", "write": "with checksum and fsync", "join": "checked, linked, read once; from memory"}
    rows = [Row(told[key], [n / t for t in found[key]], unit, notes[key]) for key, (n, unit) in units.items()]
    text_rate, write, joined = (statistics.median(row.values) for row in rows)
    memory = 2**20 * peak_memory(str, functools.partial(summed_up, N_ROWS)) / N_ROWS
    rows.append(Row("memory of the join", [memory], "bytes a token", f"peak, {N_ROWS:,} tokens"))
    return rows, Rates(text=text_rate, write=1e6 * write, join=1e6 * joined, memory=memory)


@dataclass(frozen=True)
class Narrow:
    """A store of many rows that are read without a disk, for the memory that rows cost whoever sums them up."""

    n_rows: int
    hooks: tuple[str, ...] = ("blocks.0.hook_resid_post",)

    def in_order(self, hook: str, n: int) -> Iterator[tuple[Labels, torch.Tensor]]:
        for first in range(0, self.n_rows, n):
            column = torch.arange(first, min(first + n, self.n_rows), dtype=torch.int32) // 50
            yield Labels(column, column, column, column), torch.ones(len(column), 1)


def summed_up(n: int) -> None:
    store: Any = Narrow(n)
    unused: Any = None
    ExtractionResult.of(unused, unused, store)


def write_text(folder: Path, *, n_documents: int) -> Path:
    """Documents of the grammar as a file, which is read faster than they are drawn."""
    path = folder / "grammar.jsonl"
    documents = grammar_documents(n_documents, seed=0, reserved=None)
    path.write_text("".join(json.dumps({"text": one.text}) + "\n" for one in documents))
    return path


def measured(*, rounds: int, n_tokens: int, n_large: int, n_mapped: int, per_job: int) -> tuple[list[Row], Rates]:
    with places() as place:
        text = TextConfig(source=str(write_text(place, n_documents=max(n_tokens, n_mapped, N_WIDE) // 10)))
        small, large = load_model("organism", "cpu"), random_model("random, GPT-2 small's shape", **GPT2_SMALL)
        drawn = ActivationsConfig(n_tokens=n_tokens, hooks=("blocks.1.hook_resid_post",))
        read = drawn.model_copy(update={"text": text})
        windows = text.model_copy(update={"length": 128})
        big = ActivationsConfig(hooks=("blocks.5.hook_resid_post",), n_tokens=n_large, windows_at_once=8, text=windows)
        config, shards = place / "map.yaml", {**read.as_dict(), "shard_bytes": 2**20}
        config.write_text(json.dumps({"experiment": "activations", "model": "organism", "activations": shards}))
        wide, rates = wide_rows(text, rounds=rounds)
        return [
            *extraction("organism, drawn text", small, drawn, rounds=rounds),
            *extraction("organism", small, read, rounds=rounds),
            *extraction("GPT-2-small shape", large, big, rounds=rounds),
            *wide,
            *mapped(config, n_tokens=n_mapped, rounds=rounds, per_job=per_job),
        ], rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in {"rounds": 5, "n-tokens": 50_000, "n-large": 2048, "n-mapped": 200_000, "per-job": 14}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--billions", type=float, default=1.0, help="tokens of the estimate")
    parser.add_argument("--estimate", action="store_true", help="measure nothing")
    given: dict[str, Any] = vars(parser.parse_args())
    console, rates = Console(width=140), MEASURED
    if not given["estimate"]:
        alone(parser)
        rows, rates = measured(
            **{name: given[name] for name in ("rounds", "n_tokens", "n_large", "n_mapped", "per_job")}
        )
        console.print(table(rows, title=f"Extraction, one thread of {os.cpu_count()} cores"))
    console.print(estimate(rates, n_tokens=round(1e9 * given["billions"])))


if __name__ == "__main__":
    main()
