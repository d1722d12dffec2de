"""The state of a training run in one safetensors file, from which it continues bit by bit.

Batches are a function of seed and step, so parameters, optimiser moments and the step are the whole state.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.runs.checkpoints import CheckpointError, require_same
from interp_lab.runs.tensors import TensorFileError, load_tensors, save_tensors

CHECKPOINT = "checkpoint.safetensors"
"""Name of the file in a run folder."""


@dataclass(frozen=True)
class TrainingState:
    """Everything that changes while training."""

    model: torch.nn.Module
    optimiser: torch.optim.Optimizer
    losses: Float[Tensor, " step"]
    """Training loss (nats) of every step; NaN for steps to come."""


def save_checkpoint(path: Path, state: TrainingState, *, step: int, config: Mapping[str, Any]) -> None:
    """Write the state after `step` steps; the previous checkpoint stays whole until this one is.

    Args:
        config: flat; a resumed run must have the same.
    """
    tensors: dict[str, Tensor] = {f"model.{name}": value for name, value in state.model.named_parameters()}
    for name, moments in _moments(state).items():
        tensors |= {f"optimiser.{key}.{name}": value for key, value in moments.items()}
    tensors["losses"] = state.losses
    header = {"step": str(step), "config": json.dumps(dict(config))}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_tensors(path, tensors, header=header)


def load_checkpoint(path: Path, state: TrainingState, *, config: Mapping[str, Any]) -> int:
    """Put a checkpoint into `state`, in place, and return the number of steps it has behind it.

    Raises: CheckpointError, if it cannot be read, or was made with another config.
    """
    try:
        header, tensors = load_tensors(path, what="checkpoint", way_out="remove it and start again")
    except TensorFileError as error:
        raise CheckpointError(str(error)) from error
    require_same(json.loads(header["config"]), config, path=path)
    with torch.no_grad():
        for name, parameter in state.model.named_parameters():
            parameter.copy_(tensors[f"model.{name}"])
        state.losses.copy_(tensors["losses"])
    _restore_moments(state, tensors)
    return int(header["step"])


def _moments(state: TrainingState) -> dict[str, dict[str, Tensor]]:
    held = state.optimiser.state
    return {name: held[value] for name, value in state.model.named_parameters() if value in held}


def _restore_moments(state: TrainingState, tensors: Mapping[str, Tensor]) -> None:
    parameters = dict(state.model.named_parameters())
    state.optimiser.state.clear()
    for key, value in tensors.items():
        kind, _, rest = key.partition(".")
        if kind == "optimiser":
            moment, _, name = rest.partition(".")
            state.optimiser.state[parameters[name]][moment] = value.clone()
