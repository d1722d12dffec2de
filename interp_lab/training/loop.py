"""The training loop: a model, a loss for every step, and nothing else that could differ between two runs."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.experiment import Progress, Tracker, silent
from interp_lab.training.checkpoint import CheckpointError, TrainingState, load_checkpoint, save_checkpoint
from interp_lab.training.config import LoopConfig, OptimiserConfig

LossAt = Callable[[int], Float[Tensor, ""]]
"""Loss (nats) on the batch of a step; the batch must depend on the step alone, or resuming is not exact."""


class DivergedError(RuntimeError):
    """The training loss is no longer finite."""


def learning_rate(step: int, config: OptimiserConfig, *, n_steps: int) -> float:
    """Return the learning rate of a step: linear up to the peak, then half a cosine down to its final share."""
    warmth = min(1.0, (step + 1) / config.warm_up) if config.warm_up else 1.0
    done = max(0, step - config.warm_up) / max(1, n_steps - config.warm_up)
    cosine = 0.5 * (1 + math.cos(math.pi * done))
    return config.learning_rate * warmth * (config.final_share + (1 - config.final_share) * cosine)


def train(
    model: torch.nn.Module,
    loss_at: LossAt,
    *,
    config: LoopConfig,
    checkpoint: Path | None = None,
    whole_config: Mapping[str, Any] | None = None,
    resume: bool = False,
    tracker: Tracker | None = None,
    progress: Progress = silent,
    after_step: Callable[[int], None] | None = None,
) -> Float[Tensor, " step"]:
    """Train in place, and return the loss (nats) of every step, those before an interruption included.

    A run that was killed and resumed ends with the same bits as one that was not (on CPU, with the
    same number of threads).

    Args:
        checkpoint: file to keep the state in.
        whole_config: flat; stored in checkpoints and compared on resuming. By default that of the loop.
        resume: go on from the checkpoint; if there is none yet, start.
        after_step: called with the number of steps done, before a checkpoint is written; it may look, not touch.

    Raises:
        CheckpointError, if there is a checkpoint and `resume` is not set, it cannot be read, or the config changed.
        DivergedError, if the loss becomes NaN or infinite.
    """
    identity = config.flat() if whole_config is None else whole_config
    state = _fresh_state(model, config)
    first = _starting_step(state, checkpoint, resume=resume, config=identity)
    for step in range(first, config.n_steps):
        rate = learning_rate(step, config.optimiser, n_steps=config.n_steps)
        loss, norm = _update(state, loss_at(step), rate=rate, clip_norm=config.optimiser.clip_norm)
        state.losses[step] = loss
        done = step + 1
        if not math.isfinite(loss):
            raise DivergedError(f"the loss is {float(loss)} at step {done}; lower optimiser.learning_rate or clip_norm")
        if done % config.log_every == 0 or done == config.n_steps:
            _report(float(loss), float(norm), rate=rate, done=done, tracker=tracker)
            progress(done, config.n_steps, f"loss {float(loss):.3f} nats")
        if after_step is not None:
            after_step(done)
        if checkpoint is not None and (done % config.checkpoint_every == 0 or done == config.n_steps):
            save_checkpoint(checkpoint, state, step=done, config=identity)
    return state.losses


def _fresh_state(model: torch.nn.Module, config: LoopConfig) -> TrainingState:
    optimiser = torch.optim.AdamW(
        _groups(model, config.optimiser), lr=config.optimiser.learning_rate, betas=config.optimiser.betas
    )
    model.train()
    return TrainingState(model, optimiser, torch.full((config.n_steps,), math.nan))


def _groups(model: torch.nn.Module, config: OptimiserConfig) -> list[dict[str, Any]]:
    """Return the parameters by weight decay."""
    by_decay: dict[float, list[Tensor]] = {}
    for name, parameter in model.named_parameters():
        decays = [decay for ending, decay in config.decay_of.items() if name.endswith(ending)]
        by_decay.setdefault(decays[0] if decays else config.weight_decay, []).append(parameter)
    return [{"params": parameters, "weight_decay": decay} for decay, parameters in by_decay.items()]


def _starting_step(state: TrainingState, checkpoint: Path | None, *, resume: bool, config: Mapping[str, Any]) -> int:
    if checkpoint is None or not checkpoint.exists():
        return 0
    if not resume:
        raise CheckpointError(f"{checkpoint} exists: resume the run, or train into a new folder")
    return load_checkpoint(checkpoint, state, config=config)


def _update(state: TrainingState, loss: Tensor, *, rate: float, clip_norm: float) -> tuple[Tensor, Tensor]:
    for group in state.optimiser.param_groups:
        group["lr"] = rate
    state.optimiser.zero_grad(set_to_none=True)
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(state.model.parameters(), clip_norm)
    state.optimiser.step()
    return loss.detach(), norm


def _report(loss: float, norm: float, *, rate: float, done: int, tracker: Tracker | None) -> None:
    if tracker is not None:
        tracker.log({"loss": loss, "learning_rate": rate, "gradient_norm": norm}, step=done)
