"""A small experiment whose effects are told beforehand: each fold has its own, and the sign is in the sentence."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from interp_lab.claims import Claim, Evidence, Grade, Split
from interp_lab.config import Config, ModelConfig, RunRef
from interp_lab.experiment import Provenance, provenance
from interp_lab.hypotheses import Component, Confirmation
from interp_lab.identity import ModelIdentity, WeightProcessing
from interp_lab.registry import EXPERIMENTS, Entry
from interp_lab.runs.recorded import RecordedExperiment
from interp_lab.types import Interval

NAME = "coins"
RUNS: list[tuple[str, str, str]] = []
"""Model, fold and choice of every run that was made, not read."""


class Deeper(Config):
    n_held_out: int | None = 8


class CoinsConfig(ModelConfig):
    task: str = "compiled/linear"
    n_pairs: int = 24
    n_held_out: int | None = 12
    deeper: Deeper = Deeper()
    seed: int = 0
    fdr: float = 0.05
    search: dict[str, float] = {}  # noqa: RUF012 - pydantic copies defaults
    """Effect of each coin on the fold `search`."""
    held_out: dict[str, float] = {}  # noqa: RUF012 - as above
    p: dict[str, float] = {}  # noqa: RUF012 - as above
    """Of the held-out effects; 0.001 where nothing is said."""
    p_again: dict[str, float] = {}  # noqa: RUF012 - as above
    """Of replications on held-out templates."""
    chosen: tuple[str, ...] | None = None
    uses: RunRef | None = None
    lacks: str | None = None
    """Why there is nothing to explain."""
    breaks_on: str | None = None
    """A file that must not be there."""
    not_for: str | None = None
    """A model that it refuses."""


@dataclass(frozen=True)
class CoinsResult:
    config: CoinsConfig
    provenance: Provenance
    drawn: np.ndarray

    @property
    def not_asked(self) -> str | None:
        return self.config.lacks

    @property
    def effects(self) -> dict[str, float]:
        return self.config.search if self.config.fold == "search" else self.config.held_out

    def claims(self) -> list[Claim]:
        c = self.config
        made = []
        for name in c.chosen or self.effects:
            value = self.effects.get(name)
            if value is None:
                continue
            way = "raises" if value > 0 else "lowers"
            p = 0.001 if c.fold == "search" else c.p.get(name, 0.001)
            again = None
            if c.n_held_out is not None:
                again = evidence(value, c.p_again.get(name, 0.001), Split.HELD_OUT)
            claim = Claim(f"Coin {name} {way} the answer in {c.model}", "seen", evidence(value, p, Split.REPORT), again)
            made.append(claim)
        return made

    def confirmation(self) -> Confirmation | None:
        holding = [one for one in self.claims() if one.grade >= Grade.CAUSAL]
        holding.sort(key=lambda one: -abs(one.effect.effect.estimate))
        if not holding:
            return None
        names = {one.statement: one.statement.split()[1] for one in holding}
        return Confirmation(
            config={"chosen": list(names.values()), "uses": {"run": "@own", "artefact": "drawn"}},
            statements=tuple(names),
            components=names,
            refuted_if={holding[0].statement: "Or if the coin melts."},
            uncertain={holding[0].statement: "Whether other coins would do."},
        )

    def components(self) -> list[Component]:
        tossed = [name for name in self.config.chosen or self.effects if name in self.effects]
        return [
            Component(
                name, NAME, True, evidence(self.effects[name], 1.0, Split.REPORT).effect, "logits", None, selected=True
            )
            for name in tossed
        ]

    def metrics(self) -> dict[str, float]:
        return {"n": float(len(self.effects))}

    def tables(self) -> dict[str, Any]:
        return {}

    def arrays(self) -> dict[str, np.ndarray]:
        return {"drawn": self.drawn}

    def figures(self) -> dict[str, Any]:
        return {}

    def sections(self) -> list[Any]:
        return []

    def summary(self) -> str:
        return "coins"

    @classmethod
    def from_arrays(cls, config, given, arrays):
        return cls(config, given, arrays["drawn"])


def evidence(value: float, p: float, split: Split) -> Evidence:
    interval = Interval(value, value - 0.1, value + 0.1)
    return Evidence("toss", "logits", interval, interval, p, "another coin", split, 24, margin=0.05)


class Coins(RecordedExperiment[CoinsConfig, CoinsResult]):
    name = NAME
    result = CoinsResult
    sources: Sequence[Any] = ()

    def carry_out(self, tracker, run_dir, *, progress):
        from pathlib import Path

        c = self.config
        if c.not_for == c.model:
            raise ValueError(f"what it uses does not belong to {c.model}")
        if c.breaks_on is not None and Path(c.breaks_on).exists():
            raise ValueError("the coin fell off the table")
        if c.uses is not None:
            assert (c.uses.run / "run.json").is_file(), "an earlier step's run is there"
        RUNS.append((c.model, c.fold, ",".join(c.chosen or ())))
        progress(1, 1, "tossing")
        identity = ModelIdentity(c.model, WeightProcessing(), 1, 4, 8)
        return CoinsResult(c, _provenance(identity), np.random.default_rng(c.seed).random(4))


@functools.cache
def _provenance(identity: ModelIdentity) -> Provenance:
    return provenance(NAME, identity, seed=0, device="cpu", dtype="float32")


def register(monkeypatch) -> None:
    here = "tests.investigation.coins"
    told = Entry(f"{here}:Coins", f"{here}:CoinsConfig", f"{here}:CoinsResult", "Which coins are loaded?")
    monkeypatch.setitem(EXPERIMENTS, NAME, told)
    RUNS.clear()


def coins(name: str = "toss", **config: Any) -> dict[str, Any]:
    """Return a step."""
    gate, tested = config.pop("gate", False), config.pop("tested", True)
    return {"name": name, "experiment": NAME, "config": config, "gate": gate, "tested": tested}


def asked(*steps: Any, **values: Any) -> dict[str, Any]:
    """Return the values of an investigation."""
    first = {"investigation": "coins", "question": "Which coins are loaded?", "model": "compiled/linear"}
    return {**first, "task": "compiled/linear", "steps": list(steps), **values}
