"""Inputs that were found, kept to be tried again: on the same model, on one that was repaired, on any other."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from interp_lab.folds import require_made_in
from interp_lab.identity import ModelIdentity
from interp_lab.models import identity_of
from interp_lab.models.fingerprint import weights_fingerprint
from interp_lab.production.red_team.config import TargetConfig
from interp_lab.production.red_team.result import RedTeamResult
from interp_lab.production.red_team.target import read, rows_of, target_of
from interp_lab.runs.files import write_atomic
from interp_lab.tasks.encoding import continuations, prompts
from interp_lab.types import HookedModel

FORMAT = "interp_lab red-team regression 1"
"""At the head of every file."""
_WAY_OUT = "give a file that write_regression wrote"


@dataclass(frozen=True)
class Replayed:
    """What became of inputs that were found on a model."""

    inputs: tuple[str, ...]
    edits: tuple[str, ...]
    was: Float[np.ndarray, " input"]
    """Target when they were found."""
    value: Float[np.ndarray, " input"]
    """Target now."""
    threshold: float
    same_model: bool
    """Whether these are the weights that they were found on."""

    @property
    def passes(self) -> Bool[np.ndarray, " input"]:
        """Where the model no longer does what it was found to do."""
        return self.value < self.threshold

    def table(self) -> pd.DataFrame:
        """Return a row per input."""
        return pd.DataFrame(
            {"edit": self.edits, "was": self.was, "is": self.value, "passes": self.passes, "input": self.inputs}
        )

    def summary(self) -> str:
        """Return how many pass, in a line."""
        model = "the model they were found on" if self.same_model else "another model"
        return (
            f"{int(self.passes.sum())} of {len(self.inputs)} inputs pass on {model} (target below {self.threshold:g})"
        )


def write_regression(result: RedTeamResult, path: Path) -> int:
    """Write the inputs of a result, each once, as JSON lines behind a line that says what they are; returns how many.

    The folder must exist.
    """
    hits, first = result.hits, {}
    for nth in range(len(hits)):
        first.setdefault(str(hits.edited[nth]), nth)
    head = {
        "format": FORMAT,
        "model": result.provenance.model.as_dict(),
        "weights": result.weights,
        "fold": result.provenance.fold,
        "behaviour": result.config.behaviour,
        "target": result.config.target.as_dict(),
        "threshold": result.threshold,
    }
    rows = [
        {
            **{name: str(getattr(hits, name)[nth]) for name in ("text", "edited", "edit", "toward", "away")},
            "value": float(hits.value[nth]),
        }
        for nth in first.values()
    ]
    write_atomic(path, "".join(json.dumps(one) + "\n" for one in (head, *rows)).encode("utf-8"))
    return len(rows)


def replay(path: Path, model: HookedModel, *, batch_size: int = 256) -> Replayed:
    """Run the inputs of a file through a model; one passes if the target stays below the threshold.

    Raises: ValueError, for a file that says not what it must, words that the tokenizer does not know, or a direction
        that does not belong to this model; FoldError, for a file that may not be used in the fold in force.
    """
    head, rows = _read(path)
    require_made_in(head["fold"], what=f"the regression set {path}")
    target = target_of(TargetConfig.from_mapping(head["target"]), model)
    asked = prompts(model, [row["edited"] for row in rows])
    spoken = [(prompt, f" {row[side]}") for prompt, row in zip(asked, rows, strict=True) for side in ("toward", "away")]
    first = [ids[0] for ids in continuations(model, spoken)]
    answers = list(zip(first[::2], first[1::2], strict=True))
    found = read(model, target, rows_of(model, [one.ids for one in asked], answers), batch_size=batch_size)
    known = ModelIdentity.from_dict(head["model"])
    same = known.name == identity_of(model).name and head["weights"] == weights_fingerprint(model)
    return Replayed(
        inputs=tuple(row["edited"] for row in rows),
        edits=tuple(row["edit"] for row in rows),
        was=np.array([row["value"] for row in rows], dtype=np.float64),
        value=found.value,
        threshold=float(head["threshold"]),
        same_model=same,
    )


_HEAD = ("model", "weights", "fold", "target", "threshold")
_ROW = ("edited", "edit", "toward", "away", "value")


def _read(path: Path) -> tuple[Mapping[str, Any], list[Mapping[str, Any]]]:
    if not path.is_file():
        raise ValueError(f"there is no regression set at {path}; {_WAY_OUT}")
    try:
        head, *rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    except ValueError as error:
        raise ValueError(f"{path} is no JSON lines ({error}); {_WAY_OUT}") from error
    if not isinstance(head, dict) or head.get("format") != FORMAT or any(name not in head for name in _HEAD):
        raise ValueError(f"the first line of {path} does not say that it is a {FORMAT!r} of which model; {_WAY_OUT}")
    bad = next((nth for nth, row in enumerate(rows, 2) if not isinstance(row, dict) or set(_ROW) - set(row)), None)
    if bad is not None:
        raise ValueError(f"line {bad} of {path} lacks one of {', '.join(_ROW)}; {_WAY_OUT}")
    if not rows:
        raise ValueError(f"{path} holds no inputs: nothing was found, so there is nothing to try again")
    return head, rows
