"""Why a job ended as it did, in one line."""

import errno
import os
import re
import signal
from pathlib import Path

from interp_lab.jobs.job import Ended

_TAIL = 8192
_WIDTH = 300
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def last_line(log: Path, printed_before: int = 0) -> str:
    """Return the last line with anything in it that was printed after so many bytes; nothing if there is none."""
    if not log.is_file():
        return ""  # a device, or gone
    with log.open("rb") as handle:
        handle.seek(max(printed_before, handle.seek(0, os.SEEK_END) - _TAIL))
        text = _COLOUR.sub("", handle.read(_TAIL).decode("utf-8", "replace"))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:_WIDTH] if lines else ""


def signal_name(number: int) -> str:
    """Return `killed by signal 9 (SIGKILL)`."""
    known = {one.value: one.name for one in signal.Signals}
    return f"killed by signal {number} ({known.get(number, 'unknown')})"


def reason_of(ended: Ended, code: int, *, limit: float | None, last: str, log: Path) -> str:
    """Say why a job ended; a job that is done has no reason.

    Args:
        limit: its time limit, in seconds.
        last: the last line that it printed.
    """
    if ended is Ended.DONE:
        return ""
    if ended is Ended.STOPPED:
        return "stopped"
    if ended is Ended.TIMED_OUT:
        return f"not done after {limit:g} s"
    if code < 0:
        return signal_name(-code)
    space = os.statvfs(log.parent)
    is_full = space.f_bavail == 0 and space.f_blocks > 0 and os.strerror(errno.ENOSPC) not in last
    return (last or f"exit code {code}, and nothing in its log") + f"; no space left in {log.parent}" * is_full
