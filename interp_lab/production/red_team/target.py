"""What a search drives up, and how inputs are read: target, answer and fluency in one forward pass."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_lab.config import RunRef
from interp_lab.directions import DirectionSource
from interp_lab.gradients import EMBED, gradients_of, run_with_graph
from interp_lab.hooks import device_of, record
from interp_lab.hooks import require_finite as require_finite_activations
from interp_lab.metrics import Metric
from interp_lab.production.red_team.config import Over, TargetConfig
from interp_lab.tasks.batch import pad_rows, pad_token
from interp_lab.types import HookedModel, nearest


@dataclass(frozen=True)
class Rows:
    """Inputs of any length, padded on the right, which changes nothing at their tokens."""

    tokens: Int[Tensor, "row pos"]
    last: Int[Tensor, " row"]
    """Position of the last token of each: it predicts the answer."""
    toward: Int[Tensor, " row"]
    """The answer that was not preferred."""
    away: Int[Tensor, " row"]
    """The one that was."""

    def part(self, start: int, stop: int) -> "Rows":
        """Return some of the rows."""
        return Rows(*(getattr(self, name)[start:stop] for name in ("tokens", "last", "toward", "away")))


@dataclass(frozen=True)
class Readings:
    """One number per input each."""

    value: Float[np.ndarray, " row"]
    """Of the target."""
    turn: Float[np.ndarray, " row"]
    """Log odds of the answer that was not preferred over the one that was (nats): above 0 the answer has turned."""
    fluency: Float[np.ndarray, " row"]
    """Mean log-probability of its tokens under the model (nats per token)."""


@dataclass(frozen=True)
class Target:
    """A number per input that can be differentiated by what is put in."""

    name: str
    unit: str
    vector: Float[Tensor, " d"] | None = None
    """Of length 1; `None` if the answer is what is driven up."""
    hook: str | None = None
    over: Over = "max"

    @property
    def hooks(self) -> tuple[str, ...]:
        """Hook points that it reads."""
        return () if self.hook is None else (self.hook,)

    def of(self, logits: Tensor, activations: Mapping[str, Tensor], rows: Rows) -> Float[Tensor, " row"]:
        """Return its value for inputs that were run."""
        if self.vector is None or self.hook is None:
            return turn_of(logits, rows)
        along = activations[self.hook] @ self.vector.to(activations[self.hook])
        nth = torch.arange(len(along), device=along.device)
        if self.over == "last":
            return along[nth, rows.last]
        places = torch.arange(along.shape[1], device=along.device)
        return along.masked_fill(places > rows.last[:, None], -torch.inf).amax(1)


def turn_of(logits: Float[Tensor, "row pos d_vocab"], rows: Rows) -> Float[Tensor, " row"]:
    """Return the log odds of the answer that was not preferred over the one that was (nats)."""
    nth = torch.arange(len(logits), device=logits.device)
    return logits[nth, rows.last, rows.toward] - logits[nth, rows.last, rows.away]


def target_of(config: TargetConfig, model: HookedModel) -> Target:
    """Return the target that a config names.

    Raises: ValueError, for what is not there, was made on another model, or has several hook points and none is named;
        FoldError, for what may not be used in the fold in force.
    """
    if config.direction is None:
        return Target("log odds of the other answer", "nats")
    ref = config.direction
    source = DirectionSource(ref.run, ref.artefact) if isinstance(ref, RunRef) else DirectionSource(ref)
    found = source.read(model)
    hook = config.hook or found.hooks[0]
    if hook not in found.hooks or (config.hook is None and len(found.hooks) > 1):
        raise ValueError(
            f"target.hook {config.hook!r} is none of the hook points of {found.name!r}{nearest(hook, found.hooks)}; "
            f"name one of {', '.join(found.hooks)}"
        )
    vector = found.at(hook).vector
    return Target(f"projection on {found.name} at {hook}", "units of activation", vector / vector.norm(), hook,
                  config.over)  # fmt: skip


def rows_of(model: HookedModel, inputs: Sequence[Sequence[int]], answers: Sequence[tuple[int, int]]) -> Rows:
    """Return inputs as rows.

    Args:
        answers: of each, the one that was not preferred, and the one that was.
    """
    tokens, mask = pad_rows(inputs, pad=pad_token(model), padding="right")
    toward, away = torch.tensor(answers, dtype=torch.long).unbind(1)
    device = device_of(model)
    return Rows(*(part.to(device) for part in (tokens, mask.long().sum(1) - 1, toward, away)))


def read(model: HookedModel, target: Target, rows: Rows, *, batch_size: int) -> Readings:
    """Run inputs once each.

    Raises: NonFiniteActivationError, for NaN or inf.
    """
    found = [
        _read_batch(model, target, rows.part(at, at + batch_size)) for at in range(0, len(rows.tokens), batch_size)
    ]
    value, turn, fluency = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return Readings(value, turn, fluency)


def _read_batch(model: HookedModel, target: Target, rows: Rows) -> tuple[np.ndarray, ...]:
    with torch.inference_mode(), record(model, target.hooks) as activations:
        logits = model(rows.tokens)
    with torch.inference_mode():
        parts = (target.of(logits, activations, rows), turn_of(logits, rows), fluency_of(logits, rows))
        held = torch.stack([part.double() for part in parts])
    if not bool(held.isfinite().all()):
        require_finite_activations(model, rows.tokens)
    return tuple(held.cpu().numpy())


def fluency_of(logits: Float[Tensor, "row pos d_vocab"], rows: Rows) -> Float[Tensor, " row"]:
    """Return the mean log-probability of tokens, each given those before it (nats per token)."""
    own = logits[:, :-1].log_softmax(-1).gather(-1, rows.tokens[:, 1:, None])[..., 0]
    counted = torch.arange(own.shape[1], device=own.device) < rows.last[:, None]
    return own.masked_fill(~counted, 0.0).sum(1) / rows.last.clamp(min=1)


@dataclass(frozen=True)
class Slopes:
    """What a forward and a backward pass say of one input."""

    gradient: Float[Tensor, "pos d_model"]
    """Of the target, by what is put in at each place."""
    log_probs: Float[Tensor, "pos d_vocab"]
    """Of each token in each place, given the tokens before it; at the first place all the same."""


def slopes(model: HookedModel, target: Target, rows: Rows) -> Slopes:
    """Run one input forwards and backwards."""
    seen: list[Tensor] = []

    def run(model: HookedModel, tokens: Tensor, _: Metric, options: dict[str, Any]) -> Tensor:
        with record(model, target.hooks, graph=True) as activations:
            logits = model(tokens, **options)
        seen.append(logits.detach())
        return target.of(logits, activations, rows)

    metric = Metric(target.name, target.unit, lambda logits: logits[:, -1, 0])
    kept, values, _ = run_with_graph(model, rows.tokens, (), metric, read=run)
    gradient = gradients_of(values, {EMBED: kept[EMBED]})[EMBED][0]
    return Slopes(gradient.detach(), _given_before(seen[0][0]))


def likely_at(model: HookedModel, rows: Rows) -> Float[Tensor, "pos d_vocab"]:
    """Run one input; return the log-probability of every token in every place, given the tokens before it."""
    with torch.inference_mode():
        return _given_before(model(rows.tokens)[0])


def _given_before(logits: Float[Tensor, "pos d_vocab"]) -> Float[Tensor, "pos d_vocab"]:
    found = torch.zeros_like(logits)
    found[1:] = logits[:-1].log_softmax(-1)
    return found


def embedding_of(model: HookedModel) -> Float[Tensor, "d_vocab d_model"]:
    """Return what each token puts in."""
    table: Tensor = model.embed.W_E  # ty: ignore[missing-attribute] - weights are no part of the protocol
    return table.detach()
