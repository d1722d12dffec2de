"""One job from its lock to its end, as lived by the process that keeps it.

The keeper is forked from the nursery and forks the job, which leads a session of its own. Whatever happens (the job
ends, its time is up, it is to stop, the nursery is gone), the keeper ends the whole group and is the last to leave.
Should the keeper be killed, the system ends the job (Linux), and the nursery its group.
"""

import contextlib
import fcntl
import json
import os
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from interp_lab.jobs.groups import adopt_orphans, buried, bury_group, signal_group
from interp_lab.jobs.job import Ended, Job, Outcome
from interp_lab.jobs.reasons import last_line, reason_of
from interp_lab.jobs.work import be_the_job

GRACE = 3.0
"""Seconds between asking a job to end (SIGTERM) and ending it."""
PATIENCE = 10.0
"""Seconds that a job waits for its lock."""
HANDLED = (signal.SIGTERM, signal.SIGCHLD)
"""Signals that the keeper reads; it is forked with them blocked, so that none comes too early."""


@dataclass
class Keeper:
    """Keeps one job, in a process that was forked for it."""

    job: Job
    entry: Callable[[], object] | None
    """What a forked job calls; `None` for one that is a program."""
    nursery: int
    """A pipe that nobody writes to: it ends when the nursery does."""
    report: int
    """A pipe to the nursery, for JSON lines."""
    began: float = 0.0

    def keep(self) -> NoReturn:
        """Run the job and report on it; the keeper leaves from here, the job's own process by `SystemExit`."""
        self.began = time.monotonic()
        waker, wake = os.pipe()
        os.set_blocking(wake, False)
        for number in HANDLED:
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(wake)
        adopt_orphans()
        try:
            log = self._open_log()
            self._take_lock()
            printed = os.fstat(log).st_size
            pid = os.fork()
        except OSError as error:
            self._leave(Outcome(Ended.FAILED, None, self._seconds(), f"could not start: {error}"))
        if pid == 0:
            for handle in (waker, wake, self.nursery, self.report):
                os.close(handle)
            be_the_job(self.job, log, self.entry)
        self._tell({"name": self.job.name, "pid": pid})
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
        ended, code = self._wait(pid, waker)
        reason = reason_of(
            ended, code, limit=self.job.time_limit, last=last_line(self.job.log, printed), log=self.job.log
        )
        self._leave(Outcome(ended, code, self._seconds(), reason))

    def _open_log(self) -> int:
        self.job.log.parent.mkdir(parents=True, exist_ok=True)
        return os.open(self.job.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)

    def _take_lock(self) -> None:
        """Lock the job's file, waiting for an earlier attempt that is still dying; the job inherits the handle."""
        if self.job.lock is None:
            return
        self.job.lock.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.job.lock, os.O_RDWR | os.O_CREAT, 0o666)
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if self._seconds() > PATIENCE:
                    raise OSError(f"another process holds {self.job.lock}; end it, then try again") from None
                if select.select([self.nursery], [], [], 0.05)[0] or signal.SIGTERM in signal.sigpending():
                    self._leave(Outcome(Ended.STOPPED, None, self._seconds(), "stopped before it began"))
            else:
                os.set_inheritable(handle, True)
                return

    def _wait(self, pid: int, waker: int) -> tuple[Ended, int]:
        """Wait for the end of the job, or bring it about; nothing of its group is left."""
        asked: Ended | None = None
        deadline = None if self.job.time_limit is None else self.began + self.job.time_limit
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready = select.select([self.nursery, waker], [], [], left)[0]
            stop = waker in ready and signal.SIGTERM in os.read(waker, 64)
            status = buried(pid)
            if status is not None:
                bury_group(pid)
                code = os.waitstatus_to_exitcode(status)
                return asked or (Ended.FAILED if code else Ended.DONE), code
            if self.nursery in ready:
                signal_group(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                bury_group(pid)
                os._exit(0)
            late = deadline is not None and time.monotonic() >= deadline
            if late and asked:
                signal_group(pid, signal.SIGKILL)
                deadline = None
            elif (stop or late) and not asked:
                asked = Ended.STOPPED if stop else Ended.TIMED_OUT
                signal_group(pid, signal.SIGTERM)
                deadline = time.monotonic() + GRACE

    def _seconds(self) -> float:
        return time.monotonic() - self.began

    def _tell(self, message: dict[str, object]) -> None:
        with contextlib.suppress(BrokenPipeError):  # the nursery is gone: nobody wants to know
            os.write(self.report, json.dumps(message).encode() + b"\n")

    def _leave(self, outcome: Outcome) -> NoReturn:
        self._tell({"name": self.job.name, **vars(outcome), "ended": outcome.ended.value})
        os._exit(0)
