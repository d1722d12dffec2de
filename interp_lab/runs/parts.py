"""Work in numbered parts: each made once, by whichever process comes to it, whole or absent; read when all are there.

A part is a function of its number alone. So it does not matter how many processes make parts, where, in which order, or
how often one of them is killed: what is joined in the end is the same, byte by byte.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pydantic import ValidationError
from torch import Tensor

from interp_lab.config import Config
from interp_lab.experiment import Progress, silent
from interp_lab.runs.files import Fingerprint, RunError, fingerprint, write_atomic
from interp_lab.runs.tensors import TensorFileError, encode_tensors, load_tensors

Arrays = dict[str, Tensor]
"""Content of a part."""
WAY_OUT = "make it again, with the same command once more"


class _Note(Config):
    """Stands beside a part, and is written after it."""

    key: str
    file: Fingerprint


@dataclass(frozen=True)
class Parts:
    """A folder of parts, some of which may be there already."""

    folder: Path
    n: int
    """How many there are to be."""
    key: str
    """Of the work, see `key_of`: parts of other work are refused."""

    def path(self, number: int) -> Path:
        """Return where a part is."""
        return self.folder / f"part-{number:05d}.safetensors"

    def has(self, number: int) -> bool:
        """Whether a part is there; one that was torn or cut short is not.

        Raises: RunError, if it is of other work.
        """
        note, path = self._note(number), self.path(number)
        return note is not None and path.is_file() and path.stat().st_size == note.file.n_bytes

    def missing(self) -> list[int]:
        """Return the numbers of the parts that are not there.

        Raises: RunError, if one is of other work.
        """
        return [number for number in range(self.n) if not self.has(number)]

    def write(self, number: int, arrays: Mapping[str, Tensor]) -> None:
        """Write a part; it is there when its note has been renamed.

        Raises: OSError, of the disk's own; what was there before stays.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        data = encode_tensors(arrays)
        write_atomic(self.path(number), data)
        note = _Note(key=self.key, file=fingerprint(data))
        write_atomic(self._note_path(number), note.model_dump_json().encode("utf-8"))

    def read(self, number: int) -> Arrays:
        """Return a part.

        Raises: RunError, if it is missing, was changed, or is of other work.
        """
        expected, path = self.fingerprint(number), self.path(number)
        if not path.is_file():
            raise RunError(f"{path} is missing; {WAY_OUT}")
        if fingerprint(path.read_bytes()) != expected:
            raise RunError(f"{path} was changed after it was written: its checksum is wrong; remove it, and {WAY_OUT}")
        try:
            return load_tensors(path, what="part", way_out=WAY_OUT)[1]
        except TensorFileError as error:
            raise RunError(str(error)) from error

    def fingerprint(self, number: int) -> Fingerprint:
        """Return what the file of a part looks like.

        Raises: RunError, if it is missing or of other work.
        """
        note = self._note(number)
        if note is None:
            raise RunError(f"part {number} of {self.n} is not in {self.folder}; {WAY_OUT}")
        return note.file

    def _note_path(self, number: int) -> Path:
        return self.path(number).with_suffix(".json")

    def _note(self, number: int) -> _Note | None:
        path = self._note_path(number)
        try:
            note = _Note.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError as error:
            raise RunError(f"{path} is no note of a part; remove it, and the part is made again") from error
        if note.key != self.key:
            raise RunError(
                f"{self.folder} holds parts of other work (another config, text, model or version); take another folder"
            )
        return note


@runtime_checkable
class Divided(Protocol):
    """Work that falls into parts; an experiment says with `divided` what its own is."""

    @property
    def n_parts(self) -> int:
        """How many."""
        ...

    @property
    def inputs(self) -> str:
        """Checksum of what the config only names: a text, pairs of a file, weights of an autoencoder."""
        ...

    def make(self, numbers: Sequence[int]) -> Iterator[tuple[int, Arrays]]:
        """Yield parts by number, in rising order; each depends on its number alone, not on which others are asked for.

        Asked for together, parts that follow each other may share what comes before them (text that is read, say).
        """
        ...


def make_parts(work: Divided, parts: Parts, numbers: Sequence[int], *, progress: Progress = silent) -> list[int]:
    """Make those of some parts that are not there yet; returns their numbers.

    Raises: ValueError, for a number that there is not; as `work.make`; OSError, if the disk is full: what is whole
        stays, and is not made again.
    """
    wrong = [number for number in numbers if not 0 <= number < parts.n]
    if wrong:
        raise ValueError(f"there is no part {wrong[0]}: parts are numbered 0 to {parts.n - 1}")
    wanted = [number for number in sorted(set(numbers)) if not parts.has(number)]
    for nth, (number, arrays) in enumerate(work.make(wanted) if wanted else (), start=1):
        parts.write(number, arrays)
        progress(nth, len(wanted), f"part {number}")
    return wanted


def key_of(values: Mapping[str, Any]) -> str:
    """Return what stands for the work that parts belong to: a checksum of plain data."""
    data = json.dumps(values, sort_keys=True).encode("utf-8")
    return hashlib.blake2b(data, digest_size=16).hexdigest()
