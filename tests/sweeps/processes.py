"""Processes of sweeps: begun, waited for, found."""

import os
import time
from pathlib import Path

from tests.sweeps.carrying_out import sweep


def drive(folder, **options):
    """Run a sweep in a forked driver; returns its process id."""
    pid = os.fork()
    if pid == 0:
        code = 3
        try:
            os.setsid()
            sweep(folder, **options)
            code = 0
        finally:
            os._exit(code)
    return pid


def until(condition, *, seconds=40.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def nursery_of(pid):
    """The process that forks the jobs of a driver."""
    for found in Path("/proc").glob("[0-9]*"):
        try:
            words = (found / "cmdline").read_bytes().split(b"\0")
            parent = int((found / "stat").read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid and b"interp_lab.jobs.nursery" in words:
            return int(found.name)
    raise AssertionError("no nursery")


def running_in(folder):
    """Processes that were given a path in this folder, or have a file in it open."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            opened = [str(handle.readlink()) for handle in (process / "fd").iterdir()]
        except OSError:
            continue
        if process.name != str(os.getpid()) and any(path.startswith(str(folder)) for path in opened):
            found.append(process.name)
    return found
