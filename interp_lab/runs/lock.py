"""One process at a time in a folder: drivers of sweeps and maps, and writers of activations, hold it."""

import os
import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from interp_lab.runs.files import RunError

LOCK = ".driver"
"""Held by the driver at work in a folder, and says which process that is; it is gone when the driver is done."""


@contextmanager
def held(
    folder: Path, *, who: str = "driver", file: str | None = LOCK, error: type[ValueError] = RunError
) -> Generator[None]:
    """Keep others of a kind out of a folder while the block runs; make it for that, if need be.

    The system forgets the lock when the process dies, however it dies. Windows has no such locks; nothing is locked
    there. A folder that was made here and stays empty is removed.

    Args:
        who: are kept out, for the error.
        file: in the folder, is locked, says who holds it, and is removed at the end. `None` locks the folder itself,
            which some network disks cannot do.
        error: to raise.

    Raises: `error`, if another process holds the folder, naming it where known, or `folder` is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise error(f"{folder} is a file; a {who} needs a folder of its own")
    was_there = folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if sys.platform == "win32":
            yield
        else:
            with _locked(folder, file, who, error):
                yield
    finally:
        if not was_there and not any(folder.iterdir()):
            folder.rmdir()


@contextmanager
def _locked(folder: Path, file: str | None, who: str, error: type[ValueError]) -> Generator[None]:
    import fcntl

    handle = _opened(folder, file)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            while file is not None and not _is_there(handle, folder / file):  # its holder has removed it meanwhile
                os.close(handle)
                handle = _opened(folder, file)
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as refused:
            holder = "" if file is None else f" ({_holder(handle)})"
            raise error(
                f"another {who}{holder} is at work in {folder}; wait for it, stop it, or take another folder"
            ) from refused
        if file is None:
            yield
            return
        _say(handle, f"{os.getpid()} {socket.gethostname()}\n")
        try:
            yield
        finally:
            _say(handle, "")  # who has opened it already may ask
            (folder / file).unlink(missing_ok=True)
    finally:
        os.close(handle)


def _opened(folder: Path, file: str | None) -> int:
    way = os.O_RDONLY if file is None else os.O_RDWR | os.O_CREAT
    return os.open(folder if file is None else folder / file, way, 0o666)


def _is_there(handle: int, path: Path) -> bool:
    """Whether an open file is the one that a path leads to now."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _say(handle: int, text: str) -> None:
    os.ftruncate(handle, 0)
    os.pwrite(handle, text.encode("utf-8"), 0)


def _holder(handle: int) -> str:
    pid, _, host = os.pread(handle, 512, 0).decode("utf-8", "replace").strip().partition(" ")
    return f"process {pid or 'unknown'}" + (f" on {host}" if host not in ("", socket.gethostname()) else "")
