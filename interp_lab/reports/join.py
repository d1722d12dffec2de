"""Run folders read into results, all of them or none."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from interp_lab.config import ConfigError
from interp_lab.registry import EXPERIMENTS, load_result
from interp_lab.runs import RunError
from interp_lab.runs.folder import RECORD, read_record


def load_runs(folders: Sequence[Path]) -> list[Any]:
    """Load the results of complete run folders, in the order given.

    Raises: RunError, for no folder, one that is named twice, is no run, is incomplete or damaged, or is of an
        experiment that this version does not know; every folder that cannot be used is named, with the way out.
    """
    if not folders:
        raise RunError("a report needs at least one run folder; name those that interp-lab run has kept")
    results, wrong = [], []
    places: dict[Path, Path] = {}
    records: dict[str, Path] = {}
    for folder in folders:
        try:
            _require_new(folder, places)
            results.append(load_run(folder))
            _require_no_copy(folder, records)
        except RunError as error:
            wrong.append(str(error))
    if wrong:
        raise RunError("; ".join(dict.fromkeys(wrong)))
    return results


def load_run(folder: Path) -> Any:  # noqa: ANN401 - a Result
    """Load the result of one complete run folder.

    Raises: RunError, naming the folder, what is wrong with it, and the way out.
    """
    _require_run(folder)
    name = read_record(folder).experiment
    if name not in EXPERIMENTS:
        raise RunError(
            f"{folder} holds a run of {name!r}, which is no experiment of this interp_lab (there are "
            f"{', '.join(EXPERIMENTS)}); leave it out, or use the version that it was made with"
        )
    try:
        return load_result(folder)
    except RunError as error:
        if str(folder) in str(error):
            raise
        raise RunError(f"{folder}: {error}") from error
    except (ConfigError, ValueError, KeyError, TypeError) as error:  # files are whole: another version wrote them
        raise RunError(
            f"{folder} holds a run of {name} that this version cannot read ({type(error).__name__}: {error}); run it "
            "again, or use the version that it was made with"
        ) from error


def _require_run(folder: Path) -> None:
    if folder.is_file():
        raise RunError(f"{folder} is a file; name the run folder that it is in")
    if not folder.is_dir() or (folder / RECORD).is_file():
        return
    inside = sorted(path.parent.name for path in folder.glob(f"*/{RECORD}"))
    if inside:
        raise RunError(f"{folder} is no run folder but holds {len(inside)}; name those, such as {folder / inside[0]}")


def _require_new(folder: Path, seen: dict[Path, Path]) -> None:
    place = folder.resolve()
    if place in seen:
        also = "" if seen[place] == folder else f" (also as {seen[place]})"
        raise RunError(f"{folder} is named twice{also}; its claims would count double, name it once")
    seen[place] = folder


def _require_no_copy(folder: Path, seen: dict[str, Path]) -> None:
    record = read_record(folder).model_dump_json()
    if record in seen:
        raise RunError(f"{folder} is a copy of {seen[record]}; its claims would count double, name one of them")
    seen[record] = folder
