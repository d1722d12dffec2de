"""What keeps held-out examples closed until it is written down what is to be tested on them.

Inside `sealed` the fold `search` is all there is, and reserved templates are left out, until a file exists: that of the
hypotheses. `folds` asks here; so does, through `open_templates`, whatever knows reserved templates.
"""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path


class FoldError(ValueError):
    """What may not be seen or used in the fold that is in force; the message names it, the rule and the way out."""


@dataclass
class _Seal:
    path: Path
    digest: str | None
    """SHA-256 of the file: as it must be, or as it was first found; `None` before."""
    is_open: bool = False

    def closes(self) -> bool:
        """Whether the file is not there yet; asked with every text, so the file is read once."""
        if not self.is_open and self.path.is_file():
            self.require_unchanged()
            self.is_open = True
        return not self.is_open

    def require_unchanged(self) -> None:
        if not self.path.is_file():
            raise FoldError(f"{self.path}, which opened what is held out, is gone; put it back as it was")
        found = digest_of(self.path)
        if self.digest not in (None, found):
            raise FoldError(
                f"{self.path} was changed after it was written: what is tested must stand before what is held out is "
                "seen; put it back as it was, or begin anew in another folder"
            )
        self.digest = found


_seal: ContextVar[_Seal | None] = ContextVar("seal", default=None)


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    return sha256(path.read_bytes()).hexdigest()


@contextmanager
def sealed(path: Path, *, digest: str | None = None) -> Generator[None]:
    """Keep what is held out closed inside the `with` block until a file exists; then all is open while it stays so.

    Args:
        digest: SHA-256 that the file must have; `None` takes it as it is first found.

    Raises: FoldError, within another seal.
    """
    around = _seal.get()
    if around is not None:
        raise FoldError(f"what is held out is sealed by {around.path} already; one seal at a time")
    token = _seal.set(_Seal(path, digest))
    try:
        yield
    finally:
        _seal.reset(token)


def closed() -> bool:
    """Return whether what is held out is closed now; not whether the file is what it was: this is asked often."""
    seal = _seal.get()
    return seal is not None and seal.closes()


def require_open(what: str) -> None:
    """Refuse what is held out while it is closed.

    Raises: FoldError, that names the file; also if the file is not what it was.
    """
    seal = _seal.get()
    if seal is None:
        return
    if seal.closes():
        raise FoldError(f"{what} open when {seal.path} is written; until then search on the fold 'search'")
    seal.require_unchanged()


def reserved_closed() -> bool:
    """Return whether reserved templates may not be seen now.

    Raises: FoldError, if the file that opened them is not what it was.
    """
    if closed():
        return True
    require_open("reserved templates")
    return False


def open_templates(reserved: bool | None) -> bool | None:
    """Return which templates may be drawn from where some are asked for; every source of examples asks.

    Args:
        reserved: reserved templates alone, the others alone, or (`None`) all.

    Returns: the same; the others alone, where all are asked for and reserved ones are closed.

    Raises: FoldError, where reserved ones alone are asked for and closed.
    """
    if reserved:
        require_open("reserved templates (n_held_out)")
    return False if reserved_closed() else reserved
