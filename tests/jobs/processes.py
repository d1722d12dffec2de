"""What the tests of jobs ask the system, and jobs that leave traces of themselves."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from interp_lab.jobs import Job

FAMILY = "sleep 300 & echo $$ $! > {traces}; sleep 300"
"""A job with a child of its own; it notes both."""


def shell(name: str, command: str, folder: Path, **options) -> Job:
    return Job(name, ("sh", "-c", command), folder / f"{name}.log", **options)


def family(name: str, folder: Path, **options) -> Job:
    return shell(name, FAMILY.format(traces=folder / f"{name}.pids"), folder, **options)


def pids_of(name: str, folder: Path) -> list[int]:
    """Wait until a family has noted who it is."""
    traces = folder / f"{name}.pids"
    assert soon(lambda: traces.is_file() and len(traces.read_text().split()) == 2), "it never began"
    return [int(pid) for pid in traces.read_text().split()]


def table(*columns: str) -> list[list[str]]:
    asked = [argument for column in columns for argument in ("-o", f"{column}=")]
    told = subprocess.run(["ps", "-A", *asked], capture_output=True, text=True, check=True).stdout
    return [line.split(None, len(columns) - 1) for line in told.splitlines()]


def living(*pids: int) -> list[int]:
    """Those of some processes that live; the dead whom nobody has buried do not."""
    return [int(pid) for pid, state in table("pid", "stat") if int(pid) in pids and not state.startswith("Z")]


def parent_of(child: int) -> int:
    return next(int(parent) for pid, parent in table("pid", "ppid") if int(pid) == child)


def soon(is_so: Callable[[], object], *, within: float = 10.0) -> bool:
    """Whether something comes true in time."""
    end = time.monotonic() + within
    while not (came := bool(is_so())) and time.monotonic() < end:
        time.sleep(0.02)
    return came
