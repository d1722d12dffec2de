"""The training loop: every batch is read once and given to every autoencoder."""

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.experiment import Progress, Tracker, provenance, silent
from interp_lab.models.settings import device_named
from interp_lab.runs import Trackers
from interp_lab.sae.source import ActivationSource
from interp_lab.sae.training.checkpoint import (
    CheckpointError,
    Place,
    latest,
    load_checkpoint,
    remove_incomplete,
    save_checkpoint,
)
from interp_lab.sae.training.config import TrainingConfig
from interp_lab.sae.training.metrics import density_metrics, density_table, step_metrics
from interp_lab.sae.training.stream import checked_batches, require_enough
from interp_lab.sae.training.trained import HeldOut, TrainedSae, finish
from interp_lab.sae.training.trainee import Trainee, new_trainee


class DivergedError(RuntimeError):
    """The loss of an autoencoder is no longer finite."""


def train_saes(
    source: ActivationSource,
    config: TrainingConfig,
    *,
    checkpoints: Path | None = None,
    resume: bool = False,
    held_out: HeldOut | None = None,
    tracker: Tracker | None = None,
    progress: Progress = silent,
) -> dict[str, TrainedSae]:
    """Train every autoencoder of the config in one pass over the activations.

    Each ends with the same bits whether it is trained alone or beside others, at once or killed and resumed as
    often as you like (on CPU, with the same number of threads).

    Args:
        checkpoints: folder to keep the state in.
        resume: go on from the latest checkpoint; if there is none yet, start.
        held_out: for the threshold of BatchTopK and Matryoshka, which without it is that of SAE Lens's running mean.

    Raises:
        ValueError, if the source has too few activations, an architecture does not fit their length, or what is held
            out is of another model or hook point.
        ActivationError, if a batch is not finite, of another shape, or missing.
        CheckpointError, if there are checkpoints and `resume` is not set, they cannot be read or written, or were
            made with another config, model, hook point, weight processing or text.
        DivergedError, if a loss becomes NaN or infinite. The last good checkpoint is kept in every case.
    """
    require_enough(source, config)
    if held_out is not None:
        held_out.require_like(source)
    device = device_named(config.device)
    trainees = [new_trainee(name, config, d_in=source.d_in, hook=source.hook, device=device) for name in config.saes]
    run = _Run(trainees, config, identity=_identity(source, config), folder=checkpoints, tracker=tracker or Trackers())
    before = run.resumed_at(resume=resume)
    batches = checked_batches(source, config, first=before.step - 1 if before else 0, device=device)
    for batch in _continued(batches, before) if before else _begun(trainees, batches, n_first=config.n_first):
        run.step(batch, progress)
    origin = provenance("sae_training", source.model, seed=config.seed, device=device, dtype="float32")
    return {one.name: finish(one, source=source, config=config, held_out=held_out, origin=origin) for one in trainees}


def _begun(
    trainees: Sequence[Trainee], batches: Iterator[Float[Tensor, "batch d_in"]], *, n_first: int
) -> Iterator[Float[Tensor, "batch d_in"]]:
    """Take scale and mean from the first batches, then yield these and all others."""
    wanted = any(one.config.centre or one.config.scale != "none" for one in trainees)
    first = list(itertools.islice(batches, n_first)) if wanted else []
    if wanted:
        for trainee in trainees:
            trainee.begin(first)
    return itertools.chain(first, batches)


def _continued(batches: Iterator[Float[Tensor, "batch d_in"]], before: Place) -> Iterator[Float[Tensor, "batch d_in"]]:
    """Take the last batch before the interruption once more, to see that it is the same, then yield those after it.

    Only about the same: a model that reads as it is trained on may give other last bits on another machine.
    """
    again, then = next(batches)[0].double().cpu(), torch.tensor(before.activation, dtype=torch.float64)
    if not torch.allclose(again, then, rtol=1e-2, atol=1e-2 * float(then.abs().max())):
        raise CheckpointError(
            f"batch {before.step - 1} is not the one that was trained on: the source now gives other activations; "
            "resume on the same text, with the same weights, or train into a new folder"
        )
    return batches


def _identity(source: ActivationSource, config: TrainingConfig) -> dict[str, Any]:
    """Return what must be the same when a training is resumed."""
    model = {f"source.model.{name}": value for name, value in source.model.as_dict().items()}
    return {**config.flat(), "source.hook": source.hook, "source.d_in": source.d_in, **model}


def _train(trainee: Trainee, batch: Float[Tensor, "batch d_in"], *, is_told: bool) -> Float[Tensor, ""]:
    """Do one step and return its loss; what else it gave is let go at once, or all latents of all would be kept."""
    output = trainee.step(batch)
    if is_told:
        trainee.metrics = step_metrics(trainee, output)
    return output.loss.detach()


@dataclass
class _Run:
    trainees: Sequence[Trainee]
    config: TrainingConfig
    identity: dict[str, Any]
    folder: Path | None
    tracker: Tracker
    done: int = 0
    """Steps behind us."""
    losses: list[list[Float[Tensor, ""]]] = field(default_factory=list)
    """Of every step and autoencoder since they were last looked at."""
    clock: tuple[float, int] = field(default_factory=lambda: (time.perf_counter(), 0))
    """Time (s) and step of the last look."""

    def resumed_at(self, *, resume: bool) -> Place | None:
        """Go back to the latest checkpoint; `None` if there is none."""
        if self.folder is not None:
            remove_incomplete(self.folder)
        last = None if self.folder is None else latest(self.folder)
        if last is None:
            return None
        if not resume:
            raise CheckpointError(f"{last} exists: resume the training, or train into a new folder")
        place = load_checkpoint(last, self.trainees, identity=self.identity)
        self.done = place.step
        self.clock = (time.perf_counter(), self.done)
        return place

    def step(self, batch: Float[Tensor, "batch d_in"], progress: Progress) -> None:
        self.done += 1
        last = self.done == self.config.n_steps
        is_kept = self.folder is not None and (last or self.done % self.config.checkpoint_every == 0)
        is_told = last or self.done % self.config.log_every == 0
        self.losses.append([_train(trainee, batch, is_told=is_told) for trainee in self.trainees])
        if is_told or is_kept:
            self._require_finite()
        if is_told:
            self._log()
            progress(self.done, self.config.n_steps, self._in_words())
        self._log_densities()
        if is_kept and self.folder is not None:
            self._keep(batch, folder=self.folder)

    def _keep(self, batch: Float[Tensor, "batch d_in"], *, folder: Path) -> None:
        place = Place(self.done, batch[0].double().tolist())
        keep = self.config.keep_checkpoints
        save_checkpoint(folder, self.trainees, place=place, identity=self.identity, keep=keep)

    def _require_finite(self) -> None:
        """Look at all losses since the last look at once, so that a GPU is waited for rarely."""
        losses = torch.stack([torch.stack([one.float() for one in row]) for row in self.losses]).cpu()
        bad = (~losses.isfinite()).nonzero()
        if len(bad):
            row, column = bad[0].tolist()
            number = self.done - len(self.losses) + row
            raise DivergedError(
                f"the loss of {self.trainees[column].name!r} is {float(losses[row, column])} on batch {number}; lower "
                "its learning_rate or its penalty, and start again in a new folder (checkpoints are gone on with under "
                "the config that they were made with only)"
            )
        self.losses.clear()

    def _log(self) -> None:
        now, (then, before) = time.perf_counter(), self.clock
        self.clock = (now, self.done)
        speed = (self.done - before) * self.config.batch_size / max(now - then, 1e-9)
        row = {"tokens": float(self.done * self.config.batch_size), "tokens_per_second": speed}
        for trainee in self.trainees:
            row |= {f"{trainee.name}/{name}": value for name, value in trainee.metrics.items()}
        self.tracker.log(row, step=self.done)

    def _log_densities(self) -> None:
        for trainee in self.trainees:
            density = trainee.density()
            if density is not None:
                counted = density_metrics(density)
                self.tracker.log({f"{trainee.name}/{name}": value for name, value in counted.items()}, step=self.done)
                self.tracker.log_table(f"density {trainee.name}", density_table(density))

    def _in_words(self) -> str:
        """Tell of the first few: more do not fit on a line."""
        told = []
        for trainee in self.trainees[:3]:
            error, l0, r2 = (trainee.metrics[name] for name in ("loss_mse", "l0", "explained_variance"))
            told.append(f"{trainee.name}: squared error {error:.3g}, L0 {l0:.1f}, R2 {r2:.3f}")
        more = f" and {len(self.trainees) - 3} more" if len(self.trainees) > 3 else ""
        return "; ".join(told) + more
