"""What searches found and what other texts said, as arrays that are kept."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from interp_lab.production.red_team.searching import Hit, Searched
from interp_lab.runs.fields import KeptFields

_KINDS = {str: str, bool: bool, int: np.int64, float: np.float64}


@dataclass(frozen=True)
class Runs(KeptFields):
    """Runs of searches."""

    search: Shaped[np.ndarray, " run"]
    seed: Int[np.ndarray, " run"]
    calls: Int[np.ndarray, " run"]
    """Model calls used."""
    n_starts: Int[np.ndarray, " run"]
    """Texts that were edited."""

    @classmethod
    def of(cls, every: Sequence[Searched]) -> "Runs":
        """Return the runs of some searches."""
        text = np.array([one.search for one in every], dtype=str)
        numbers = [(one.seed, one.calls, len(one.texts)) for one in every]
        return cls(text, *np.array(numbers, dtype=np.int64).reshape(-1, 3).T)


@dataclass(frozen=True)
class Hits(KeptFields):
    """Inputs that drove the target over the threshold, those of all runs behind each other; see `searching.Hit`."""

    run: Int[np.ndarray, " hit"]
    """Number of the run."""
    text: Shaped[np.ndarray, " hit"]
    found: Shaped[np.ndarray, " hit"]
    edited: Shaped[np.ndarray, " hit"]
    edit: Shaped[np.ndarray, " hit"]
    template: Shaped[np.ndarray, " hit"]
    n_found: Int[np.ndarray, " hit"]
    minimal: Bool[np.ndarray, " hit"]
    calls: Int[np.ndarray, " hit"]
    paid: Int[np.ndarray, " hit"]
    before: Float[np.ndarray, " hit"]
    value: Float[np.ndarray, " hit"]
    turn: Float[np.ndarray, " hit"]
    toward: Shaped[np.ndarray, " hit"]
    away: Shaped[np.ndarray, " hit"]

    @classmethod
    def of(cls, every: Sequence[Searched]) -> "Hits":
        """Return the hits of some searches."""
        hits = [(nth, hit) for nth, one in enumerate(every) for hit in one.hits]
        columns = {
            one.name: np.array([getattr(hit, one.name) for _, hit in hits], dtype=_KINDS[one.type])  # ty: ignore[invalid-argument-type] - plain types
            for one in fields(Hit)
        }
        return cls(run=np.array([nth for nth, _ in hits], dtype=np.int64), **columns)

    def __len__(self) -> int:
        """Count the hits."""
        return len(self.run)


@dataclass(frozen=True)
class Followed(KeptFields):
    """Edits on other texts, each beside random ones: what becomes of the answer and of the target."""

    names: tuple[str, ...]
    """Of the edits."""
    turn_before: Float[np.ndarray, "edit example"]
    """Log odds of the answer that a text does not prefer (nats): below zero."""
    turn: Float[np.ndarray, "edit example"]
    """The same with the edit."""
    turn_random: Float[np.ndarray, "edit control example"]
    """The same with as many random edits."""
    value_before: Float[np.ndarray, "edit example"]
    """The target."""
    value: Float[np.ndarray, "edit example"]
    value_random: Float[np.ndarray, "edit control example"]
    templates: Shaped[np.ndarray, "edit example"]

    def clusters(self, row: int) -> Shaped[np.ndarray, " example"]:
        """Return what intervals resample: templates, or texts where all are of one template."""
        own = self.templates[row]
        return own if len(set(own.tolist())) > 1 else np.arange(len(own)).astype(str)

    @classmethod
    def from_arrays(cls, prefix: str, arrays: Mapping[str, np.ndarray]) -> "Followed":
        """Rebuild from what `arrays` returned; text about no edit has lost its shape on disk."""
        shape, name = arrays[f"{prefix}_turn"].shape, f"{prefix}_templates"
        return super().from_arrays(prefix, {**arrays, name: arrays[name].reshape(shape)})


def as_part(one: Searched) -> dict[str, Tensor]:
    """Return a run of a search as a part of the work, to be kept until all are there."""
    data = json.dumps(asdict(one)).encode("utf-8")
    return {"json": torch.frombuffer(bytearray(data), dtype=torch.uint8)}


def from_part(arrays: Mapping[str, Tensor]) -> Searched:
    """Rebuild what `as_part` was given."""
    values = json.loads(arrays["json"].numpy().tobytes())
    hits = tuple(Hit(**hit) for hit in values["hits"])
    return Searched(values["search"], values["seed"], values["calls"], tuple(values["texts"]), hits)
