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
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from interp_lab.runs import write_atomic

CHECKPOINT = "checkpoint.safetensors"
"""Name of the file in a run folder."""


class CheckpointError(ValueError):
    """A checkpoint that cannot be continued from; the message says why and what to do."""


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
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, save(plain, header))


def load_checkpoint(path: Path, state: TrainingState, *, config: Mapping[str, Any]) -> int:
    """Put a checkpoint into `state`, in place, and return the number of steps it has behind it.

    Raises: CheckpointError, if it cannot be read, or was made with another config.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except SafetensorError as error:
        raise CheckpointError(f"{path} is no readable checkpoint ({error}); remove it and start again") from error
    _require_same_config(json.loads(header["config"]), config, path)
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


def _require_same_config(stored: Mapping[str, Any], given: Mapping[str, Any], path: Path) -> None:
    plain = json.loads(json.dumps(dict(given)))
    differing = sorted(key for key in stored.keys() | plain.keys() if stored.get(key) != plain.get(key))
    if differing:
        told = "; ".join(f"{key}: {stored.get(key)!r}, now {plain.get(key)!r}" for key in differing)
        raise CheckpointError(
            f"{path} was made with another config ({told}); resume with the old values or train into a new folder"
        )
