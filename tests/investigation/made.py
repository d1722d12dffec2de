"""Investigations made by hand: any hypotheses, any outcome, any text, and no model."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from interp_lab.claims import Claim, Evidence, Grade
from interp_lab.experiment import Section
from interp_lab.hypotheses import Component, Hypothesis
from interp_lab.investigation.config import InvestigationConfig
from interp_lab.investigation.found import Decided, Investigated, StepRun
from interp_lab.plots import head_map
from interp_lab.types import Interval
from tests.reports.results import Made, evidence, held_out

HASH = "ab" * 32
MAP = np.array([[0.1, 0.9], [0.5, 0.3]])


@dataclass(frozen=True)
class MadeStep(Made):
    """A result that speaks of components, or could not ask, or measured some numbers."""

    said: tuple[Component, ...] = ()
    not_asked: str | None = None
    numbers: dict[str, float] = field(default_factory=dict)

    def components(self) -> list[Component]:
        return list(self.said)

    def metrics(self) -> dict[str, float]:
        return dict(self.numbers)


def config(**changes: Any) -> InvestigationConfig:
    values = {"investigation": "loans", "question": "Who is refused?", "model": "organism", "task": "grammar/loans",
              "steps": ({"name": "patch", "experiment": "patching"}, "hypotheses", "confirm")}  # fmt: skip
    return InvestigationConfig.from_mapping({**values, **changes})


def hypothesis(nth: int = 1, component: str = "0.1", **changes: Any) -> Hypothesis:
    values = {
        "id": f"H{nth}", "statement": f"{component} carries it", "component": component, "step": "patch",
        "experiment": "patching", "config": {"n_pairs": 4}, "observed": Interval(2.5, 2.0, 3.0), "unit": "nats",
        "margin": 0.5, "n_examples": 20, "refuted_if": "its effect is not beyond 0.5 nats", "uncertain": "redundancy",
    }  # fmt: skip
    return Hypothesis(**{**values, **changes})


REPLICATED = (evidence(), held_out())
CAUSAL = (evidence(), None)
UNDECIDED = (evidence((0.6, 0.3, 0.9)), None)
REFUTED = (evidence((0.1, -0.1, 0.3)), None)
"""The effect lies below the smallest of interest, 0.5 nats."""


def decided(
    one: Hypothesis,
    found: tuple[Evidence, Evidence | None] | None,
    *,
    beside: Claim | None = None,
    observed: str = "seen",
) -> Decided:
    claim = None if found is None else Claim(one.statement, observed, *found)
    why = "the test says that it does the opposite" if claim is None else f"p = {found[0].p_adjusted}"
    return Decided(one, claim, why, run=f"confirm/{one.step}", beside=beside, turned=claim is None)


def step(name: str = "patch", result: Any = None, **changes: Any) -> StepRun:
    values = {"experiment": "patching", "phase": "search", "folder": Path(f"steps/{name}"), "seconds": 2.0}
    return StepRun(name=name, result=result or MadeStep(text=f"{name} found this"), **{**values, **changes})


def investigated(
    folder: Path = Path("nowhere"),
    *,
    ends: Sequence[Decided] = (),
    steps: Sequence[StepRun] | None = None,
    tests: dict[str, Any] | None = None,
    **changes: Any,
) -> Investigated:
    steps = (step(),) if steps is None else tuple(steps)
    runs = {one.run: MadeStep(text="the test found this") for one in ends}
    values = {
        "config": config(), "folder": folder, "steps": steps, "tests": runs | (tests or {}),
        "hypotheses": tuple(one.hypothesis for one in ends), "hypotheses_hash": HASH if ends else None,
        "decided": tuple(ends), "stopped": None, "seconds": {one.name: one.seconds for one in steps},
    }  # fmt: skip
    return Investigated(**{**values, **changes})


def component(
    name: str, method: str, estimate: float, *, causal: bool = True, yes: bool = True, **changes: Any
) -> Component:
    values = {"unit": "nats", "grade": (Grade.CAUSAL if yes else Grade.DESCRIPTIVE) if causal else None}
    interval = Interval(estimate, estimate - 0.1, estimate + 0.1)
    return Component(name=name, method=method, causal=causal, effect=interval, selected=yes, **{**values, **changes})


def sections(name: str = "s", n_figures: int = 1) -> tuple[Section, ...]:
    drawn = {str(nth): head_map(MAP, MAP, MAP, title=f"{name} {nth}", unit="nats") for nth in range(n_figures)}
    table = pd.DataFrame({"head": ["0.0"], "effect": [1.0]})
    return (Section(f"{name} acts", True, "it acts", "why", drawn, {"heads": table}),
            Section(f"{name} looks", False, "it looks", "that it acts"))  # fmt: skip


def whole(folder: Path = Path("nowhere"), **changes):
    """Every outcome, two models, methods that contradict each other, a step after the tests."""
    steers = hypothesis(5, "direction of group at 1", step="mitigate", experiment="steering")
    hypotheses = [hypothesis(1), hypothesis(2, "2.3"), hypothesis(3, "attribute income", step="audit"),
                  hypothesis(4, "1.1"), steers, hypothesis(6, "1.2")]  # fmt: skip
    outcomes = [REPLICATED, CAUSAL, UNDECIDED, REFUTED, CAUSAL, None]
    besides = [Claim(hypotheses[0].statement, "", *CAUSAL), Claim(hypotheses[1].statement, "", *REFUTED), *[None] * 4]
    ends = [decided(*one, beside=beside) for *one, beside in zip(hypotheses, outcomes, besides, strict=True)]
    said = [component(f"0.{n}", name, 0.1 + n * (1 if causal else -1), causal=causal, yes=n % 3 > 0)
            for name, causal in (("ablation", True), ("attention", False)) for n in range(6)]  # fmt: skip
    patch = MadeStep(
        tuple(Claim(f"claim {n}", "seen", evidence()) for n in range(3)), sections("patch"), said=tuple(said)
    )
    steps = [step("behaviour", MadeStep(text="98% are right"), experiment="behaviour"), step("patch", patch),
             step("again", MadeStep(text="97% are right"), experiment="behaviour", phase="held_out")]  # fmt: skip
    return investigated(folder, **{"ends": ends, "steps": steps, "config": config(beside="organism-tuned"), **changes})
