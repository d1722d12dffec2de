"""A training of a few seconds: two small autoencoders on a little of the grammar."""

from pathlib import Path
from typing import Any

from interp_lab.sae.config import SaeTrainingConfig
from interp_lab.sae.experiment import SaeTraining

HOOK = "blocks.1.hook_resid_post"
NAMES = ["topk-k_4", "topk-k_8", "batch"]
SMALL: dict[str, Any] = {
    "model": "organism",
    "device": "cpu",
    "hook": HOOK,
    "text": {"part": "train", "held_out_share": 0.3, "length": 32},
    "calibration_share": 0.3,
    "n_calibrated": 256,
    "activations": {"mixed": 8},
    "training": {
        "saes": {
            "topk": {"architecture": {"kind": "topk"}, "width": 48, "learning_rate": 3e-3, "dead_after": 10},
            "batch": {"architecture": {"kind": "batchtopk", "k": 6}, "width": 32, "learning_rate": 3e-3},
        },
        "n_tokens": 30 * 64,
        "batch_size": 64,
        "n_first": 4,
        "log_every": 3,
        "density_every": 15,
        "checkpoint_every": 4,
        "device": "cpu",
    },
    "grids": {"topk": {"architecture.k": [4, 8]}},
    "evaluation": {
        "text": {"part": "held_out", "held_out_share": 0.3, "length": 32},
        "n_tokens": 400,
        "n_fit_tokens": 400,
    },
}

BRIEF: dict[str, Any] = {"evaluation.baselines": [], "evaluation.n_tokens": 120, "evaluation.n_fit_tokens": 120}
"""Judged on little, where it is of no interest."""


def small(**changes: Any) -> SaeTrainingConfig:
    return SaeTrainingConfig.from_mapping(SMALL).overlaid(changes)


def training(**changes: Any) -> SaeTraining:
    return SaeTraining(small(**changes))


def weights(run: Path) -> dict[str, bytes]:
    """Of every autoencoder that a run saved, as they are on disk."""
    return {folder.name: (folder / "sae_weights.safetensors").read_bytes() for folder in (run / "saes").iterdir()}


def values(result: Any) -> dict[str, str]:
    """Every metric to its last digit; NaN equals itself."""
    return {name: repr(value) for name, value in result.metrics().items()}


class Killed(BaseException):
    """What stops a training in the middle, as a signal would."""


class Killer:
    """A tracker that stops the training when it is told of a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def log(self, values: Any, *, step: int | None = None) -> None:
        if step == self.step:
            raise Killed

    def log_table(self, name: str, table: Any) -> None: ...

    def log_artefact(self, name: str, folder: Path, *, kind: str) -> None: ...

    def finish(self) -> None: ...


class Notes(Killer):
    """A tracker that keeps what it is told."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.tables: dict[str, Any] = {}
        self.artefacts: dict[str, Path] = {}

    def log(self, values: Any, *, step: int | None = None) -> None:
        self.rows.append({"step": step, **values})

    def log_table(self, name: str, table: Any) -> None:
        self.tables[name] = table

    def log_artefact(self, name: str, folder: Path, *, kind: str) -> None:
        assert kind == "sae"
        self.artefacts[name] = folder
