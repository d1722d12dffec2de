"""The queue that both backends share: so many jobs at a time, in the order they came."""

import concurrent.futures
import threading
from concurrent.futures import Future
from functools import partial
from typing import Protocol, runtime_checkable

from interp_lab.jobs.job import Ended, Ending, Job, Outcome

_LONG = 30.0
"""Seconds within which jobs that are told to stop are gone; a machine that takes longer is lost."""


@runtime_checkable
class Launcher(Protocol):
    """Starts jobs somewhere; told of one at a time, it may run several."""

    def start(self, job: Job, ended: Ending) -> None:
        """Start a job; call `ended` once, later and from another thread, when it is gone."""
        ...

    def stop(self, name: str) -> None:
        """End a job that was started; one that is gone already is no error."""
        ...

    def close(self) -> None:
        """End what still runs, and wait for it."""
        ...


class Slots:
    """An executor of `n_workers` jobs at a time, whoever launches them."""

    def __init__(self, launcher: Launcher, *, n_workers: int) -> None:
        self.n_workers = n_workers
        self._launcher = launcher
        self._guard = threading.Lock()
        self._waiting: dict[str, tuple[Job, Future[Outcome]]] = {}
        self._running: dict[str, Future[Outcome]] = {}
        self._is_open = True

    def submit(self, job: Job) -> Future[Outcome]:
        """Queue a job; the future holds its outcome, whatever became of it, and no exception.

        Raises: ValueError, if a job of this name is queued or runs; RuntimeError, after the executor was closed.
        """
        future: Future[Outcome] = Future()
        with self._guard:
            if not self._is_open:
                raise RuntimeError(f"the executor is closed; submit {job.name!r} inside its `with` block")
            if job.name in self._waiting or job.name in self._running:
                raise ValueError(f"a job named {job.name!r} is there already; a name is how a job is stopped: vary it")
            self._waiting[job.name] = job, future
            self._fill()
        return future

    def stop(self, name: str) -> None:
        """End a job, as STOPPED: at once if it waits, within seconds if it runs; nothing happens if it has ended."""
        with self._guard:
            waiting = self._waiting.pop(name, None)
            is_running = name in self._running
        if waiting:
            _answer(waiting[1], Outcome(Ended.STOPPED, None, 0.0, "stopped before it began"))
        elif is_running:
            self._launcher.stop(name)

    def close(self) -> None:
        """Stop everything and wait until it is gone."""
        with self._guard:
            self._is_open = False
            waiting, running = list(self._waiting), dict(self._running)
        for name in (*waiting, *running):
            self.stop(name)
        concurrent.futures.wait(running.values(), timeout=_LONG)
        self._launcher.close()

    def _fill(self) -> None:
        while self._waiting and len(self._running) < self.n_workers:
            name = next(iter(self._waiting))
            job, future = self._waiting.pop(name)
            if future.set_running_or_notify_cancel():
                self._running[name] = future
                self._launcher.start(job, partial(self._ended, name))

    def _ended(self, name: str, outcome: Outcome) -> None:
        with self._guard:
            future = self._running.pop(name)
            self._fill()
        future.set_result(outcome)


def _answer(future: Future[Outcome], outcome: Outcome) -> None:
    if future.set_running_or_notify_cancel():
        future.set_result(outcome)
