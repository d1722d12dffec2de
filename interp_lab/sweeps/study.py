"""The search: which values the next trial is given. A proposal follows from definition, seed, number and history."""

import logging
import warnings
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState, create_trial

from interp_lab.runs.trackers import drop_torn_row
from interp_lab.sweeps.checked import draw
from interp_lab.sweeps.definition import Definition, SweepError
from interp_lab.sweeps.grid import grid_points
from interp_lab.sweeps.ledger import Entry, Proposed
from interp_lab.sweeps.settings import SweepSettings

_STATES = {"complete": TrialState.COMPLETE, "failed": TrialState.FAIL, "stopped early": TrialState.PRUNED}
_REPEATS = 32
"""Random draws after which a search gives up looking for values that were not tried yet."""


@runtime_checkable
class Search(Protocol):
    """Proposes values; what it must remember is in the history that it is given."""

    def propose(self, number: int, history: Sequence[Entry]) -> Proposed | None:
        """Return the values of the trial with this number, or `None` when there is nothing left to try.

        Args:
            history: every trial so far, open ones too, in the order of their numbers.
        """
        ...


@dataclass(frozen=True)
class GridSearch:
    """Every point once, in W&B's order."""

    points: Sequence[Mapping[str, Any]]

    def propose(self, number: int, history: Sequence[Entry]) -> Proposed | None:
        """Return the point of that number."""
        return Proposed(trial=number, values=dict(self.points[number])) if number < len(self.points) else None


@dataclass(frozen=True)
class RandomSearch:
    """Independent draws from W&B's distributions, each from a generator of its own."""

    definition: Definition
    seed: int

    def propose(self, number: int, history: Sequence[Entry]) -> Proposed | None:
        """Return a draw that depends on nothing but seed and number."""
        return Proposed(trial=number, values=draw(self.definition, seed=self.seed, number=number))


@dataclass(frozen=True)
class GaussianSearch:
    """Bayesian search with a Gaussian process (Optuna's), begun with a few random draws.

    Trials that are still open count as spoken for, those stopped early with their last value, and those that failed as
    the worst value seen, so that the search leaves where nothing works. Every proposal is made by a sampler of its own,
    with a seed from (seed, number): a search that was killed goes on as it would have. Values that were tried already
    are not proposed again while random draws find others.
    """

    definition: Definition
    seed: int

    @property
    def n_startup(self) -> int:
        """How many trials must have a value before the process is asked."""
        return min(10, 2 + 2 * len(self.definition.parameters))

    def propose(self, number: int, history: Sequence[Entry]) -> Proposed | None:
        """Return what the process expects most of; a repeat is replaced by a random draw."""
        known = remembered(history, self.definition)
        tried = [entry.proposed.values for entry in history]
        first = self._ask(number, known, n_startup=self.n_startup)
        proposed = first
        for nth in range(1, _REPEATS + 1):
            if proposed.values not in tried:
                return proposed
            proposed = self._ask(number, [], n_startup=1, again=nth)
        return first

    def _ask(self, number: int, known: Sequence[FrozenTrial], *, n_startup: int, again: int = 0) -> Proposed:
        seed = int(np.random.SeedSequence([self.seed, number, again]).generate_state(1)[0])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.GPSampler(
                seed=seed, n_startup_trials=n_startup, warn_independent_sampling=False,
                independent_sampler=optuna.samplers.RandomSampler(seed=seed),
            )  # fmt: skip
        with _quiet():
            study = optuna.create_study(direction=self.definition.goal, sampler=sampler)
            study.add_trials(known)
            raw = study.ask(distributions_of(self.definition)).params
        parameters = self.definition.parameters
        return Proposed(
            trial=number, values={name: parameters[name].decoded(float(raw[name])) for name in parameters}, raw=raw
        )


def search_for(definition: Definition, *, seed: int) -> Search:
    """Return the search that the definition's `method` names."""
    match definition.method:
        case "grid":
            return GridSearch(grid_points(definition))
        case "random":
            return RandomSearch(definition, seed)
        case "bayes":
            return GaussianSearch(definition, seed)
        case other:
            raise SweepError(f"method {other!r} is none of grid, random, bayes")


def n_trials_of(definition: Definition, settings: SweepSettings) -> int:
    """Return how many trials there are to be: what was asked for, or the definition's cap, within the grid.

    Raises: SweepError, if a search without an end has no cap.
    """
    wanted = settings.n_trials or definition.run_cap
    if definition.method == "grid":
        n_points = len(grid_points(definition))
        return n_points if wanted is None else min(wanted, n_points)
    if wanted is None:
        raise SweepError(
            f"{definition.path}: method {definition.method} never ends by itself; say how many trials: --trials N, or "
            "run_cap: N in the file"
        )
    return wanted


def distributions_of(definition: Definition) -> dict[str, BaseDistribution]:
    """Return the search space of a Bayesian sweep as Optuna has it."""
    return {name: one.distribution() for name, one in definition.parameters.items()}


def remembered(history: Iterable[Entry], definition: Definition) -> list[FrozenTrial]:
    """Return the history as the process is to see it: see `GaussianSearch`."""
    worst = max if definition.goal == "minimize" else min
    entries = list(history)
    values = [entry.closed.metric for entry in entries if entry.closed and entry.closed.metric is not None]
    space, trials = distributions_of(definition), []
    for entry in entries:
        closed = entry.closed
        value = None if closed is None else closed.metric if closed.metric is not None else worst(values, default=None)
        if closed is None or value is not None:
            state = TrialState.RUNNING if closed is None else TrialState.COMPLETE
            trials.append(create_trial(state=state, value=value, params=entry.proposed.raw, distributions=space))
    return trials


@dataclass(frozen=True)
class Journal:
    """Every closed trial as Optuna keeps them, for its own tools: `search.journal`, a journal storage.

    It is made from the ledger and made again if it is behind or lost. The numbers in it are those of closing; ours are
    in the user attribute `number`, the values in `values`.
    """

    path: Path
    definition: Definition
    told: dict[int, TrialState] = field(default_factory=dict)
    """By our number."""

    def __post_init__(self) -> None:
        drop_torn_row(self.path)
        self.told.update({one.user_attrs["number"]: one.state for one in self.study.trials})

    @cached_property
    def study(self) -> optuna.Study:
        """The study, opened or begun."""
        with _quiet():
            storage = JournalStorage(JournalFileBackend(str(self.path), lock_obj=_NoLock(str(self.path))))
            return optuna.create_study(
                storage=storage, study_name=self.definition.name, direction=self.definition.goal, load_if_exists=True
            )

    def catch_up(self, entries: Iterable[Entry]) -> None:
        """Add the trials that were closed since.

        Raises: SweepError, if the disk is full.
        """
        new = [
            entry for entry in entries if entry.closed and self.told.get(entry.number) != _STATES[entry.closed.state]
        ]
        if not new:
            return
        try:
            self.study.add_trials([_frozen(entry, self.definition) for entry in new])
        except OSError as error:
            raise SweepError(
                f"cannot write {self.path} ({error.strerror}); make room and go on with --resume"
            ) from error
        self.told.update({entry.number: _STATES[entry.closed.state] for entry in new if entry.closed})


def _frozen(entry: Entry, definition: Definition) -> FrozenTrial:
    assert entry.closed is not None
    raw = entry.proposed.raw
    return create_trial(
        state=_STATES[entry.closed.state],
        value=entry.closed.metric,
        params=raw,
        distributions=distributions_of(definition) if raw else {},
        user_attrs={"number": entry.number, "values": entry.proposed.values},
    )


class _NoLock(JournalFileOpenLock):
    """The folder is locked already; Optuna's own lock would outlive a killed driver."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        return None


@contextmanager
def _quiet() -> Generator[None]:
    """Keep Optuna from telling on standard error of every study that it makes."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)
