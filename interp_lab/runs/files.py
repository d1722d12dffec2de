"""Files that are whole or absent, and fingerprints that show when one was changed."""

import hashlib
import os
import secrets
from pathlib import Path

from interp_lab.config import Config

PARTIAL = ".*.partial"
"""Files that a killed process left half-written; nothing reads them."""


class RunError(ValueError):
    """A run folder that cannot be used; the message names the file, what is wrong, and the way out."""


class Fingerprint(Config):
    """What a file must look like to be the one that was written."""

    n_bytes: int
    blake2b: str
    """128 bits, hexadecimal."""


def fingerprint(data: bytes) -> Fingerprint:
    """Return length and checksum of a file's content."""
    return Fingerprint(n_bytes=len(data), blake2b=hashlib.blake2b(data, digest_size=16).hexdigest())


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file under a temporary name, force it to the disk, and rename it.

    Whoever opens `path`, at any moment and after any crash, finds the old content or the new. The folder must exist.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        with partial.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if not hasattr(os, "O_DIRECTORY"):  # Windows opens no folders; its renames are in the journal
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes left half-written; nobody else may be writing there."""
    for leftover in folder.rglob(PARTIAL):
        leftover.unlink()


def read_checked(path: Path, expected: Fingerprint) -> bytes:
    """Read a file of a complete run.

    Raises: RunError, if it is missing, truncated, or not what was written.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise RunError(f"{path} is missing from a complete run; restore it from a copy, or run again") from error
    if len(data) != expected.n_bytes:
        raise RunError(f"{path} has {len(data)} bytes, not the {expected.n_bytes} that were written; run again")
    if fingerprint(data) != expected:
        raise RunError(f"{path} was changed after the run: its checksum is wrong; restore it from a copy, or run again")
    return data
