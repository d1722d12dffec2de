"""Where runs and investigations are below some folders; nothing in them is read."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from interp_lab.runs import RunError
from interp_lab.runs.folder import RECORD

_OF_INVESTIGATIONS = frozenset({"investigation.yaml", "hypotheses.json"})
"""Files of which an investigation has at least one."""


@dataclass(frozen=True)
class Place:
    """A folder that holds a run, or an investigation."""

    id: str
    """The only way from an address to the folder; the same as long as the folder stays where it is."""
    name: str
    """Path from the folder that was named, that folder's name included."""
    path: Path
    kind: Literal["run", "investigation"]


def find(folders: Sequence[Path]) -> tuple[list[Place], list[str]]:
    """Return the runs and investigations in some folders and below them, each once, and what could not be looked into.

    Hidden folders, and links to folders, are passed over unless they were named themselves; so is what lies in a run.

    Raises: RunError, for no folder, or one that is not there.
    """
    if not folders:
        raise RunError("there is nothing to view; name run folders, or folders that hold some, such as out")
    missing = [str(folder) for folder in folders if not folder.is_dir()]
    if missing:
        raise RunError(f"there is no folder {', '.join(missing)}; name run folders, or folders that hold some")
    failures: list[OSError] = []
    found: dict[str, Place] = {}
    for folder in folders:
        for place in _below(folder.resolve(), failures):
            found.setdefault(place.id, place)
    return list(found.values()), [f"{error.filename}: {error.strerror}" for error in failures]


def _below(root: Path, failures: list[OSError]) -> Iterator[Place]:
    for directory, inside, files in os.walk(root, onerror=failures.append):
        path = Path(directory)
        if RECORD in files:
            inside.clear()
            yield _place(path, root, "run")
        elif _OF_INVESTIGATIONS.intersection(files):
            yield _place(path, root, "investigation")
        inside[:] = sorted(name for name in inside if not name.startswith("."))


def _place(path: Path, root: Path, kind: Literal["run", "investigation"]) -> Place:
    name = (Path(root.name) / path.relative_to(root)).as_posix() if root.name else path.as_posix()
    return Place(blake2b(os.fsencode(path), digest_size=8).hexdigest(), name, path, kind)
