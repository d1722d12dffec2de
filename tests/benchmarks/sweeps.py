"""What sweeps cost: efficiency on two workers, overhead per trial, and how fast they recover.

`OMP_NUM_THREADS=1 python -m tests.benchmarks.sweeps --help` for other sizes. Not part of `make bench`: what is compared
needs workers that stay open, and the recovery from a full disk needs one of its own (a tmpfs, for which it must be
root). Everything is timed turn by turn, on the same trials, whose metrics are compared to the last bit.
"""

import argparse
import functools
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
import yaml
from rich.console import Console
from rich.table import Table

from interp_lab.jobs import Executor, Job, executor
from interp_lab.registry import load_experiment
from interp_lab.sweeps import driver
from interp_lab.sweeps.definition import Definition, read_definition
from interp_lab.sweeps.grid import grid_points
from interp_lab.sweeps.settings import SweepSettings
from interp_lab.sweeps.trial import final_metrics
from tests.benchmarks.harness import seconds
from tests.sweeps.cheap import write_sweep

ROOT = Path(__file__).parents[2]
INTERP_LAB = Path(sys.executable).with_name("interp-lab")
PRELOAD = (*driver._PRELOAD, "interp_lab.patching.experiment", "tests.sweeps.registered")
"""What the nursery of a patching sweep imports, and the experiment that does nothing."""
N_TRIALS, HALVES = 16, (slice(0, 8), slice(8, 16))


@dataclass(frozen=True)
class Row:
    """One quantity, measured several times."""

    what: str
    values: Sequence[float]
    unit: str = "s"
    note: str = ""


def write_patching(folder: Path, *, n_pairs: int) -> Definition:
    """A grid of 16 patching experiments on a compiled model, as files."""
    config = {"experiment": "patching", "model": "compiled/induction", "task": "compiled/induction", "n_held_out": None}
    (folder / "patch.yaml").write_text(yaml.safe_dump({**config, "n_pairs": n_pairs}))
    metrics = ["logit_difference", "log_probability", "probability_difference", "kl_divergence"]
    given = {
        "name": "sixteen", "method": "grid", "metric": {"name": "total_effect", "goal": "maximize"},
        "parameters": {"metric": {"values": metrics}, "n_top": {"values": [1, 2, 3, 4]}},
        "command": ["interp-lab", "run", str(folder / "patch.yaml"), "--fold=search", "${args}"],
    }  # fmt: skip
    (folder / "sweep.yaml").write_text(yaml.safe_dump(given))
    return read_definition(folder / "sweep.yaml")


def serial(file: Path, folder: Path, part: slice = slice(None)) -> None:
    """The trials one after the other, in this process."""
    definition = read_definition(file)
    for number, values in list(enumerate(grid_points(definition)))[part]:
        experiment = load_experiment(definition.base.config_path, {**values, "fold": "search"})
        experiment.run(None, folder / f"{number:04d}", resume=True)


def swept(file: Path, folder: Path, workers: Executor, *, n: int | None = None) -> None:
    """The same, or the first `n`, by workers that are there already."""
    settings = SweepSettings(workers=workers.n_workers, threads=1, held_out=False, n_trials=n)
    with patch.object(driver, "workers_for", lambda place: nullcontext(workers)):
        driver.run_sweep(read_definition(file), settings, folder)


def command(file: Path, folder: Path, *options: str) -> list[str]:
    settings = ("--workers", "2", "--threads", "1", "--no-held-out", *options)
    return [str(INTERP_LAB), "sweep", str(file), "--out", str(folder), *settings]


def cold(file: Path, folder: Path, *, n: int) -> None:
    """Some of the trials, each by a process from nothing."""
    definition = read_definition(file)
    for number in range(0, N_TRIALS, N_TRIALS // n)[:n]:
        argv = definition.argv(grid_points(definition)[number], out=folder / f"{number:04d}")
        silently([str(INTERP_LAB), *argv[1:]])


def silently(argv: Sequence[str]) -> None:
    subprocess.run(argv, check=True, capture_output=True)


@contextmanager
def warm(n_workers: int, *, preload: Sequence[str] = PRELOAD) -> Generator[Executor]:
    """Workers whose nursery has imported everything."""
    with executor("local", workers=n_workers, threads=1, preload=preload) as workers, places() as place:
        workers.submit(Job("warm", ("true",), place / "log")).result()
        yield workers


@contextmanager
def places() -> Generator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def efficiency(*, rounds: int, n_pairs: int, n_cold: int) -> list[Row]:
    """Sixteen trials in five ways, in turn."""
    found: dict[str, list[float]] = {name: [] for name in ("serial", "cpu", "halves", "swept", "command", "cold")}
    with places() as place, warm(2) as workers, multiprocessing.get_context("spawn").Pool(2) as pool:
        write_patching(place, n_pairs=n_pairs)
        file = place / "sweep.yaml"
        ways: dict[str, Callable[[Path], object]] = {
            "serial": functools.partial(serial, file),
            "halves": lambda to: pool.starmap(serial, [(file, to, half) for half in HALVES], chunksize=1),
            "swept": lambda to: swept(file, to, workers),
            "command": lambda to: silently(command(file, to)),
            "cold": functools.partial(cold, file, n=n_cold),
        }
        serial(file, place / "warm", slice(2))
        pool.starmap(serial, [(file, place / "warm", slice(nth, nth + 1)) for nth in (2, 3)], chunksize=1)
        swept(file, place / "swept", workers, n=2)
        for nth in range(rounds):
            for name, way in ways.items():
                before = os.times()
                took = seconds(functools.partial(way, place / f"{name}{nth}"))
                after = os.times()
                if name == "serial":
                    found["cpu"].append((after.user - before.user + after.system - before.system) / N_TRIALS)
                require_same(place / f"serial{nth}", place / f"{name}{nth}")
                found[name].append(took * (N_TRIALS / n_cold if name == "cold" else 1))
    return _efficiency_rows(found, n_cold)


def _efficiency_rows(found: dict[str, list[float]], n_cold: int) -> list[Row]:
    share = lambda one, two: [100 * a / b / 2 for a, b in zip(found[one], found[two], strict=True)]  # noqa: E731
    return [
        Row("CPU of a trial, in a warm process", found["cpu"]),
        Row("16 trials one after the other, one warm process", found["serial"]),
        Row("8 and 8, two warm processes without a sweep", found["halves"]),
        Row("sweep, 2 workers, nursery warm", found["swept"]),
        Row("16 x `interp-lab run`", found["cold"], note=f"{n_cold} timed a round, of 16"),
        Row("`interp-lab sweep --workers 2`, the whole command", found["command"]),
        Row("efficiency of two warm processes: what two cores give", share("serial", "halves"), "%"),
        Row("efficiency of the sweep, nursery warm", share("serial", "swept"), "%"),
        Row("the sweep's speed, of that of two warm processes", [2 * one for one in share("halves", "swept")], "%"),
        Row("efficiency of the command against the serial loop, warm", share("serial", "command"), "%"),
        Row("efficiency of the command against 16 runs", share("cold", "command"), "%", "above 100: imports once"),
    ]


def require_same(reference: Path, other: Path) -> None:
    trials = other / "trials" if (other / "trials").is_dir() else other
    runs = {run.name: final_metrics(run) for run in trials.iterdir() if run.is_dir()}
    if not runs or any(one is None or one != final_metrics(reference / name) for name, one in runs.items()):
        raise AssertionError(f"{other} does not hold the trials of the serial loop; the times mean nothing")


def overhead(*, rounds: int, few: int, many: int) -> list[Row]:
    """Cost of a trial that does nothing, from sweeps of few and of many: what they have in common cancels out."""
    rows = []
    with warm(1) as one, warm(2) as two, places() as place:
        import tests.sweeps.registered  # noqa: F401 - the experiment that does nothing

        ways: dict[str, Callable[[Path, int], object]] = {
            "a run into a folder, in a loop": runs_in_a_loop,
            "a trial, 1 worker": functools.partial(empty_sweep, one),
            "a trial, 2 workers": functools.partial(empty_sweep, two),
            "a trial, 1 worker, bayes": functools.partial(empty_sweep, one, method="bayes"),
        }
        for what, way in ways.items():
            way(place / f"{what} warm", 2)
            took = [[seconds(functools.partial(way, place / f"{what} {nth} {n}", n)) for n in (few, many)]
                    for nth in range(rounds)]  # fmt: skip
            slopes = [1000 * (b - a) / (many - few) for a, b in took]
            rows.append(Row(f"overhead: {what}", slopes, "ms"))
    return rows


def empty_sweep(workers: Executor, folder: Path, n: int, *, method: str = "random") -> None:
    folder.mkdir()
    swept(write_sweep(folder, run_cap=n, method=method, base={"count": None}), folder / "out", workers)


def runs_in_a_loop(folder: Path, n: int) -> None:
    folder.mkdir()
    write_sweep(folder, base={"count": None})
    for number in range(n):
        load_experiment(folder / "cheap.yaml", {"x": number / n}).run(None, folder / f"{number}", resume=True)


def table(rows: Sequence[Row], *, title: str) -> Table:
    made = Table("what", "median", "from-to", "n", "note", title=title)
    for row in rows:
        values = sorted(row.values)
        form = "{:,.0f}" if values[0] >= 100 else "{:.1f}" if values[0] >= 10 else "{:.2f}"
        middle, low, high = (form.format(one) for one in (statistics.median(values), values[0], values[-1]))
        made.add_row(row.what, f"{middle} {row.unit}", f"{low}-{high}", f"{len(values)}", row.note)
    return made


def alone(parser: argparse.ArgumentParser) -> None:
    """One thread here and in whatever is started; the network is left alone, and the tests are found."""
    if os.environ.get("OMP_NUM_THREADS") != "1":
        parser.error("a thread for each: set OMP_NUM_THREADS=1")
    os.environ |= {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    torch.set_num_threads(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in {"rounds": 5, "n-pairs": 96, "n-cold": 3, "few": 4, "many": 24, "disk-rounds": 5}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--only", choices=("efficiency", "overhead", "recovery"))
    given: dict[str, Any] = vars(parser.parse_args())
    alone(parser)
    console, only, rounds = Console(width=140), given["only"], given["rounds"]
    if only in (None, "efficiency"):
        rows = efficiency(rounds=rounds, n_pairs=given["n_pairs"], n_cold=given["n_cold"])
        console.print(table(rows, title="16 trials"))
    if only in (None, "overhead"):
        console.print(table(overhead(rounds=rounds, few=given["few"], many=given["many"]), title="Overhead"))
    if only in (None, "recovery"):
        from tests.benchmarks.recovery import recovery

        console.print(table(recovery(rounds=rounds, disk_rounds=given["disk_rounds"]), title="Recovery"))


if __name__ == "__main__":
    main()
