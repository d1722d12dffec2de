"""What a trial logs while it runs: rows of the metric for early termination, and how far it is."""

from dataclasses import dataclass, field
from pathlib import Path

from interp_lab.runs import RunError
from interp_lab.runs.folder import METRICS
from interp_lab.runs.formats import decode_rows, without_superseded


@dataclass(frozen=True)
class Logged:
    """The rows of one trial so far."""

    values: tuple[float, ...] = ()
    """The metric, as often as it was logged; steps that a restart logged again count once."""
    n_rows: int = 0
    step: int | None = None
    """The last."""
    is_damaged: bool = False
    """Whether a line is no row: then nothing is known, and the trial is not judged by it while it runs."""

    @property
    def progress(self) -> str:
        """How far it is, in a word or three; empty before it logs anything."""
        if self.is_damaged:
            return "its metrics.jsonl is damaged"
        return f"step {self.step}" if self.step is not None else f"row {self.n_rows}" if self.n_rows else ""


@dataclass(frozen=True)
class Logs:
    """Reads the rows of trials, again only when there are more."""

    metric: str
    _known: dict[Path, tuple[int, Logged]] = field(default_factory=dict)

    def of(self, run_folder: Path) -> Logged:
        """Return what the run in a folder has logged by now; a line that is being written is left out."""
        path = run_folder / METRICS
        try:
            size = path.stat().st_size
            if self._known.get(path, (-1,))[0] != size:
                self._known[path] = (size, read_logged(path, metric=self.metric))
        except FileNotFoundError:
            return Logged()
        except RunError:
            return Logged(is_damaged=True)
        return self._known[path][1]


def read_logged(path: Path, *, metric: str) -> Logged:
    """Read the rows of a `metrics.jsonl`, the final one left out.

    Raises: FileNotFoundError; RunError, for a line that is no row.
    """
    rows = without_superseded(row for row in decode_rows(path.read_bytes(), path=path) if "final" not in row)
    steps = [row["step"] for row in rows if "step" in row]
    values = tuple(float(row[metric]) for row in rows if metric in row)
    return Logged(values, len(rows), steps[-1] if steps else None)
