"""Reading what W&B wrote to disk, without W&B's server: the transaction log `run-ID.wandb`.

The log is a sequence of 32 KiB blocks after LevelDB's format, made for wandb 0.31: a 7-byte file header, then chunks of
checksum (4 bytes), length (2), kind (1) and data. A record is one whole chunk, or a first, middles and a last one;
no chunk crosses the end of a block, and fewer than 7 bytes at that end are padding.
"""

import json
import struct
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BLOCK = 32 * 1024
CHUNK_HEADER = struct.Struct("<IHB")
FILE_HEADER = b":W&B" + struct.pack("<HB", 0xBEE1, 0)
"""Magic bytes, a magic number and the version of the format."""
WHOLE, FIRST, MIDDLE, LAST = 1, 2, 3, 4


@dataclass(frozen=True)
class WandbArtifact:
    """An artifact that a run logged."""

    type: str
    name: str
    paths: tuple[str, ...]
    """Of its files, within the artifact."""


@dataclass(frozen=True)
class WandbRecord:
    """A run as W&B recorded it. Nested values have dotted keys."""

    run_id: str
    project: str
    name: str
    group: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    history: tuple[Mapping[str, Any], ...] = ()
    """Logged rows in order; besides what was logged they have W&B's `_step`, `_timestamp` and `_runtime`."""
    summary: Mapping[str, Any] = field(default_factory=dict)
    """Last value of every metric, and what was set on the summary."""
    artifacts: tuple[WandbArtifact, ...] = ()
    exit_code: int | None = None
    """`None` for a run that was killed or still goes on."""

    def rows(self) -> list[dict[str, Any]]:
        """Return the history as it was logged, without what W&B adds."""
        return [{key: value for key, value in row.items() if not key.startswith("_")} for row in self.history]


def read_wandb_run(run_dir: Path) -> WandbRecord:
    """Read a W&B run folder, such as `wandb/offline-run-20260101_120000-abcd1234`.

    A torn end, as a killed or running process leaves it, ends the record; what is before it is returned.

    Raises: ValueError, if the folder holds no log, the log is not in W&B's format, or it is damaged before its end.
    """
    path = _log_of(run_dir)
    return _assemble(_iter_messages(path), path=path)


def wait_until_finished(run_dir: Path, *, timeout: float = 10.0) -> bool:
    """Wait for the last record of a run that was told to finish; returns whether it came within `timeout` seconds."""
    path, deadline, n_bytes = _log_of(run_dir), time.monotonic() + timeout, -1
    while time.monotonic() < deadline:
        if path.stat().st_size != n_bytes:
            n_bytes = path.stat().st_size
            if any(message.HasField("exit") for message in _iter_messages(path)):
                return True
        time.sleep(0.01)
    return False


def _log_of(run_dir: Path) -> Path:
    logs = sorted(run_dir.glob("run-*.wandb"))
    if len(logs) != 1:
        raise ValueError(f"{run_dir} holds {len(logs)} W&B logs (run-ID.wandb), not one; name one run's folder")
    return logs[0]


def _iter_messages(path: Path) -> Iterator[Any]:
    from wandb.proto import wandb_internal_pb2

    parse = wandb_internal_pb2.Record.FromString  # ty: ignore[missing-attribute] - protobuf makes classes on import
    return map(parse, iter_records(path))


def _assemble(messages: Iterator[Any], *, path: Path) -> WandbRecord:
    found: dict[str, list[Any]] = {}
    for message in messages:
        kind = message.WhichOneof("record_type")
        found.setdefault(kind, []).append(getattr(message, kind))
    if "run" not in found:
        raise ValueError(f"{path} ends before the run begins: it was killed as it started, and holds nothing")
    run = found["run"][-1]
    config = _fold([*(start.config for start in found["run"]), *found.get("config", [])])
    return WandbRecord(
        run_id=run.run_id,
        project=run.project,
        name=run.display_name,
        group=run.run_group,
        config={key: value for key, value in config.items() if not key.startswith("_wandb")},
        history=tuple(_values(row.item) for row in found.get("history", [])),
        summary=_fold(found.get("summary", [])),
        artifacts=tuple(_artifact(logged) for logged in found.get("artifact", [])),
        exit_code=found["exit"][-1].exit_code if "exit" in found else None,
    )


def _fold(changes: list[Any]) -> dict[str, Any]:
    """Apply updates and removals in order."""
    values: dict[str, Any] = {}
    for change in changes:
        values.update(_values(change.update))
        for item in change.remove:
            values.pop(_key(item), None)
    return values


def _values(items: Any) -> dict[str, Any]:  # noqa: ANN401 - protobuf's repeated items
    return {_key(item): json.loads(item.value_json) for item in items}


def _key(item: Any) -> str:  # noqa: ANN401 - a protobuf item
    return ".".join(item.nested_key) or item.key


def _artifact(logged: Any) -> WandbArtifact:  # noqa: ANN401 - a protobuf message
    return WandbArtifact(logged.type, logged.name, tuple(entry.path for entry in logged.manifest.contents))


def iter_records(path: Path) -> Iterator[bytes]:
    """Yield the records of a log, up to a torn end.

    Raises: ValueError, if it is no W&B log, or damaged before its end.
    """
    data = path.read_bytes()
    if not data.startswith(FILE_HEADER):
        raise ValueError(f"{path} is no W&B log of a known version: it begins with {data[: len(FILE_HEADER)]!r}")
    parts: list[bytes] = []
    for kind, chunk in _iter_chunks(data, path=path):
        if (kind in (WHOLE, FIRST)) == bool(parts):
            raise ValueError(f"{path} is damaged: a record begins or goes on where it must not")
        parts.append(chunk)
        if kind in (WHOLE, LAST):
            yield b"".join(parts)
            parts = []


def _iter_chunks(data: bytes, *, path: Path) -> Iterator[tuple[int, bytes]]:
    at = len(FILE_HEADER)
    while at + CHUNK_HEADER.size <= len(data):
        left = BLOCK - at % BLOCK
        if left < CHUNK_HEADER.size:
            at += left
            continue
        checksum, length, kind = CHUNK_HEADER.unpack_from(data, at)
        start = at + CHUNK_HEADER.size
        if kind not in (WHOLE, FIRST, MIDDLE, LAST) or length > left - CHUNK_HEADER.size:
            if not any(data[at:]):  # space that was reserved and never written
                return
            raise ValueError(f"{path} is damaged at byte {at}: no chunk begins there")
        chunk = data[start : start + length]
        if len(chunk) < length:
            return
        if zlib.crc32(chunk, zlib.crc32(bytes([kind]))) != checksum:
            raise ValueError(f"{path} is damaged at byte {at}: wrong checksum")
        yield kind, chunk
        at = start + length
