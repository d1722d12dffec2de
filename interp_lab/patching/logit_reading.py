"""How a residual stream is read into a metric: through the final norm, held at its scale, and the unembedding."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.metrics import Metric
from interp_lab.models import norm_kind
from interp_lab.types import HookedModel


class LogitReading:
    """One batch's way from the residual stream to the metric: a direction per prompt and position read, and constants.

    The final norm is `(x - mean) / scale * w + b`. Held at its scale it is linear, so what follows the stream is one
    direction `v` with `metric = x . v + constants`; no part of the stream needs a norm, and no neuron a vector.
    """

    def __init__(
        self, model: HookedModel, metric: Metric, logits: Float[Tensor, "batch pos d_vocab"], kept: Mapping[str, Tensor]
    ) -> None:
        """Take activations by hook name, the stream that leaves the last layer among them.

        Raises: ValueError, as `combination_of` and `norm_kind`.
        """
        self._kept = kept
        weights = combination_of(metric, logits)  # batch, read, column
        n_rows, n_pos, d_vocab = logits.shape
        positions = metric.absolute_positions(n_pos)
        positions = torch.arange(n_pos).expand(n_rows, -1) if positions is None else positions
        self._row, self._at = torch.arange(n_rows, device=logits.device)[:, None], positions.to(logits.device)
        columns = torch.arange(d_vocab).expand(n_rows, -1) if metric.columns is None else metric.columns
        columns, parameters, norm = columns.to(logits.device), _parameters(model), getattr(model, "ln_final", None)
        to_logits = torch.einsum("brc,bcd->brd", weights, parameters.W_U.T[columns].to(weights))
        final = self.at_reads(f"blocks.{int(model.cfg.n_layers) - 1}.hook_resid_post")
        scaled = to_logits * _parameter(norm, "w", like=to_logits, default=1.0)
        self._direction = through_frozen_norm(scaled, final, kind=norm_kind(model), eps=float(model.cfg.eps))
        self.norm_bias = (to_logits * _parameter(norm, "b", like=to_logits, default=0.0)).sum((1, 2))
        """What the bias of the final norm adds, per prompt; 0 where it has none."""
        self.logit_bias = torch.einsum("brc,bc->b", weights, parameters.b_U[columns].to(weights))
        """What the bias of the unembedding adds, per prompt."""
        size = (final * self._direction).abs().sum((1, 2)) + self.norm_bias.abs() + self.logit_bias.abs()
        self.rounding = 100 * torch.finfo(logits.dtype).eps * (1 + size)
        """By how much the metric may be off because of the model's precision, per prompt."""

    def at_reads(self, hook: str) -> Float[Tensor, "batch read ..."]:
        """Return an activation at the positions that are read."""
        activation = self._kept[hook]
        return activation.expand(len(self._row), *activation.shape[1:])[self._row, self._at].to(torch.float32)

    def of(self, vectors: Float[Tensor, "*batch d_model"]) -> Float[Tensor, " batch"]:
        """Return what vectors of the residual stream add to the metric; a bias is the same everywhere."""
        return (vectors.to(self._direction) * self._direction).sum((1, 2))

    def of_heads(self, hook: str, weight: Float[Tensor, "head d_head d_model"]) -> Float[Tensor, "head batch"]:
        """Return what each head adds, from its mixed values and its block of the output matrix."""
        onto = torch.einsum("hed,brd->brhe", weight.to(self._direction), self._direction)
        return (self.at_reads(hook) * onto).sum((1, 3)).T

    def of_neurons(self, hook: str, weight: Float[Tensor, "d_mlp d_model"]) -> Float[Tensor, "d_mlp batch"]:
        """Return what each neuron adds, from its activation and its row of the output matrix."""
        onto = torch.einsum("nd,brd->brn", weight.to(self._direction), self._direction)
        return (self.at_reads(hook) * onto).sum(1).T


def combination_of(metric: Metric, logits: Float[Tensor, "batch pos d_vocab"]) -> Float[Tensor, "batch read column"]:
    """Return the weights with which a metric adds up the logits that it reads.

    Raises: ValueError, unless it is such a sum: then its gradient is the same everywhere, and it is 0 at 0.
    """
    actual = metric.gather(logits.detach())
    with torch.inference_mode(False), torch.enable_grad():
        points = [torch.zeros_like(actual).requires_grad_(True), actual.clone().requires_grad_(True)]
        values = [metric.of_gathered(point) for point in points]
        if all(value.requires_grad for value in values):
            at_zero, here = (torch.autograd.grad(v.sum(), p)[0] for v, p in zip(values, points, strict=True))
            if not values[0].any() and torch.allclose(at_zero, here, atol=1e-6):
                return here
    raise ValueError(
        f"metric {metric.name!r} is not a fixed combination of logits, so parts of the model do not add up to it; use "
        "metrics.logit_difference"
    )


def through_frozen_norm(
    direction: Float[Tensor, "batch read d_model"],
    final: Float[Tensor, "batch read d_model"],
    *,
    kind: str | None,
    eps: float,
) -> Float[Tensor, "batch read d_model"]:
    """Return the direction before a norm that reads what `direction` reads after it, at the scale that `final` has."""
    if kind is None:
        return direction
    if kind == "LN":
        final = final - final.mean(-1, keepdim=True)
        direction = direction - direction.mean(-1, keepdim=True)
    return direction / (final.square().mean(-1, keepdim=True) + eps).sqrt()


def _parameters(model: HookedModel) -> Any:  # noqa: ANN401 - weights are no part of the protocol, and on both backends
    return model


def _parameter(module: object, name: str, *, like: Tensor, default: float) -> Tensor:
    """Return a parameter that a module may not have, because it was folded or never there."""
    found = getattr(module, name, None)
    return torch.full_like(like[0, 0], default) if found is None else found.to(like)
