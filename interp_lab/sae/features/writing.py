"""Writing a folder of features: tables in row groups, each file whole or absent, and the folder complete at the end."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from interp_lab.runs.files import Fingerprint, fingerprint, remove_leftovers, write_atomic
from interp_lab.sae.features.schema import ABOUT, SCHEMAS, About

LATENTS_PER_GROUP = 64
"""Latents in a row group, unless told otherwise: what is read for one."""

Chunk = Mapping[str, Any]
"""Columns of some latents, sorted by latent."""


def write_folder(
    folder: str | Path,
    tables: Mapping[str, Iterable[Chunk | pd.DataFrame]],
    *,
    about: Mapping[str, Any],
    latents_per_group: int = LATENTS_PER_GROUP,
) -> None:
    """Write all tables, and last of all `about.json`: before that the folder is not complete.

    Args:
        folder: made if need be; features that were there are replaced.
        tables: of each table its rows, latents rising, in chunks of any size.
        about: what `About` says, but for the files.

    Raises: ValueError, if a table is missing or its latents do not rise; OSError, if the disk is full.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    (folder / ABOUT).unlink(missing_ok=True)
    absent = [name for name in SCHEMAS if name not in tables]
    if absent:
        raise ValueError(f"no table {absent[0]!r} to write; give {', '.join(SCHEMAS)}")
    files: dict[str, Fingerprint] = {}
    for name, schema in SCHEMAS.items():
        data = _encoded(tables[name], schema, latents_per_group, what=name)
        write_atomic(folder / f"{name}.parquet", data)
        files[f"{name}.parquet"] = fingerprint(data)
    done = About.from_mapping({**about, "latents_per_group": latents_per_group, "files": {}})
    done = done.model_copy(update={"files": files})
    write_atomic(folder / ABOUT, json.dumps(done.as_dict(), indent=2).encode("utf-8"))


def _encoded(chunks: Iterable[Chunk | pd.DataFrame], schema: pa.Schema, per_group: int, *, what: str) -> bytes:
    """Return a table as parquet; row groups end where `latent // per_group` changes, wherever chunks do."""
    sink = pa.BufferOutputStream()
    waiting: list[pa.Table] = []
    last = -1
    with pq.ParquetWriter(sink, schema, compression="zstd", version="2.6") as writer:
        for chunk in chunks:
            table = pa.Table.from_pydict({name: _column(chunk[name]) for name in schema.names}, schema=schema)
            latents = table["latent"].to_numpy()
            if not len(latents):
                continue
            if int(latents[0]) < last or (np.diff(latents) < 0).any():
                raise ValueError(f"latents of table {what!r} must rise; sort it by latent")
            last = int(latents[-1])
            cuts = np.flatnonzero(np.diff(latents // per_group)) + 1
            for begin, end in zip([0, *cuts], [*cuts, len(latents)], strict=True):
                part = table.slice(begin, end - begin)
                if waiting and waiting[-1]["latent"][-1].as_py() // per_group != latents[begin] // per_group:
                    _flush(writer, waiting)
                waiting.append(part)
        if waiting:
            _flush(writer, waiting)
    return sink.getvalue().to_pybytes()


def _column(values: Any) -> Any:  # noqa: ANN401 - whatever pyarrow takes as a column
    return values.to_list() if isinstance(values, pd.Series) and values.dtype == object else values


def _flush(writer: pq.ParquetWriter, waiting: list[pa.Table]) -> None:
    together = pa.concat_tables(waiting)
    writer.write_table(together, row_group_size=len(together))
    waiting.clear()
