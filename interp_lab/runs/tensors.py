"""Tensors with a header in one safetensors file, which is whole or absent."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from interp_lab.runs.files import write_atomic
from interp_lab.runs.formats import with_sorted_header


class TensorFileError(ValueError):
    """A file that does not hold what it should; the message names it and what is wrong."""


def save_tensors(path: Path, tensors: Mapping[str, Tensor], *, header: Mapping[str, str]) -> None:
    """Write tensors, whole or not at all; the folder must exist."""
    write_atomic(path, encode_tensors(tensors, header=header))


def encode_tensors(tensors: Mapping[str, Tensor], *, header: Mapping[str, str] | None = None) -> bytes:
    """Return the bytes of a safetensors file; equal tensors are equal bytes."""
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    return with_sorted_header(save(plain, None if header is None else dict(header)))


def load_tensors(
    path: Path, *, what: str, way_out: str, expected: str | None = None
) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Return header and tensors.

    Args:
        what: the file should be, for errors.
        expected: value of `format` in the header; `None` asks for none.

    Raises: TensorFileError, if the file is missing, unreadable, or of another format.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError) as error:
        raise TensorFileError(f"{path} is no readable {what} ({error}); {way_out}") from error
    if expected is not None and header.get("format") != expected:
        raise TensorFileError(
            f"{path} is no {what}: its format is {header.get('format')!r}, not {expected!r}; {way_out}"
        )
    return header, tensors
