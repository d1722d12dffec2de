"""One writer per folder of activations, also after a writer died."""

from contextlib import AbstractContextManager
from pathlib import Path

from interp_lab.runs.lock import held
from interp_lab.sae.activations.manifest import StoreError


def sole_writer(folder: Path) -> AbstractContextManager[None]:
    """Keep other processes from writing to a folder while the block runs; see `runs.lock.held`.

    The folder itself is locked, so that a store holds nothing but activations.

    Raises: StoreError, if another process is writing there, or it is a file.
    """
    return held(folder, who="writer of activations", file=None, error=StoreError)
