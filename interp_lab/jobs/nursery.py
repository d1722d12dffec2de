"""The process that jobs are born in: `python -m interp_lab.jobs.nursery MODULE...`.

It imports what every job would import, once, and then forks: a job starts in a fraction of a second rather than in
many, and is a process of its own all the same, with none of the state of those before it. It never works itself, so
that it stays as it was after the imports.

Orders come as JSON lines on standard input (`{"start": job}`, `{"stop": name}`), and news goes out as JSON lines on
standard output (ready, started with its process id, ended with its outcome). The end of its input is the end of all
jobs: whoever kills the driver kills them.
"""

import functools
import gc
import importlib
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, NoReturn

from interp_lab.jobs.groups import end_group
from interp_lab.jobs.job import Ended, Job, Outcome
from interp_lab.jobs.keeper import HANDLED, Keeper
from interp_lab.jobs.reasons import signal_name
from interp_lab.jobs.work import leave_early

PACKAGE = "interp_lab"
"""Whose commands are forked; this module's own name does not say, because it is run as a program."""
READ_LATE = ("WANDB_", "CUDA_VISIBLE_DEVICES")
"""Variables that nothing reads while it is imported; a job that sets others is not forked, or they would come late."""
_GLANCE = 1.0
"""Seconds between looks at whether the driver is there, for systems where somebody else may hold its pipe open."""


@dataclass
class _Kept:
    """A keeper, as the nursery sees it."""

    name: str
    keeper: int
    began: float
    job: int | None = None
    rest: bytes = b""
    has_ended: bool = False


@dataclass
class Nursery:
    """Forks a keeper per job, passes its news on, and tells of keepers that died."""

    orders: int
    news: int
    life: tuple[int, int]
    """A pipe that carries nothing: its writing end is held by the nursery alone, so that keepers see it go."""
    driver: int
    kept: dict[int, _Kept] = field(default_factory=dict)
    """By the pipe that its news comes through."""
    trouble: str = ""
    """Why nothing can be forked: a module that was asked for cannot be imported."""

    @classmethod
    def on_standard_streams(cls) -> "Nursery":
        """Take over standard input and output; what imported modules print goes to standard error."""
        driver, orders, news = os.getppid(), os.dup(0), os.dup(1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        return cls(orders, news, os.pipe(), driver)

    def prepare(self, modules: Sequence[str]) -> None:
        """Import what every forked job will need, and keep the collector off it, so that its pages stay shared."""
        began = time.monotonic()
        try:
            for name in modules:
                importlib.import_module(name)
        except ImportError as error:
            self.trouble = f"cannot import {name}: {error}"
        gc.collect()
        gc.freeze()
        self.tell({"ready": time.monotonic() - began, "trouble": self.trouble})

    def serve(self) -> Keeper | None:
        """Do as ordered until the driver is gone; in a fork, return the keeper that this process has become."""
        rest = b""
        while True:
            ready = select.select([self.orders, *self.kept], [], [], _GLANCE)[0]
            for pipe in self.kept.keys() & ready:
                self._pass_on(pipe)
            if self.orders in ready:
                data = os.read(self.orders, 1 << 16)
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    keeper = self._obey(json.loads(line))
                    if keeper is not None:
                        return keeper
                if not data:
                    return None
            elif os.getppid() != self.driver:
                return None

    def leave(self) -> NoReturn:
        """End every job, wait until it is gone, and be gone too, without taking modules apart."""
        os.close(self.life[1])
        for kept in self.kept.values():
            os.waitpid(kept.keeper, 0)
        os._exit(0)

    def tell(self, message: dict[str, Any]) -> None:
        """Send a line to the driver."""
        _write(self.news, json.dumps(message).encode() + b"\n")

    def _obey(self, order: dict[str, Any]) -> Keeper | None:
        if "start" in order:
            return self._start(Job.from_dict(order["start"]))
        for kept in self.kept.values():
            if kept.name == order["stop"] and not kept.has_ended:
                os.kill(kept.keeper, signal.SIGTERM)
        return None

    def _start(self, job: Job) -> Keeper | None:
        entry = _entry_of(job)
        if entry is not None and self.trouble:
            self._end(job.name, Ended.FAILED, self.trouble)
            return None
        sys.stdout.flush()
        sys.stderr.flush()
        read, write = os.pipe()
        signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
        try:
            pid = os.fork()
        except OSError as error:
            self._end(job.name, Ended.FAILED, f"could not start: {error}")
            os.close(read)
            os.close(write)
        else:
            if pid == 0:
                for handle in (read, self.orders, self.news, self.life[1], *self.kept):
                    os.close(handle)
                return Keeper(job, entry, self.life[0], write)
            os.close(write)
            self.kept[read] = _Kept(job.name, pid, time.monotonic())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
        return None

    def _pass_on(self, pipe: int) -> None:
        """Pass a keeper's news on; at its end, see that its job is gone with it."""
        kept, data = self.kept[pipe], os.read(pipe, 1 << 16)
        *lines, kept.rest = (kept.rest + data).split(b"\n")
        for message in map(json.loads, lines):
            kept.job = message.get("pid", kept.job)
            kept.has_ended = "ended" in message
            self.tell(message)
        if not data:
            os.close(pipe)
            del self.kept[pipe]
            if not kept.has_ended and kept.job is not None:
                end_group(kept.job)
            code = os.waitstatus_to_exitcode(os.waitpid(kept.keeper, 0)[1])
            if not kept.has_ended:
                how = signal_name(-code) if code < 0 else f"exit code {code}"
                self._end(kept.name, Ended.LOST, f"its keeper died: {how}", time.monotonic() - kept.began)

    def _end(self, name: str, ended: Ended, reason: str, seconds: float = 0.0) -> None:
        self.tell({"name": name, **vars(Outcome(ended, None, seconds, reason)), "ended": ended.value})


def _entry_of(job: Job) -> Callable[[], object] | None:
    """Return what a job's command calls, if it is one of this package's and the job can be forked."""
    if not all(key.startswith(READ_LATE) for key in job.env):
        return None
    return _script(job.argv[0])


@functools.cache
def _script(name: str) -> Callable[[], object] | None:
    scripts = metadata.distribution(PACKAGE).entry_points.select(group="console_scripts", name=name)
    return next((script.load() for script in scripts), None)


def _write(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]


def main() -> None:
    """Serve until standard input ends."""
    for number in HANDLED:
        signal.signal(number, signal.SIG_DFL)  # a driver that ignores them would pass that on
    leave_early()
    nursery = Nursery.on_standard_streams()
    nursery.prepare(sys.argv[1:])
    keeper = nursery.serve()
    if keeper is None:
        nursery.leave()
    else:
        keeper.keep()


if __name__ == "__main__":
    main()
