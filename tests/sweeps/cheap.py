"""An experiment that costs what it is told to: it counts how often it was carried out, logs, fails, hangs or dies."""

import os
import signal
import time
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml

from interp_lab.config import Config
from interp_lab.experiment import Progress, Provenance, Tracker
from interp_lab.identity import ModelIdentity, WeightProcessing
from interp_lab.registry import Entry
from interp_lab.runs import RecordedExperiment

ENTRY = Entry("tests.sweeps.cheap:Cheap", "tests.sweeps.cheap:CheapConfig", "tests.sweeps.cheap:CheapResult", "?")
PRELOAD = ("interp_lab.cli.main", "interp_lab.cli.show", "tests.sweeps.registered")
"""What a nursery needs for it."""


class CheapConfig(Config):
    """A parabola in `x`, found at once or after a while."""

    x: float = 0.0
    kind: Literal["good", "nan", "fails", "full", "hangs", "dies once", "crashes once"] = "good"
    depth: int = 1
    rows: tuple[float, ...] = ()
    """Losses that it logs."""
    seconds: float = 0.0
    """Of work, after it has logged; one that died once takes four times as long."""
    count: Path | None = None
    """File that gets a line at the begin and at the end of every execution."""
    fold: Literal["all", "search", "held_out"] = "all"
    seed: int = 0


class CheapResult:
    """One number."""

    def __init__(self, config: CheapConfig, provenance: Any, loss: float) -> None:
        self.config, self.provenance, self.loss = config, provenance, loss

    @classmethod
    def from_arrays(cls, config: CheapConfig, provenance: Any, arrays: dict[str, np.ndarray]) -> "CheapResult":
        return cls(config, provenance, float(arrays["loss"]))

    def metrics(self) -> dict[str, float]:
        return {"loss": self.loss, "x_squared": self.config.x**2, "n": len(self.config.rows)}

    def arrays(self) -> dict[str, np.ndarray]:
        return {"loss": np.array(self.loss)}

    def tables(self) -> dict[str, Any]:
        return {}

    def figures(self) -> dict[str, Any]:
        return {}

    def sections(self) -> list[Any]:
        return []

    def claims(self) -> list[Any]:
        return []

    def summary(self) -> str:
        return f"loss {self.loss}"


class Cheap(RecordedExperiment[CheapConfig, CheapResult]):
    """Carries itself out as its config says."""

    name = "cheap"
    result = CheapResult
    sources = ()

    def carry_out(self, tracker: Tracker, run_dir: Path | None, *, progress: Progress) -> CheapResult:
        c = self.config
        label = run_dir.name if run_dir else ""
        begun_before = count(c.count, label, "begin")
        self._misbehave(c.kind, begun_before)
        loss = float("nan") if c.kind == "nan" else (c.x - 0.3) ** 2 + 0.01 * (c.seed % 7)
        for step, logged in enumerate(c.rows):
            tracker.log({"loss": logged}, step=step)
        time.sleep(c.seconds * (4 if c.kind == "dies once" else 1))
        count(c.count, label, "end")
        identity = ModelIdentity("none", WeightProcessing(), 1, 1, 1)
        return CheapResult(c, Provenance("cheap", identity, seed=c.seed, device="cpu", dtype="float32"), loss)

    def _misbehave(self, kind: str, begun_before: int) -> None:
        if kind == "fails":
            raise ValueError("x is wrong [today]")
        if kind == "full":
            raise OSError(28, os.strerror(28), "weights.safetensors")
        if kind == "hangs":
            time.sleep(600)
        if kind == "dies once" and not begun_before:
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == "crashes once" and not begun_before:
            raise ValueError("not yet")


def count(path: Path | None, label: str, what: str) -> int:
    """Add a line; returns how many like it there were."""
    if path is None:
        return 0
    line = f"{label} {what}"
    before = path.read_text().splitlines().count(line) if path.is_file() else 0
    with path.open("a") as file:
        file.write(line + "\n")
    return before


def executions(path: Path) -> dict[str, tuple[int, int]]:
    """How often each run was begun and carried out to its end, by the name of its folder."""
    lines = path.read_text().splitlines() if path.is_file() else []
    labels = dict.fromkeys(line.partition(" ")[0] for line in lines)
    return {label: (lines.count(f"{label} begin"), lines.count(f"{label} end")) for label in labels}


def write_sweep(folder: Path, *, base: dict[str, Any] | None = None, **changes: Any) -> Path:
    """Write a sweep of `cheap` and its config; returns the file. A change to `None` leaves a key out."""
    config = {"experiment": "cheap", "count": str(folder / "count.txt"), **(base or {})}
    (folder / "cheap.yaml").write_text(yaml.safe_dump(config))
    given = {
        "name": "cheap ones",
        "method": "random",
        "run_cap": 4,
        "metric": {"name": "loss", "goal": "minimize"},
        "parameters": {"x": {"min": -1.0, "max": 1.0}},
        "command": ["interp-lab", "run", str(folder / "cheap.yaml"), "--fold=search", "${args}"],
        **changes,
    }
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in given.items() if value is not None}))
    return path
