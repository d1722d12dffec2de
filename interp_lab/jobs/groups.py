"""A job and all that it started: signalled together, and buried by whoever keeps them."""

import contextlib
import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Become the parent of whoever loses theirs below this process (Linux), so that their end can be waited for."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with(parent: int) -> None:
    """Ask Linux to end this process with its parent; elsewhere others have to."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)  # it died before the system had been told


def end_group(leader: int) -> None:
    """Kill whatever is left of a job's process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # none left; macOS says the second of the dying
        os.killpg(leader, signal.SIGKILL)


def bury_group(leader: int) -> None:
    """Kill what is left of a group, and wait until those of it that are children of this process are gone."""
    end_group(leader)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-leader, 0)


def signal_group(leader: int, number: signal.Signals) -> None:
    """Signal a job's group, or the job if it does not lead one yet.

    The job must not have been waited for, so that its number is still its own.
    """
    try:
        os.killpg(leader, number)
    except ProcessLookupError:
        os.kill(leader, number)


def buried(pid: int) -> int | None:
    """Bury all children of this process that have died; return the wait status of one, if it was among them."""
    status = None
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            status = found[1] if found[0] == pid else status
    return status
