"""The GGUF container, as much of it as control vectors need: version 3, little-endian, unquantised tensors.

A file is a header (magic, version, counts), fields (name, type, value), descriptions of tensors (name, shape, type,
offset), and their data, each at a multiple of the alignment.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from interp_lab.runs import write_atomic
from interp_lab.runs.tensors import TensorFileError

Value = str | int | float | bool | list["Value"]
"""Of a field."""

_MAGIC, _VERSIONS, _ALIGNMENT = b"GGUF", (2, 3), 32
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _LIST = 8, 9
_UINT32 = 4
_DTYPES = {0: torch.float32, 1: torch.float16, 28: torch.float64, 30: torch.bfloat16}
_MOST_DIMENSIONS = 4


def write_gguf(path: Path, fields: Mapping[str, str | int], tensors: Mapping[str, Tensor]) -> None:
    """Write text and numbers from 0 to 2**32 - 1 as fields, and tensors as float32; whole or not at all."""
    plain = {name: value.detach().cpu().float().contiguous() for name, value in tensors.items()}
    head = _MAGIC + struct.pack("<IQQ", _VERSIONS[-1], len(plain), len(fields))
    for name, value in fields.items():
        head += _text(name) + struct.pack("<I", _TEXT if isinstance(value, str) else _UINT32)
        head += _text(value) if isinstance(value, str) else struct.pack("<I", value)
    data = b""
    for name, tensor in plain.items():
        shape = tuple(reversed(tensor.shape))  # the fastest axis comes first
        head += _text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, len(data))
        data += _padded(tensor.numpy().astype("<f4").tobytes())
    write_atomic(path, _padded(head) + data)


def read_gguf(path: Path) -> tuple[dict[str, Value], dict[str, Tensor]]:
    """Return fields and tensors.

    Raises: TensorFileError, if the file is missing, no GGUF, cut off, big-endian or of another version, or holds
        quantised tensors.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TensorFileError(f"{path} cannot be read ({error}); give a GGUF file") from error
    try:
        return _parsed(_Reader(data))
    except (struct.error, UnicodeDecodeError, ValueError) as error:
        raise TensorFileError(
            f"{path} is no GGUF file of version 2 or 3 that can be read ({error}); write it again, with repeng's "
            "export_gguf or with to_gguf"
        ) from error


@dataclass
class _Reader:
    data: bytes
    at: int = 0

    def take(self, kind: str) -> tuple[int | float | bool, ...]:
        values = struct.unpack_from(f"<{kind}", self.data, self.at)
        self.at += struct.calcsize(f"<{kind}")
        return values

    def number(self, kind: str) -> int:
        return int(self.take(kind)[0])

    def text(self) -> str:
        return self.bytes(self.number("Q")).decode("utf-8")

    def bytes(self, length: int) -> bytes:
        end = self.at + length
        if end > len(self.data):
            raise ValueError(f"it ends at byte {len(self.data)}, and goes on to {end}")
        found, self.at = self.data[self.at : end], end
        return found

    def value(self, kind: int) -> Value:
        if kind == _TEXT:
            return self.text()
        if kind == _LIST:
            inner, length = self.number("I"), self.number("Q")
            if length > len(self.data):
                raise ValueError(f"a list of {length} entries does not fit into it")
            return [self.value(inner) for _ in range(length)]
        if kind not in _SCALARS:
            raise ValueError(f"a field has the unknown type {kind}")
        return self.take(_SCALARS[kind])[0]


def _parsed(file: _Reader) -> tuple[dict[str, Value], dict[str, Tensor]]:
    if file.bytes(4) != _MAGIC:
        raise ValueError("it does not begin with GGUF")
    version = file.number("I")
    if version not in _VERSIONS:
        raise ValueError(f"its version is {version}")
    n_tensors, n_fields = file.number("Q"), file.number("Q")
    fields: dict[str, Value] = {}
    for _ in range(n_fields):
        name = file.text()
        fields[name] = file.value(file.number("I"))
    described = [_description(file) for _ in range(n_tensors)]
    alignment = fields.get("general.alignment", _ALIGNMENT)
    if not isinstance(alignment, int) or alignment < 1:
        raise ValueError(f"its alignment is {alignment}")
    begin = -(-file.at // alignment) * alignment
    return fields, {name: _tensor(file, begin + offset, shape, kind) for name, shape, kind, offset in described}


def _description(file: _Reader) -> tuple[str, tuple[int, ...], int, int]:
    name, n_dims = file.text(), file.number("I")
    if n_dims > _MOST_DIMENSIONS:
        raise ValueError(f"tensor {name!r} has {n_dims} dimensions")
    shape = tuple(int(size) for size in reversed(file.take(f"{n_dims}Q")))
    kind, offset = file.number("I"), file.number("Q")
    if kind not in _DTYPES:
        raise ValueError(
            f"tensor {name!r} is quantised or of an unknown type ({kind}), not float16, 32, 64 or bfloat16"
        )
    return name, shape, kind, offset


def _tensor(file: _Reader, begin: int, shape: tuple[int, ...], kind: int) -> Tensor:
    dtype = _DTYPES[kind]
    n = torch.Size(shape).numel()
    file.at = begin
    raw = bytearray(file.bytes(n * dtype.itemsize))
    return torch.frombuffer(raw, dtype=dtype).reshape(shape) if n else torch.zeros(shape, dtype=dtype)


def _text(value: str) -> bytes:
    encoded = value.encode("utf-8")
    return struct.pack("<Q", len(encoded)) + encoded


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % _ALIGNMENT)
