"""What is asked of an executor, and what it answers: plain data, so that it passes through pipes and clusters."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any


class Ended(Enum):
    """How a job ended."""

    DONE = "done"
    FAILED = "failed"
    """It could not start, said no (an exit code), or was killed by somebody else."""
    TIMED_OUT = "timed out"
    STOPPED = "stopped"
    """It was asked to."""
    LOST = "lost"
    """Who kept it died (a node, say), and it with them: nothing is known against the job itself."""


@dataclass(frozen=True)
class Job:
    """A command line, run once in a session of its own, and what is kept of what it prints.

    A job cannot be asked questions; what it finds is in the files that it writes.
    """

    name: str
    """By which it is stopped; no two of those that an executor has at one time may share it."""
    argv: tuple[str, ...]
    log: Path
    """Standard output and error are appended to it; its folder is made."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Laid over the environment of the driver."""
    time_limit: float | None = None
    """Seconds, from its start; what it started is ended with it."""
    lock: Path | None = None
    """Locked from before its start until it, and whoever it forked, is gone. A second attempt waits 10 s for that."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain data with absolute paths, ready for JSON."""
        paths = {key: str(path.absolute()) for key, path in (("log", self.log), ("lock", self.lock)) if path}
        given = {"name": self.name, "argv": list(self.argv), "env": dict(self.env), "time_limit": self.time_limit}
        return {**given, "lock": None, **paths}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Job":
        """Read what `as_dict` wrote."""
        lock = data["lock"] and Path(data["lock"])
        return cls(data["name"], tuple(data["argv"]), Path(data["log"]), data["env"], data["time_limit"], lock)


@dataclass(frozen=True)
class Outcome:
    """How one attempt at a job ended."""

    ended: Ended
    returncode: int | None
    """Negative for a signal, `None` where the job never ran or took it to the grave."""
    seconds: float
    """From start to end; waiting for a worker is not counted, waiting for its lock is."""
    reason: str = ""
    """One line, and nothing for a job that is done: the last of its log, or what was done to it."""


Ending = Callable[[Outcome], None]
"""Called once with how a job ended, from a thread of the executor."""


def n_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
