"""Stopping a command: one line that says how to go on, and an exit code that says by what."""

import signal
from collections.abc import Generator
from contextlib import contextmanager
from typing import NoReturn

import typer


class _TerminatedError(BaseException):
    """SIGTERM, as an exception, so that jobs are stopped on the way out."""


@contextmanager
def stoppable(go_on: str) -> Generator[None]:
    """Turn an interrupt or SIGTERM into one line and exit code 130 or 143; what runs has been stopped by then.

    Args:
        go_on: what goes on with the work, as the line ends.
    """

    def end(*_: object) -> NoReturn:
        raise _TerminatedError

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except (KeyboardInterrupt, _TerminatedError) as stop:
        typer.echo(f"stopped; {go_on} goes on")
        raise typer.Exit(130 if isinstance(stop, KeyboardInterrupt) else 143) from None
    finally:
        signal.signal(signal.SIGTERM, before)
