"""Jobs on this machine, all from one nursery; a new nursery if it dies."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interp_lab.jobs.groups import end_group
from interp_lab.jobs.job import Ended, Ending, Job, Outcome
from interp_lab.jobs.reasons import signal_name

THREAD_COUNTS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
_CLOSING = 15.0
"""Seconds that a nursery has to end its jobs and itself."""


@dataclass
class _Running:
    ended: Ending
    began: float
    pid: int | None = None


class LocalLauncher:
    """Starts jobs in a nursery; those that were running when it died are LOST, and the next start makes a new one."""

    def __init__(self, *, threads: int, preload: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        """Start the nursery, which imports while others work.

        Args:
            threads: per job, told to every library that has a pool.
            preload: modules to import before jobs are forked. None of them may start threads.
            env: laid over the environment of this process.

        Raises: RuntimeError, on a system that cannot fork.
        """
        if not hasattr(os, "fork"):
            raise RuntimeError(f"local jobs are forked, which {sys.platform} cannot do; run under Linux, WSL or macOS")
        self._threads, self._preload, self._env = threads, tuple(preload), dict(env or {})
        self._guard = threading.Lock()
        self._nursery = self._new()

    def start(self, job: Job, ended: Ending) -> None:
        """Fork a job from the nursery, as soon as that is done importing."""
        with self._guard:
            if not self._nursery.start(job, ended):
                self._nursery = self._new()
                self._nursery.start(job, ended)

    def stop(self, name: str) -> None:
        """Ask a job to end; killed if it does not."""
        with self._guard:
            nursery = self._nursery
        nursery.stop(name)

    def close(self) -> None:
        """End every job and the nursery."""
        self._nursery.close()

    def _new(self) -> "_Nursery":
        return _Nursery(self._preload, environment(self._threads) | self._env)


def environment(threads: int) -> dict[str, str]:
    """Return the environment of jobs: this process's, its Python first on the path, and so many threads each."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    counts = dict.fromkeys(THREAD_COUNTS, str(threads))
    # What a job prints must be in its log, in order, even if it is killed.
    return {**os.environ, **counts, "PATH": path, "PYTHONUNBUFFERED": "1"}


class _Nursery:
    """A nursery process, and the thread that listens to it."""

    def __init__(self, preload: Sequence[str], env: Mapping[str, str]) -> None:
        self._running: dict[str, _Running] = {}
        self._held: dict[str, Job] = {}
        self._is_ready = self._is_dead = False
        self._guard = threading.Lock()
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the listener, which outlives this call
        # A session of its own: an interrupt at the terminal is for the driver, which ends jobs in its own way.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "interp_lab.jobs.nursery", *preload],
            env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._complaints, start_new_session=True,
        )  # fmt: skip
        self._listener = threading.Thread(target=self._listen, daemon=True, name="nursery")
        self._listener.start()

    def start(self, job: Job, ended: Ending) -> bool:
        """Order a job, now or once the nursery is ready; `False` if it is dead."""
        with self._guard:
            if not self._is_dead:
                self._running[job.name] = _Running(ended, time.monotonic())
                if self._is_ready:
                    self._tell({"start": job.as_dict()})
                else:
                    self._held[job.name] = job
            return not self._is_dead

    def stop(self, name: str) -> None:
        """Order an end, or drop what has not been ordered yet."""
        with self._guard:
            if name not in self._held:
                self._tell({"stop": name})
                return
            del self._held[name]
            running = self._running.pop(name)
        running.ended(Outcome(Ended.STOPPED, None, 0.0, "stopped before it began"))

    def close(self) -> None:
        """End the input, which ends every job and the nursery; a nursery that hangs is killed."""
        self._end_input()
        if not self._is_ready:
            self._process.kill()  # it has no jobs, and would not look before it is done importing
        self._listener.join(_CLOSING)
        if self._listener.is_alive():
            self._process.kill()
            self._listener.join()

    def _tell(self, order: dict[str, Any]) -> None:
        """Send an order; if the nursery has just died, the listener sees to what was running."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            if not self._is_dead:
                self._process.stdin.write(json.dumps(order).encode() + b"\n")
                self._process.stdin.flush()

    def _end_input(self) -> None:
        assert self._process.stdin is not None
        with self._guard, contextlib.suppress(BrokenPipeError):
            self._is_dead = True
            self._process.stdin.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as news:
            for line in news:
                self._hear(json.loads(line))
        code = self._process.wait()
        self._end_input()
        with self._guard:
            lost = dict(self._running)
            self._running.clear()
        reason = f"the nursery died: {self._last_words(code)}"
        for running in lost.values():
            if running.pid is not None:
                end_group(running.pid)
            running.ended(Outcome(Ended.LOST, None, time.monotonic() - running.began, reason))

    def _hear(self, news: dict[str, Any]) -> None:
        if "ready" in news:
            with self._guard:
                self._is_ready = True
                for job in self._held.values():
                    self._tell({"start": job.as_dict()})
                self._held.clear()
        elif "pid" in news:
            self._running[news["name"]].pid = news["pid"]
        elif "ended" in news:
            with self._guard:
                running = self._running.pop(news["name"])
            outcome = Outcome(Ended(news["ended"]), news["returncode"], news["seconds"], news["reason"])
            running.ended(outcome)

    def _last_words(self, code: int) -> str:
        with self._complaints as complaints:
            complaints.seek(0)
            lines = complaints.read().decode("utf-8", "replace").strip().splitlines()
        return signal_name(-code) if code < 0 else [f"exit code {code}", *lines][-1]
