"""A sweep carried out again from its folder: the same trials in order, and whether every metric came out the same."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from interp_lab.sweeps.command import expanded
from interp_lab.sweeps.definition import Definition, SweepError, read_definition
from interp_lab.sweeps.driver import workers_for
from interp_lab.sweeps.ledger import Entry, Proposed
from interp_lab.sweeps.opening import BASE, DEFINITION, opened, read_settings
from interp_lab.sweeps.settings import SweepSettings
from interp_lab.sweeps.trial import Trial, read_trials
from interp_lab.sweeps.work import Watch, Work, nobody


@dataclass(frozen=True)
class Repeated:
    """A recorded trial beside its second execution."""

    then: Trial
    now: Trial

    @property
    def differing(self) -> dict[str, tuple[float | None, float | None]]:
        """Metrics that are not the same to the bit: then and now; `None` where one run has no such metric."""
        old, new = self.then.metrics, self.now.metrics
        names = dict.fromkeys((*old, *new))
        return {name: (old.get(name), new.get(name)) for name in names if not _same(old.get(name), new.get(name))}

    @property
    def is_same(self) -> bool:
        """Whether it ran to its end again, and to the same numbers."""
        return self.now.state == self.then.state and not self.differing


@dataclass(frozen=True)
class Replayed:
    """What a replay came to."""

    trials: tuple[Repeated, ...]
    left_out: tuple[Trial, ...]
    """Trials that did not run to their end the first time, and have no numbers to compare."""

    @property
    def is_same(self) -> bool:
        """Whether every metric of every trial came out the same."""
        return all(one.is_same for one in self.trials)

    def summary(self) -> str:
        """Return what was found in a few lines."""
        n_metrics = sum(len(one.then.metrics) for one in self.trials)
        others = [one for one in self.trials if not one.is_same]
        same = f"{len(self.trials) - len(others)} of {len(self.trials)} trials came out the same to the bit"
        lines = [f"{same} ({n_metrics} metrics compared)"]
        lines += [_told(one) for one in others]
        if self.left_out:
            told = ", ".join(f"{trial.number} ({trial.state})" for trial in self.left_out)
            lines.append(f"not run again, for they have no result to compare: {told}")
        lines.append("the runs on held-out examples were not repeated: those follow from the trials and the seed")
        return "\n".join(lines)


@dataclass(frozen=True)
class RecordedSearch:
    """Proposes what was proposed before, under the same numbers."""

    trials: Sequence[Trial]

    def propose(self, number: int, history: Sequence[Entry]) -> Proposed | None:
        """Return the recorded trial after as many as there are."""
        if number >= len(self.trials):
            return None
        return Proposed(trial=self.trials[number].number, values=dict(self.trials[number].values))


def replay(
    folder: Path, settings: SweepSettings, out: Path, *, resume: bool = False, watch: Watch = nobody
) -> Replayed:
    """Carry out the complete trials of a sweep again, on the copy of its config, in another folder.

    Args:
        settings: by whom, and with which limits; the seed is that of the sweep, and so are the threads if not given.

    Raises: SweepError, if `folder` holds no sweep or one without a complete trial, or as `run_sweep`.
    """
    stored = read_settings(folder)
    trials = read_trials(folder)
    recorded = [trial for trial in trials if trial.state == "complete"]
    if not recorded:
        raise SweepError(f"{folder} holds no complete trial to run again; go on with it by --resume first")
    given = {"seed": stored["seed"], "n_trials": len(recorded), "threads": settings.threads or stored["threads"]}
    settings = settings.model_copy(update=given)
    definition = recorded_definition(folder)
    with opened(out, definition, settings, resume=resume) as place, workers_for(place) as workers:
        again = Work(place, workers, RecordedSearch(recorded), len(recorded), watch).run()
    found = {trial.number: trial for trial in again}
    rest = tuple(trial for trial in trials if trial.state != "complete")
    return Replayed(tuple(Repeated(trial, found[trial.number]) for trial in recorded), rest)


def recorded_definition(folder: Path) -> Definition:
    """Return the definition of the sweep in a folder, on the folder's copy of the config, without early termination.

    Raises: SweepError, if it can no longer be read.
    """
    definition = read_definition(folder / DEFINITION)
    program, config = definition.raw.get("program"), definition.argv({}, out=folder)[2]
    command = tuple(
        str(folder / BASE) if expanded((word,), program=program, args={}) == (config,) else word
        for word in definition.command
    )
    return replace(definition, command=command, early=None)


def _same(old: float | None, new: float | None) -> bool:
    return old == new or (old is not None and new is not None and old != old and new != new)


def _told(one: Repeated) -> str:
    if one.now.state != one.then.state:
        return f"trial {one.then.number}: {one.then.state} then, {one.now.state} now ({one.now.reason})"
    shown = list(one.differing.items())[:3]
    return f"trial {one.then.number}: " + "; ".join(f"{name} {old!r} then, {new!r} now" for name, (old, new) in shown)
