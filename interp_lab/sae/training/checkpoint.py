"""The state of a training on disk: one folder per checkpoint, complete when its `state.json` is there.

Tensors are in safetensors, one file per autoencoder; everything else is in `state.json`, which is written last and
holds the checksums of the files. A killed process leaves a folder without it, which is no checkpoint.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load, save

from interp_lab.runs import RunError, write_atomic
from interp_lab.runs.checkpoints import CheckpointError, require_same
from interp_lab.runs.files import Fingerprint, fingerprint, read_checked
from interp_lab.sae.training.state import numbers_of, restore, tensors_of
from interp_lab.sae.training.trainee import Trainee

STATE = "state.json"
FORMAT = 1
"""Raised when an older interp_lab could not read a newer checkpoint."""


@dataclass(frozen=True)
class Place:
    """Where a training stands."""

    step: int
    """Number of steps behind it."""
    activation: list[float]
    """The first of the last batch, by which it is noticed that a source gives others than it gave."""


def save_checkpoint(
    folder: Path, trainees: Sequence[Trainee], *, place: Place, identity: Mapping[str, Any], keep: int
) -> None:
    """Write the state, then remove all but the last `keep` checkpoints.

    Args:
        folder: of all checkpoints of the training.
        identity: flat; whoever resumes must have the same.

    Raises: CheckpointError, if the disk does not take it; the checkpoints before are as they were.
    """
    here = folder / f"step-{place.step:09d}"
    try:
        shutil.rmtree(here, ignore_errors=True)
        here.mkdir(parents=True)
        files = {trainee.name: _save_tensors(here, trainee) for trainee in trainees}
        state = {
            "format": FORMAT,
            "place": asdict(place),
            "identity": dict(identity),
            "saes": {trainee.name: numbers_of(trainee) for trainee in trainees},
            "files": {name: one.as_dict() for name, one in files.items()},
        }
        write_atomic(here / STATE, json.dumps(state).encode())
    except OSError as error:
        shutil.rmtree(here, ignore_errors=True)
        last = latest(folder)
        left = f"the last good checkpoint is {last.name}" if last else "there is no earlier checkpoint"
        raise CheckpointError(
            f"no checkpoint could be written after step {place.step} to {folder} ({error.strerror or error}); {left}: "
            "make room, and resume"
        ) from error
    _remove_old(folder, keep=keep)


def load_checkpoint(path: Path, trainees: Sequence[Trainee], *, identity: Mapping[str, Any]) -> Place:
    """Put a checkpoint into the trainees, in place, and return where it stands.

    Raises: CheckpointError, if it cannot be read, was damaged, or was made with another config or other activations.
    """
    way_out = f"remove {path} to go on from the checkpoint before it, if there is one"
    try:
        state = json.loads((path / STATE).read_bytes())
        version = state["format"]
        if version > FORMAT:
            raise CheckpointError(f"{path} has format {version}, and this interp_lab reads up to {FORMAT}; upgrade it")
        require_same(state["identity"], identity, path=path)
        found = {
            trainee.name: load(read_checked(_file(path, trainee.name), Fingerprint(**state["files"][trainee.name])))
            for trainee in trainees
        }
    except (RunError, KeyError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path} is no readable checkpoint ({error}); {way_out}") from error
    for trainee in trainees:
        restore(trainee, found[trainee.name], numbers=state["saes"][trainee.name])
    return Place(**state["place"])


def latest(folder: Path) -> Path | None:
    """Return the newest complete checkpoint."""
    complete = sorted(path.parent for path in folder.glob(f"step-*/{STATE}"))
    return complete[-1] if complete else None


def remove_incomplete(folder: Path) -> None:
    """Remove what killed processes left; nobody else may be writing there."""
    for path in folder.glob("step-*"):
        if not (path / STATE).is_file():
            shutil.rmtree(path)


def _file(path: Path, name: str) -> Path:
    return path / f"{name}.safetensors"


def _save_tensors(here: Path, trainee: Trainee) -> Fingerprint:
    data = save(tensors_of(trainee))
    write_atomic(_file(here, trainee.name), data)
    return fingerprint(data)


def _remove_old(folder: Path, *, keep: int) -> None:
    for path in sorted(path.parent for path in folder.glob(f"step-*/{STATE}"))[:-keep]:
        (path / STATE).unlink()  # first of all: a folder half removed is no checkpoint
        shutil.rmtree(path)
