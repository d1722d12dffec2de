"""A small experiment with everything that a run folder must hold."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from interp_lab.bibliography import Source
from interp_lab.claims import Claim
from interp_lab.config import Config
from interp_lab.experiment import Provenance, Section, Tracker
from interp_lab.identity import ModelIdentity, WeightProcessing
from interp_lab.runs import run_experiment

ORIGIN = Provenance(
    experiment="dice",
    model=ModelIdentity("die", WeightProcessing.named("raw"), n_layers=1, d_model=6, d_vocab=6),
    seed=0,
    device="cpu",
    dtype="float32",
    sources=(Source("pacioli1494", "Summa de arithmetica", "Pacioli", 1494, "https://example.org"),),
    versions={"numpy": np.__version__},
    created="2026-01-01T00:00:00+00:00",
)


class Loading(Config):
    heavy: bool = False
    share: float = 1e-5


class DiceConfig(Config):
    n_throws: int = 4
    note: str | None = None
    loading: Loading = Loading()


@dataclass(frozen=True)
class DiceResult:
    config: DiceConfig
    provenance: Provenance
    throws: np.ndarray

    @classmethod
    def from_arrays(cls, config: DiceConfig, provenance: Provenance, arrays: dict[str, np.ndarray]) -> "DiceResult":
        return cls(config, provenance, **arrays)

    def arrays(self) -> dict[str, np.ndarray]:
        return {"throws": self.throws}

    def metrics(self) -> dict[str, float]:
        return {"mean": float(self.throws.mean()), "sixes": int((self.throws == 6).sum()), "undefined": float("nan")}

    def tables(self) -> dict[str, pd.DataFrame]:
        return {"throws": pd.DataFrame({"nth": np.arange(len(self.throws)), "eyes": self.throws, "who": "me"})}

    def figures(self) -> dict[str, Any]:
        return {}

    def sections(self) -> list[Section]:
        return []

    def claims(self) -> list[Claim]:
        return []

    def summary(self) -> str:
        return f"{len(self.throws)} throws"


def throw(config: DiceConfig) -> DiceResult:
    return DiceResult(config, ORIGIN, np.arange(1, config.n_throws + 1) % 6 + 1)


@dataclass(frozen=True)
class Dice:
    config: DiceConfig
    measure: Callable[[Tracker], DiceResult]

    def run(self, tracker: Tracker | None = None, run_dir: Path | None = None, *, resume: bool = False) -> DiceResult:
        return run_experiment(
            "dice", self.config, measure=self.measure, rebuild=DiceResult.from_arrays,
            tracker=tracker, run_dir=run_dir, resume=resume,
        )  # fmt: skip


class ListTracker:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.logged: list[tuple[dict[str, float], int | None]] = []
        self.tables: dict[str, pd.DataFrame] = {}
        self.artefacts: dict[str, tuple[Path, str]] = {}
        self.n_finished = 0

    def log(self, values: Any, *, step: int | None = None) -> None:
        self.logged.append((dict(values), step))

    def log_table(self, name: str, table: pd.DataFrame) -> None:
        self.tables[name] = table

    def log_artefact(self, name: str, folder: Path, *, kind: str) -> None:
        self.artefacts[name] = (folder, kind)

    def finish(self) -> None:
        self.n_finished += 1
