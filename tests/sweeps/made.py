"""Sweeps made by hand: a definition of `probes`, trials with any values, and what was measured again."""

from pathlib import Path

import numpy as np
import yaml

from interp_lab.sweeps.definition import Definition, read_definition
from interp_lab.sweeps.held_out import Again
from interp_lab.sweeps.trial import Trial

NOWHERE = Path("nowhere")


def definition(folder, parameters, *, goal="maximize", metric="score", method="random", base="probes") -> Definition:
    """Return a definition of these parameters, written to a folder."""
    (folder / "base.yaml").write_text(f"experiment: {base}\n")
    given = {
        "name": "made",
        "method": method,
        "metric": {"name": metric, "goal": goal},
        "parameters": parameters,
        "command": ["interp-lab", "run", str(folder / "base.yaml"), "--fold=search", "${args}"],
    }
    (folder / "sweep.yaml").write_text(yaml.safe_dump(given))
    return read_definition(folder / "sweep.yaml")


def ended(number, values, score, *, seconds=1.0, **others) -> Trial:
    """Return a trial that ran to its end."""
    metrics = {"score": float(score), **others}
    return Trial(number, values, "complete", float(score), metrics, seconds, 1, "", NOWHERE)


def failed(number, values, reason="out of memory") -> Trial:
    return Trial(number, values, "failed", None, {}, 1.0, 3, reason, NOWHERE)


def stopped(number, values, last) -> Trial:
    return Trial(number, values, "stopped early", last, {}, 1.0, 1, "worse than others after 3 values", NOWHERE)


def again(winner, base, base_search) -> list[Again]:
    """Return what was measured again: held-out values by seed of both, and the base's run in the search."""
    runs = [Again("winner", "held_out", 100 + nth, value) for nth, value in enumerate(winner)]
    runs += [Again("base", "held_out", 100 + nth, value) for nth, value in enumerate(base)]
    return [*runs, Again("base", "search", None, base_search)]


ACTIVE_AND_INERT = {"active": {"min": 0.0, "max": 1.0}, "inert": {"min": 0.0, "max": 1.0}}


def quadratic(n, *, seed=0, noise=0.01) -> list[Trial]:
    """Return trials whose score falls with the square of how far `active` is from 0.3, whatever `inert` is."""
    rng = np.random.default_rng(seed)
    drawn = rng.random((n, 2))
    scores = -((drawn[:, 0] - 0.3) ** 2) + noise * rng.standard_normal(n)
    return [
        ended(nth, {"active": float(a), "inert": float(i)}, score)
        for nth, ((a, i), score) in enumerate(zip(drawn, scores, strict=True))
    ]
