"""Reading a folder of features: only what is asked for comes off the disk."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
from pydantic import ValidationError

from interp_lab.runs.files import RunError, read_checked
from interp_lab.sae.features.schema import ABOUT, FORMAT, SCHEMAS, About


@dataclass(frozen=True)
class FeatureStore:
    """A complete folder of features; see `schema.SCHEMAS` for what its tables hold."""

    folder: Path
    about: About

    @classmethod
    def open(cls, folder: str | Path, *, check: bool = False) -> "FeatureStore":
        """Open a folder.

        Args:
            check: read every file once and compare checksums; else only sizes are compared.

        Raises: RunError, if it is no complete folder of features, was written by a newer interp_lab, or a file is
            missing, truncated or (with `check`) changed.
        """
        folder = Path(folder)
        about = _read_about(folder)
        for name, expected in about.files.items():
            path = folder / name
            if check or not path.is_file() or path.stat().st_size != expected.n_bytes:
                read_checked(path, expected)
        return cls(folder, about)

    @property
    def n_latents(self) -> int:
        """Width of the dictionary."""
        return self.about.n_latents

    def features(self, latents: Iterable[int] | None = None) -> pd.DataFrame:
        """Return a row for each latent.

        Args:
            latents: only these, sorted and each once; `None` reads all. The same in every other method.

        Raises: ValueError, for a latent that there is not.
        """
        return self._read("features", latents)

    def examples(self, latents: Iterable[int] | None = None) -> pd.DataFrame:
        """Return examples with their contexts."""
        return self._read("examples", latents)

    def logits(self, latents: Iterable[int] | None = None) -> pd.DataFrame:
        """Return tokens that the latents' directions raise and lower; empty where directions do not reach logits."""
        return self._read("logits", latents)

    def tokens(self, latents: Iterable[int] | None = None) -> pd.DataFrame:
        """Return the tokens at which latents are active."""
        return self._read("tokens", latents)

    def neighbours(self, latents: Iterable[int] | None = None) -> pd.DataFrame:
        """Return latents with a similar direction, and those active at the same tokens."""
        return self._read("neighbours", latents)

    def histogram(self, latents: Iterable[int] | None = None) -> pd.DataFrame:
        """Return how active values are distributed."""
        return self._read("histogram", latents)

    def groups(self, table: str, latents: Iterable[int]) -> list[int]:
        """Return the row groups of a table that hold some latents: all that is read for them."""
        with pq.ParquetFile(self._path(table)) as file:
            return _groups_with(file, sorted(set(latents)))

    def _read(self, table: str, latents: Iterable[int] | None) -> pd.DataFrame:
        wanted = None if latents is None else sorted({int(latent) for latent in latents})
        if wanted and not 0 <= wanted[0] <= wanted[-1] < self.n_latents:
            wrong = wanted[0] if wanted[0] < 0 else wanted[-1]
            raise ValueError(f"there is no latent {wrong}; {self.folder} has 0 to {self.n_latents - 1}")
        with pq.ParquetFile(self._path(table)) as file:
            if wanted is None:
                return file.read().to_pandas()
            found = file.read_row_groups(_groups_with(file, wanted)).to_pandas()
        return found[found["latent"].isin(wanted)].reset_index(drop=True)

    def _path(self, table: str) -> Path:
        return self.folder / f"{table}.parquet"


def _groups_with(file: pq.ParquetFile, latents: list[int]) -> list[int]:
    """Return the row groups whose range of latents holds any of these (sorted)."""
    found, metadata = [], file.metadata
    for group in range(metadata.num_row_groups):
        held = metadata.row_group(group).column(0).statistics
        if any(held.min <= latent <= held.max for latent in latents):
            found.append(group)
    return found


def _read_about(folder: Path) -> About:
    path = folder / ABOUT
    if not path.is_file():
        raise RunError(
            f"{folder} is no complete folder of features: it has no {ABOUT}; make one with "
            "sae.features.describe_features, or run the experiment sae_features"
        )
    try:
        about = About.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise RunError(f"{path} is damaged ({error.errors()[0]['msg']}); make the folder again") from error
    if about.format > FORMAT:
        raise RunError(
            f"{folder} was written in format {about.format}, and this interp_lab reads formats up to {FORMAT}; upgrade"
        )
    missing = [name for name in SCHEMAS if f"{name}.parquet" not in about.files]
    if missing:
        raise RunError(f"{path} names no table {missing[0]!r}; make the folder again")
    return about
