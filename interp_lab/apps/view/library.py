"""The runs and investigations that are on view: found at the start or on request, read when they are asked for."""

import time
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

from interp_lab.apps.view.finding import Place, find
from interp_lab.apps.view.rows import Counted, Row, count_claims, read_row
from interp_lab.runs import RunError
from interp_lab.runs.folder import RECORD

PAGE = "index.html"
"""Of an investigation."""


class Library:
    """What is on view. An address leads to a folder through the index alone, so to none that was not found.

    What was read of a run is kept until its record changes, or until `refresh`.

    Raises: RunError, if there is nothing in the folders.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folder.absolute() for folder in folders)
        self._lock = Lock()
        self.refresh()
        if not self._places:
            named = ", ".join(map(str, folders))
            raise RunError(f"there is no run in {named}; name a folder that interp-lab run, sweep or demo has written")

    def refresh(self) -> None:
        """Look again which runs and investigations there are, and forget what was read of them.

        Raises: RunError, if one of the folders is gone.
        """
        places, closed = find(self._folders)
        self.closed = closed
        """Folders that could not be looked into, and why."""
        self._places = {place.id: place for place in places}
        self._rows: dict[str, tuple[object, Row]] = {}
        self._counted: dict[str, tuple[object, Counted]] = {}

    @property
    def n_runs(self) -> int:
        """How many there are, whole or not."""
        return sum(place.kind == "run" for place in self._places.values())

    @property
    def n_folders(self) -> int:
        """How many were named."""
        return len(self._folders)

    def rows(self) -> list[Row]:
        """Return all runs."""
        return [self._row(place) for place in list(self._places.values()) if place.kind == "run"]

    def investigations(self) -> list[Place]:
        """Return all investigations."""
        return [place for place in list(self._places.values()) if place.kind == "investigation"]

    def row(self, id: str) -> Row | None:
        """Return a run by its id; `None` if there is none."""
        place = self._places.get(id)
        return self._row(place) if place is not None and place.kind == "run" else None

    def counted(self, row: Row) -> Counted | None:
        """Return the claims of a run by grade, if they have been counted since it was written."""
        stamp, counted = self._counted.get(row.id, (None, None))
        return counted if stamp == _stamp(row.place) else None

    def count(self, *, seconds: float) -> int:
        """Count the claims of complete runs for so long, those of one at least; return how many are left."""
        end = time.monotonic() + seconds
        left = [row for row in self.rows() if row.status == "complete" and self.counted(row) is None]
        while left:
            self.count_one(left.pop(0))
            if time.monotonic() >= end:
                break
        return len(left)

    def count_one(self, row: Row) -> Counted:
        """Count the claims of a run, unless they have been."""
        with self._lock:
            known = self.counted(row)
            if known is None:
                known = count_claims(row.place)
                self._counted[row.id] = (_stamp(row.place), known)
            return known

    def page_of(self, id: str) -> Path | None:
        """Return the page of an investigation; `None` if there is no such investigation, or no page in its folder."""
        place = self._places.get(id)
        if place is None or place.kind != "investigation":
            return None
        page = place.path / PAGE
        is_inside = page.is_file() and page.resolve().parent == place.path.resolve()
        return page if is_inside else None

    def _row(self, place: Place) -> Row:
        stamp = _stamp(place)
        kept = self._rows.get(place.id)
        if kept is None or kept[0] != stamp:
            kept = self._rows[place.id] = (stamp, read_row(place))
        return kept[1]


def _stamp(place: Place) -> object:
    """Return what changes when the record of a run is written anew."""
    try:
        found = (place.path / RECORD).stat()
    except OSError:
        return "gone"
    return (found.st_mtime_ns, found.st_size, found.st_ino)
