"""The trials of a sweep, proposed, carried out and closed.

It may be killed at any moment. What was decided is in the ledger before it is done, what was finished is in the run
folder of its trial, so that the next driver goes on without losing or repeating a finished trial.
"""

import errno
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from datetime import datetime

from interp_lab.jobs import Executor, Job, Outcome
from interp_lab.runs.folder import RECORD
from interp_lab.sweeps.ledger import Closed, Ended, Entry, Ledger, Line, Proposed, Started, now, read_ledger
from interp_lab.sweeps.logged import Logs
from interp_lab.sweeps.opening import SweepFolder
from interp_lab.sweeps.scored import scored, stopped_early
from interp_lab.sweeps.space import SweepError
from interp_lab.sweeps.study import Journal, Search
from interp_lab.sweeps.trial import Trial, final_metrics, trial_of

Watch = Callable[[Sequence[Trial], Mapping[int, str]], None]
"""Called about twice a second with every trial, and with how far those are that have a worker, by number."""

POLL = 0.4
"""Seconds between two looks at what the running trials log."""
MAX_LOSSES = 8
"""How often a trial may be lost with its worker or node, which is not its fault, before it is given up."""
_FULL = tuple(os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT))


def nobody(trials: Sequence[Trial], progress: Mapping[int, str]) -> None:
    """Watch nothing."""


@dataclass
class Work:
    """Carries out the trials of one sweep."""

    place: SweepFolder
    workers: Executor
    search: Search
    n_trials: int
    watch: Watch = nobody
    entries: dict[int, Entry] = field(init=False)
    running: dict[Future[Outcome], int] = field(init=False, default_factory=dict)
    stopping: set[int] = field(init=False, default_factory=set)
    made: dict[int, tuple[Entry, Trial]] = field(init=False, default_factory=dict)
    """Trials as they were last asked for, with what they were made of: of thousands, few change between two looks."""

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.place.ledger)
        self.entries = read_ledger(self.place.ledger)
        self.journal = Journal(self.place.journal, self.place.definition)
        self.logs = Logs(self.place.definition.metric)

    def run(self) -> list[Trial]:
        """Carry out whatever is left to do; returns every trial.

        Raises: SweepError, if a trial ends without the metric, a disk is full, or the ledger cannot be written.
        """
        self._close_finished()
        self._launch()
        while self.running:
            done, _ = wait(self.running, timeout=POLL, return_when=FIRST_COMPLETED)
            for future in sorted(done, key=lambda one: self.running[one]):
                self._came_back(self.running.pop(future), future.result())
            self._launch()
            self._look()
        self._look()
        return self.trials()

    def trials(self) -> list[Trial]:
        """Return every trial so far."""
        for number, one in self.entries.items():
            if self.made.get(number, (None,))[0] is not one:
                self.made[number] = one, trial_of(one, self.place.path)
        return [self.made[number][1] for number in self.entries]

    def _record(self, line: Line) -> Entry:
        self.ledger.append(line)
        known = Entry(line) if isinstance(line, Proposed) else self.entries[line.trial].after(line)
        self.entries[line.trial] = known
        return known

    def _close_finished(self) -> None:
        """Close what was finished, or decided, when the last driver was killed."""
        for one in list(self.entries.values()):
            is_open = one.closed is None and one.started
            metrics = final_metrics(self.place.trial(one.number)) if is_open else None
            if metrics is not None:
                seconds = self._seconds_on_disk(one)
                was_told = one.count("done") > 0  # its end is known, and what stopped the last driver was its metric
                if not was_told:
                    self._record(Ended(trial=one.number, attempt=len(one.started), how="done", seconds=seconds))
                self._close(one.number, seconds, metrics, may_lack=was_told)
            elif one.closed is None and one.ended and self._is_given_up(one):
                self._fail(one)
        self.journal.catch_up(self.entries.values())

    def _seconds_on_disk(self, one: Entry) -> float:
        began = datetime.fromisoformat(one.started[-1].at).timestamp()
        return max(0.0, (self.place.trial(one.number) / RECORD).stat().st_mtime - began)

    def _launch(self) -> None:
        """Give every idle worker a trial: those that were cut off or are to be retried first."""
        while len(self.running) < self.workers.n_workers:
            one = self._next()
            if one is None:
                return
            one = self._record(Started(trial=one.number, attempt=len(one.started) + 1, at=now()))
            self.running[self.workers.submit(self._job(one))] = one.number

    def _next(self) -> Entry | None:
        busy = set(self.running.values())
        waiting = (one for number, one in self.entries.items() if number not in busy and self._is_wanted(one))
        found = next(waiting, None)
        if found is not None or len(self.entries) >= self.n_trials:
            return found
        proposed = self.search.propose(len(self.entries), list(self.entries.values()))
        return None if proposed is None else self._record(proposed)

    def _is_wanted(self, one: Entry) -> bool:
        """Whether a trial needs another attempt; one that failed does again when more retries are allowed."""
        if one.closed is None:
            return True
        return one.closed.state == "failed" and one.ended[-1].how != "done" and not self._is_given_up(one)

    def _is_given_up(self, one: Entry) -> bool:
        return (
            one.count("failed", "timed out") > self.place.settings.retries or one.count("lost", "stopped") > MAX_LOSSES
        )

    def _job(self, one: Entry) -> Job:
        folder, settings = self.place.trial(one.number), self.place.settings
        return Job(
            name=folder.name,
            argv=self.place.argv(one.proposed.values, out=folder),
            log=folder.with_suffix(".log"),
            env=self.place.env,
            time_limit=settings.time_limit,
            lock=folder.with_suffix(".lock"),
        )

    def _came_back(self, number: int, outcome: Outcome) -> None:
        metrics, how, reason = final_metrics(self.place.trial(number)), outcome.ended.value, outcome.reason
        if metrics is not None:
            how, reason = "done", ""
        elif how == "done":
            how, reason = "failed", f"ended without a result in {self.place.trial(number)}"
        elif any(said in reason for said in _FULL):
            how = "disk full"
        attempt = len(self.entries[number].started)
        one = self._record(Ended(trial=number, attempt=attempt, how=how, seconds=outcome.seconds, reason=reason))
        if metrics is not None:
            self._close(number, outcome.seconds, metrics)
        elif number in self.stopping:
            self._record(stopped_early(number, outcome.seconds, self.logs.of(self.place.trial(number)).values))
        elif how == "disk full":
            raise SweepError(f"trial {number}: {reason}; make room, then the same command with --resume goes on")
        elif self._is_given_up(one):
            self._fail(one)
        self.journal.catch_up(self.entries.values())

    def _fail(self, one: Entry) -> None:
        last = one.ended[-1]
        self._record(Closed(trial=one.number, state="failed", seconds=last.seconds, reason=last.reason))

    def _close(
        self, number: int, seconds: float, metrics: Mapping[str, int | float], *, may_lack: bool = False
    ) -> None:
        may_lack = may_lack or any(one.closed and one.closed.state == "complete" for one in self.entries.values())
        metric = self.place.definition.metric
        self._record(scored(number, seconds, metrics, metric=metric, may_lack=may_lack))

    def _look(self) -> None:
        """Read what the running trials log, stop those that early termination gives up, and tell the watcher."""
        logged = {number: self.logs.of(self.place.trial(number)) for number in self.running.values()}
        early = self.place.definition.early
        if early is not None:
            every = {number: self.logs.of(self.place.trial(number)).values for number in self.entries}
            for number in logged.keys() - self.stopping:
                others = [values for other, values in every.items() if other != number and values]
                if early.stops(every[number], others):
                    self.stopping.add(number)
                    self.workers.stop(self.place.trial(number).name)
        self.watch(self.trials(), {number: one.progress for number, one in logged.items()})
