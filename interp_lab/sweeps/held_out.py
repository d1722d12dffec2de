"""The winner of a sweep, and the config as it was without it, measured again on examples that no trial has seen."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from interp_lab.experiment import Progress, silent
from interp_lab.jobs import Executor, Job, Outcome, run_all
from interp_lab.sweeps.definition import Definition
from interp_lab.sweeps.opening import SweepFolder
from interp_lab.sweeps.settings import SweepSettings
from interp_lab.sweeps.shrinkage import Remeasured
from interp_lab.sweeps.trial import Trial, final_metrics

Name = Literal["winner", "base"]
Fold = Literal["search", "held_out"]
HELD_OUT = "held_out"


@dataclass(frozen=True)
class Again:
    """One run of the winner's setting, or of the config without the swept values."""

    name: Name
    fold: Fold
    seed: int | None
    """`None` where it is the one that trials have."""
    metric: float | None
    """`None` if it failed."""
    reason: str = ""
    """Why it failed."""
    folder: Path = Path()


def re_evaluate(
    definition: Definition,
    winner: Trial,
    place: SweepFolder,
    executor: Executor,
    settings: SweepSettings,
    *,
    progress: Progress = silent,
) -> list[Again]:
    """Run winner and base config on the held-out fold with the same fresh seeds, and the base once on the search fold.

    That one run says what the other fold does to a config that nothing was chosen by. Runs that are complete in their
    folders, of an earlier start, are read; a run that fails is in the list with its reason.

    Raises: SweepError, as `Definition.argv`; ConfigError, as `Base.config`.
    """
    seeds, keys = (
        fresh_seeds(settings.held_out_seeds, seed=settings.seed),
        seed_keys(definition.base.config(winner.values).flat()),
    )
    wanted = [Again("winner", "held_out", seed, None) for seed in seeds]
    wanted += [Again("base", "held_out", seed, None) for seed in seeds]
    wanted.append(Again("base", "search", None, None))
    placed = [replace(one, folder=place.path / HELD_OUT / _label(one, winner)) for one in wanted]
    jobs = [_job(one, winner, place, keys) for one in placed if final_metrics(one.folder) is None]
    ended = run_all(jobs, executor, retries=settings.retries, progress=progress)
    return [read_again(one, definition.metric, ended) for one in placed]


def fresh_seeds(n: int, *, seed: int) -> list[int]:
    """Return different seeds that trials are unlikely to have; for a larger `n` the first ones stay the same."""
    drawn = np.random.default_rng([seed, 10]).permutation(np.arange(1_000, 1_000_000))
    return drawn[:n].tolist()


def seed_keys(config: Mapping[str, Any]) -> list[str]:
    """Return the keys of a flat config that a fresh seed is given to: `seed`, or where there is none those one below.

    Raises: ValueError, if there is neither.
    """
    keys = ["seed"] if "seed" in config else [key for key in config if key.endswith(".seed") and key.count(".") == 1]
    if not keys:
        raise ValueError("the experiment has no seed, so that nothing differs between runs; use --no-held-out")
    return keys


def read_again(one: Again, metric: str, ended: Mapping[str, Outcome]) -> Again:
    """Return a run with what its folder says of it."""
    found = final_metrics(one.folder)
    if found is None:
        outcome = ended.get(_job_name(one))
        return replace(one, reason=outcome.reason if outcome else "it did not run to its end")
    if metric not in found:
        return replace(one, reason=f"it ended without the metric {metric}")
    value = float(found[metric])
    return (
        replace(one, metric=value) if math.isfinite(value) else replace(one, reason=f"its metric {metric} is {value}")
    )


def _label(one: Again, winner: Trial) -> str:
    """Return the name of a run's folder; more trials may make another the winner, so that it goes by its number."""
    who = f"{winner.number:04d}" if one.name == "winner" else one.name
    return f"{who}-{one.fold if one.seed is None else one.seed}"


def _job_name(one: Again) -> str:
    return f"{HELD_OUT}-{one.folder.name}"


def _job(one: Again, winner: Trial, place: SweepFolder, keys: Sequence[str]) -> Job:
    seeded = [] if one.seed is None else [f"--{key}={one.seed}" for key in keys]
    values = winner.values if one.name == "winner" else {}
    return Job(
        name=_job_name(one),
        argv=place.argv(values, out=one.folder, extra=(f"--fold={one.fold}", *seeded)),
        log=one.folder.with_suffix(".log"),
        env=place.env,
        time_limit=place.settings.time_limit,
        lock=one.folder.with_suffix(".lock"),
    )


def arrays_of(again: Sequence[Again]) -> dict[str, np.ndarray]:
    """Return runs as arrays; their folders are left out, which may be moved."""
    return {
        "again_names": np.array([one.name for one in again], dtype=str),
        "again_folds": np.array([one.fold for one in again], dtype=str),
        "again_seeds": np.array([np.nan if one.seed is None else one.seed for one in again], dtype=np.float64),
        "again_metric": np.array([np.nan if one.metric is None else one.metric for one in again], dtype=np.float64),
        "again_reasons": np.array([one.reason for one in again], dtype=str),
    }


def again_from(arrays: Mapping[str, np.ndarray]) -> tuple[Again, ...]:
    """Rebuild the runs from what `arrays_of` returned."""
    columns = (arrays[f"again_{name}"].tolist() for name in ("names", "folds", "seeds", "metric", "reasons"))
    return tuple(
        Again(name, fold, None if math.isnan(seed) else int(seed), None if math.isnan(metric) else metric, reason)
        for name, fold, seed, metric, reason in zip(*columns, strict=True)
    )


def remeasured(again: Sequence[Again], best: float, *, sign: float, level: float) -> Remeasured | None:
    """Return winner and base by seed, higher is better; `None` if no seed has both.

    Args:
        best: the winner's metric in the search.
        sign: what the metric is multiplied by so that higher is better.
    """
    by_place = {(one.name, one.fold, one.seed): sign * one.metric for one in again if one.metric is not None}
    seeds = [seed for name, fold, seed in by_place if name == "winner" and ("base", fold, seed) in by_place]
    if not seeds:
        return None
    return Remeasured(
        winner_search=sign * best,
        winner=np.array([by_place["winner", "held_out", seed] for seed in seeds]),
        base_search=by_place.get(("base", "search", None), math.nan),
        base=np.array([by_place["base", "held_out", seed] for seed in seeds]),
        level=level,
    )
