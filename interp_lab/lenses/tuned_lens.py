"""Training a tuned lens: every translator learns to predict what the model predicts at its end.

Batches are a function of seed and step, so translators, moments and the step are the whole state of a training run: it
can be stopped and resumed, and ends with the same bits.

Source: Belrose et al. 2023, arXiv 2303.08112. Ours: Adam with a cosine schedule instead of SGD, all translators in one
pass over the text, weight decay towards the identity.
"""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import torch
from jaxtyping import Float, Int
from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Tensor

from interp_lab.bibliography import BELROSE_2023
from interp_lab.config import Config
from interp_lab.experiment import Progress, silent
from interp_lab.hooks import capture, ready_tokens
from interp_lab.lenses.logit_lens import unembedded
from interp_lab.lenses.points import point_at
from interp_lab.lenses.translators import WAY_OUT, TunedLens, checksum_of
from interp_lab.models.experiment import provenance_on
from interp_lab.runs.tensors import load_tensors, save_tensors
from interp_lab.types import HookedModel, Tokens

_FORMAT = "interp_lab tuned lens in training 1"
Stop = Callable[[int], bool]
"""Told the number of steps done; training stops where it says so."""


class TunedLensConfig(Config):
    """How a tuned lens is trained."""

    n_steps: PositiveInt = 200
    n_tokens: PositiveInt = 512
    """Positions of a batch (rounded down to whole windows)."""
    learning_rate: Annotated[float, Field(gt=0)] = 2e-3
    """Of Adam, at the beginning; falls to zero along half a cosine."""
    weight_decay: Annotated[float, Field(ge=0)] = 1e-3
    """Pull towards the identity (share of the learning rate)."""
    checkpoint_every: PositiveInt = 100
    """Steps."""
    seed: NonNegativeInt = 0
    """Of the batches."""


class DivergedError(RuntimeError):
    """The loss of a translator is no longer finite."""


@dataclass(frozen=True)
class TrainedLens:
    """A tuned lens, and how it came about."""

    lens: TunedLens
    losses: Float[Tensor, "step point"]
    """KL(model || lens) of each batch (nats); NaN for steps that were not taken."""
    n_steps: int
    """Behind it, those before an interruption included."""


def train_tuned_lens(
    model: HookedModel,
    windows: Tokens,
    *,
    config: TunedLensConfig | None = None,
    points: Sequence[str] | None = None,
    text: str = "unnamed",
    checkpoint: Path | None = None,
    resume: bool = False,
    stop: Stop | None = None,
    progress: Progress = silent,
) -> TrainedLens:
    """Train translators for every point of the residual stream but the last, beginning with the identity.

    Args:
        windows: text without padding, as `tasks.token_windows` makes it.
        points: of the residual stream, such as those between attention and MLP (`stream_points(model, mid=True)`).
        text: what the windows are of, for provenance.
        checkpoint: file to keep the state in.
        resume: go on from the checkpoint; if there is none yet, start.
        stop: asked behind every step; what was learned so far is kept, and returned.

    Raises: ValueError, for no text, tokens that the model cannot read, a checkpoint that exists although `resume` is
        not set, or one of another config, text or model; DivergedError.
    """
    config, windows = config or TunedLensConfig(), ready_tokens(model, windows)
    provenance = provenance_on(model, "tuned_lens", seed=config.seed, sources=(BELROSE_2023,))
    run = _Run(model, windows, config, TunedLens.untrained(model, provenance, points))
    state = run.start(checkpoint, resume=resume)
    first = done = int(state.step)
    for step in range(first, config.n_steps):
        run.update(state, step)
        done = step + 1
        progress(done, config.n_steps, f"tuned lens, KL {float(state.losses[step].mean()):.3f} nats")
        stopped = stop is not None and stop(done)
        if checkpoint is not None and (stopped or done % config.checkpoint_every == 0 or done == config.n_steps):
            run.keep(state, checkpoint)
        if stopped:
            break
    told = {**config.flat(), "steps_done": done, "text": text, "n_windows": len(windows)}
    told |= {"windows": checksum_of(windows)}
    lens = replace(run.lens, weight=state.weight.detach(), bias=state.bias.detach(), training=told)
    return TrainedLens(lens, state.losses, done)


@dataclass
class _State:
    """Everything that changes while training."""

    weight: Float[Tensor, "point d_model d_model"]
    bias: Float[Tensor, "point d_model"]
    moments: dict[str, Tensor]
    """First and second moments of Adam, by `m.weight`, `v.weight`, ..."""
    losses: Float[Tensor, "step point"]
    step: int = 0

    def parameters(self) -> Iterator[tuple[str, Tensor]]:
        yield "weight", self.weight
        yield "bias", self.bias


@dataclass(frozen=True)
class _Run:
    model: HookedModel
    windows: Int[Tensor, "window pos"]
    config: TunedLensConfig
    lens: TunedLens
    """As it begins."""

    def start(self, checkpoint: Path | None, *, resume: bool) -> _State:
        lens = self.lens
        like = {"weight": lens.weight, "bias": lens.bias}
        state = _State(
            lens.weight.clone(),
            lens.bias.clone(),
            {f"{moment}.{name}": torch.zeros_like(value) for moment in "mv" for name, value in like.items()},
            torch.full((self.config.n_steps, len(lens.points)), math.nan),
        )
        if checkpoint is None or not checkpoint.exists():
            return state
        if not resume:
            raise ValueError(f"{checkpoint} exists: give resume=True to go on, or another file")
        return self._resumed(state, checkpoint)

    def update(self, state: _State, step: int) -> None:
        """Take one step of Adam on the batch of that step."""
        gradients, losses = self._gradients(state, self._batch(step))
        state.losses[step] = losses.cpu()
        if not bool(losses.isfinite().all()):
            raise DivergedError(f"the KL is {losses.tolist()} at step {step + 1}; lower learning_rate")
        rate = 0.5 * self.config.learning_rate * (1 + math.cos(math.pi * step / self.config.n_steps))
        for name, value in state.parameters():
            first, second, gradient = state.moments[f"m.{name}"], state.moments[f"v.{name}"], gradients[name]
            first.lerp_(gradient, 1 - _BETAS[0])
            second.lerp_(gradient.square(), 1 - _BETAS[1])
            size = (second / (1 - _BETAS[1] ** (step + 1))).sqrt() + _EPSILON
            value.mul_(1 - rate * self.config.weight_decay).sub_(rate * first / (1 - _BETAS[0] ** (step + 1)) / size)
        state.step = step + 1

    def _batch(self, step: int) -> Tokens:
        n = max(1, self.config.n_tokens // self.windows.shape[1])
        generator = torch.Generator().manual_seed(self.config.seed * 1_000_003 + step)
        return self.windows[torch.randint(len(self.windows), (n,), generator=generator)]

    def _gradients(self, state: _State, tokens: Tokens) -> tuple[dict[str, Tensor], Float[Tensor, " point"]]:
        """Return gradients of the mean KL of every translator; each depends on its own alone."""
        last = point_at(self.model, int(self.model.cfg.n_layers))
        kept = {name: value.flatten(0, 1).clone() for name, value in self._captured(tokens, last).items()}
        with torch.no_grad():
            final = unembedded(self.model, kept[last]).log_softmax(-1)
        gradients = {name: torch.zeros_like(value) for name, value in state.parameters()}
        losses = torch.zeros(len(self.lens.points), device=final.device)
        for nth, point in enumerate(self.lens.points):
            with torch.enable_grad():
                own = {name: value[nth].clone().requires_grad_(True) for name, value in state.parameters()}
                resid = kept[point].float()
                translated = resid + resid @ own["weight"] + own["bias"]
                log_probs = unembedded(self.model, translated).log_softmax(-1)
                loss = (final.exp() * (final - log_probs)).sum(-1).mean()
                found = torch.autograd.grad(loss, list(own.values()))
            losses[nth] = loss.detach()
            for name, gradient in zip(own, found, strict=True):
                gradients[name][nth] = gradient
        return gradients, losses

    def _captured(self, tokens: Tokens, last: str) -> dict[str, Tensor]:
        return capture(self.model, tokens, [*self.lens.points, last])

    def keep(self, state: _State, path: Path) -> None:
        """Write the state; what was there before stays whole until this is."""
        tensors = {**dict(state.parameters()), **state.moments, "losses": state.losses}
        header = {"format": _FORMAT, "step": str(state.step), "made_of": self._made_of()}
        save_tensors(path, tensors, header=header)

    def _resumed(self, state: _State, path: Path) -> _State:
        header, tensors = load_tensors(path, what="checkpoint of a tuned lens", way_out=WAY_OUT, expected=_FORMAT)
        then, now = (json.loads(made_of) for made_of in (header["made_of"], self._made_of()))
        other = [f"{key}: {then.get(key)}, now {now[key]}" for key in now if then.get(key) != now[key]]
        if other:
            raise ValueError(f"{path} was made otherwise ({'; '.join(other)}); resume as it was, or use another file")
        for name, value in [*state.parameters(), *state.moments.items()]:
            value.copy_(tensors[name])
        state.losses.copy_(tensors["losses"])
        state.step = int(header["step"])
        return state

    def _made_of(self) -> str:
        """Return what a resumed run must share: config, model, and the text by a checksum of its tokens."""
        model = self.lens.provenance.model.as_dict()
        windows = [*self.windows.shape, checksum_of(self.windows)]
        return json.dumps({**self.config.flat(), "model": model, "points": self.lens.points, "windows": windows})


_BETAS = (0.9, 0.999)
_EPSILON = 1e-8
