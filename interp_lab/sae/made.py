"""What a training says of the autoencoders that it made, and how it went."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from sae_lens.constants import SPARSITY_FILENAME
from safetensors.numpy import load_file

from interp_lab.runs.formats import Row
from interp_lab.sae.training import DeadLatents, LoadedSae, Preflight

PREFLIGHT = "preflight/"
"""Before the names of what is logged about activations before training."""
_FLOOR = 1e-10
"""Added to densities before SAE Lens's format takes their logarithm."""


@dataclass(frozen=True)
class Made:
    """One autoencoder."""

    name: str
    dead: DeadLatents
    """By the end of training."""
    density: Float[np.ndarray, " latent"]
    """How often each latent fired in the last window of counting (share of training tokens)."""
    calibration: Mapping[str, float] | None
    """Of the threshold: `before`, `after`, `l0_before`, `l0_after`, `n_tokens`."""

    @classmethod
    def read(cls, sae: LoadedSae, *, folder: Path) -> "Made":
        """Return what the record of a saved autoencoder says."""
        record = sae.record
        assert record is not None, "interp_lab trained it"
        logarithm = load_file(folder / SPARSITY_FILENAME)["sparsity"].astype(np.float64)
        return cls(record.name, DeadLatents(**record.dead), (10**logarithm - _FLOOR).clip(0), record.calibration)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return everything, for a run folder."""
        plain = {"name": self.name, "dead": self.dead.as_dict(), "calibration": self.calibration}
        return {"about": np.array(json.dumps(plain)), "density": self.density}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Made":
        """Rebuild from `arrays`."""
        about: dict[str, Any] = json.loads(str(arrays["about"]))
        return cls(about["name"], DeadLatents(**about["dead"]), arrays["density"], about["calibration"])


@dataclass(frozen=True)
class Curves:
    """What was logged while training."""

    steps: Int[np.ndarray, " row"]
    values: Mapping[str, Float[np.ndarray, " row"]]
    """By name, such as `sae/loss`."""

    @classmethod
    def from_rows(cls, rows: Sequence[Row]) -> "Curves":
        """Return the rows of training in order; how fast it went is no result, and left out."""
        told = sorted((row for row in rows if "tokens" in row), key=lambda row: row["step"])
        names = dict.fromkeys(name for row in told for name in row if "/" in name)
        values = {name: np.array([row.get(name, np.nan) for row in told], dtype=np.float64) for name in names}
        return cls(np.array([row["step"] for row in told], dtype=np.int64), values)

    def of(self, name: str, metric: str) -> Float[np.ndarray, " row"]:
        """Return one metric of one autoencoder."""
        return self.values[f"{name}/{metric}"]

    def arrays(self) -> dict[str, np.ndarray]:
        """Return everything, for a run folder."""
        names = list(self.values)
        table = np.stack([self.values[name] for name in names]) if names else np.zeros((0, len(self.steps)))
        return {"steps": self.steps, "names": np.array(names, dtype=np.str_), "values": table}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Curves":
        """Rebuild from `arrays`."""
        return cls(arrays["steps"], dict(zip(arrays["names"].tolist(), arrays["values"], strict=True)))


def preflight_row(found: Preflight) -> dict[str, float]:
    """Return what activations are like under the names that it is logged under."""
    return {f"{PREFLIGHT}{one.name}": float(getattr(found, one.name)) for one in fields(found)}


def read_preflight(values: Mapping[str, Any]) -> Preflight:
    """Rebuild from `preflight_row`, whatever else is there."""
    found: dict[str, Any] = {one.name: float(values[f"{PREFLIGHT}{one.name}"]) for one in fields(Preflight)}
    counts = {name: int(found[name]) for name in ("n_tokens", "d_in")}
    return Preflight(**{**found, **counts})
