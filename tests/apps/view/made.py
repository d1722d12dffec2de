"""Runs of a made-up experiment: every number chosen, kept and read as any run is."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from interp_lab.claims import Claim, Evidence, Split
from interp_lab.config import ModelConfig
from interp_lab.experiment import Provenance, Section
from interp_lab.hypotheses import Component
from interp_lab.identity import ModelIdentity, WeightProcessing
from interp_lab.registry import Entry
from interp_lab.runs import save_result
from interp_lab.types import Interval

HERE = "tests.apps.view.made"
ENTRY = Entry(f"{HERE}:None", f"{HERE}:MadeConfig", f"{HERE}:MadeResult", "What was made up?")
HOSTILE = "<img src=x onerror=alert(1)>"
FIGURE = Markup("<p>drawn for {}</p>")


class MadeConfig(ModelConfig):
    task: str = "grammar/loans"
    metric: str = "logit difference"
    layers: tuple[int, ...] = (0, 1)
    n: int = 8
    seed: int = 0


@dataclass(frozen=True)
class MadeResult:
    """Claims of heads from an array: estimate, low and high of the effect; a replicated, a causal and a weak one."""

    config: MadeConfig
    provenance: Provenance
    effects: np.ndarray

    @classmethod
    def from_arrays(cls, config: MadeConfig, origin: Provenance, arrays: dict[str, np.ndarray]) -> "MadeResult":
        return cls(config, origin, **arrays)

    def arrays(self) -> dict[str, np.ndarray]:
        return {"effects": self.effects}

    def metrics(self) -> dict[str, float]:
        return {"strongest": float(self.effects[:, 0].max()), "n": float(self.config.n), "unmeasured": float("nan")}

    def tables(self) -> dict[str, pd.DataFrame]:
        return {"effects": pd.DataFrame(self.effects, columns=["effect", "effect_low", "effect_high"])}

    def figures(self) -> dict[str, Any]:
        return {f"effects in {self.config.model}": FIGURE.format(self.config.model), "own" * self.config.n: FIGURE}

    def sections(self) -> list[Section]:
        return [Section("Made up", True, "a lot", "anything", self.figures(), self.tables())]

    def claims(self) -> list[Claim]:
        return [
            Claim(f"0.{head} of {self.config.model} matters", "seen", *self._measured(row, head))
            for head, row in enumerate(self.effects)
        ]

    def _measured(self, row: np.ndarray, head: int) -> tuple[Evidence, Evidence]:
        interval = Interval(*map(float, row))
        both = [
            Evidence(f"ablation of 0.{head}: loss", "nats", interval, interval, 0.001, "others", split, 32, margin=0.1)
            for split in (Split.REPORT, Split.HELD_OUT if head == 0 else Split.REPORT)
        ]
        return both[0], both[1]

    def components(self) -> list[Component]:
        return [
            Component(f"0.{head}", "ablation", True, Interval(*map(float, row)), "nats", claim.grade, head == 0)
            for head, (row, claim) in enumerate(zip(self.effects, self.claims(), strict=True))
        ]

    def summary(self) -> str:
        return f"{len(self.effects)} heads of {self.config.model}"


BASE = ((2.0, 1.5, 2.5), (1.0, 0.8, 1.2), (0.1, -0.2, 0.4))
"""Replicated, causal, descriptive."""


def made(
    effects: Any = BASE, *, versions: dict[str, str] | None = None, n_layers: int = 1, **config: Any
) -> MadeResult:
    given = MadeConfig(**config)
    identity = ModelIdentity(given.model, given.processing or WeightProcessing(), n_layers, d_model=2, d_vocab=3)
    origin = Provenance(
        "made", identity, seed=given.seed, device="cpu", dtype=given.dtype, versions=versions or {"torch": "2.0"}
    )
    return MadeResult(given, origin, np.array(effects, dtype=np.float64))


def keep(folder: Path, effects: Any = BASE, **config: Any) -> Path:
    save_result(made(effects, **config), folder)
    return folder


def change_record(run: Path, **values: object) -> None:
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(record | values))
