"""What is done inside a job's own process, from the fork to its exit."""

import atexit
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from interp_lab.jobs.groups import die_with
from interp_lab.jobs.job import Job

_FLUSH_FAILED = 120
"""Python's own exit code for it."""

_codes: list[int] = []
"""The exit code of this process, if it is a forked job."""


def leave_early() -> None:
    """Let forked jobs leave once all that was registered for their exit has run.

    To be called before anything else registers: the last to be registered is the first to run. Taking a thousand
    modules apart, page by copied page, would cost a job most of a second.
    """
    atexit.register(_leave)


def be_the_job(job: Job, log: int, entry: Callable[[], object] | None) -> NoReturn:
    """Turn a fresh fork into the job, and work: in a session of its own, ended by the system if its parent dies.

    Args:
        log: an open file, for standard output and error.
        entry: what to call; `None` to become the program that the job names.
    """
    parent = os.getppid()
    os.setsid()
    die_with(parent)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for handle, place in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(handle, place)
    for handle in {nothing, log} - {0, 1, 2}:
        os.close(handle)
    _forget_signals()
    os.environ.update(job.env)
    if entry is None:
        _become_program(job.argv)
    _call(entry, job.argv)


def _forget_signals() -> None:
    """Undo what the keeper does with signals."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _become_program(argv: tuple[str, ...]) -> NoReturn:
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and what it starts would
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(argv[0], argv)
    except OSError as error:
        os.write(2, f"cannot start {argv[0]}: {error.strerror}\n".encode())
    os._exit(127)


def _call(entry: Callable[[], object], argv: Sequence[str]) -> NoReturn:
    """Call an entry point as the script that is installed for it does, in a process that imported it already."""
    _codes.append(1)
    sys.argv = list(argv)
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()  # every fork has the same global generator; Python's own is seeded anew by itself
    try:
        sys.exit(entry())  # ty: ignore[invalid-argument-type] - whatever it returns is an exit code, as in the script
    except SystemExit as leaving:
        _codes[0] = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
        raise


def _leave() -> None:
    if _codes:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except OSError:
            os._exit(_FLUSH_FAILED)
        os._exit(_codes[0] & 0xFF)
