"""Conditions and schedules: at which tokens and in which rows a steer is in force, and how much of it.

Token gates and schedules are a `Strength`; a row gate is the `gate` of an `Intervention`. All decide on each token by
itself, so that they say the same with a cache of keys and values and without.
"""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp_lab.decoding.batch import Batch, Window
from interp_lab.decoding.prompts import Prompts, prompt_ids
from interp_lab.decoding.steer import Strength
from interp_lab.hooks import capture, device_of, require_hook
from interp_lab.types import HookedModel, Scorer

At = Literal["last", "any", "mean"]
"""How the scores of a prompt's tokens become one: that of the last token, the highest, or their mean."""


def projection_above(direction: Float[Tensor, " d_model"], threshold: float) -> Strength:
    """Return the gate that opens where an activation lies further along a direction than a threshold.

    Args:
        direction: its length does not matter.
        threshold: in activation units.

    Raises: ValueError, for a direction of length zero, or NaN or inf in either.
    """
    unit = _unit(direction, threshold)

    def strength(activation: Tensor, window: Window) -> Tensor:
        return ((_fitting(activation, unit) @ unit.to(activation)) > threshold).to(activation)

    return strength


def similarity_above(direction: Float[Tensor, " d_model"], threshold: float) -> Strength:
    """Return the gate that opens where the cosine of an activation with a direction is above a threshold.

    Raises: ValueError, as `projection_above`, and for a threshold outside [-1, 1).
    """
    unit = _unit(direction, threshold)
    if not -1 <= threshold < 1:
        raise ValueError(f"threshold={threshold} is no cosine that can be exceeded; use -1 or more, and less than 1")

    def strength(activation: Tensor, window: Window) -> Tensor:
        along = _fitting(activation, unit) @ unit.to(activation)
        return (along > threshold * activation.norm(dim=-1)).to(activation)

    return strength


def linear_schedule(start: float, end: float, *, over: int) -> Strength:
    """Return the schedule that goes from `start`, at the first generated token, to `end` that many tokens later.

    Prompts have `start`, and what comes later `end`.

    Raises: ValueError, for no tokens, or numbers that are not finite.
    """
    if over < 1:
        raise ValueError(f"over={over} leaves no token between start and end; use 1 or more")
    _require_finite(start=start, end=end)

    def strength(activation: Tensor, window: Window) -> Tensor:
        return start + (end - start) * (_age(window) / over).clamp(0, 1)

    return strength


def decaying(half_life: float) -> Strength:
    """Return the schedule that is 1 up to the first generated token, and half of that `half_life` tokens later.

    Raises: ValueError, for a half-life that is not positive and finite.
    """
    _require_finite(half_life=half_life)
    if half_life <= 0:
        raise ValueError(f"half_life={half_life} tokens must be positive")
    return lambda activation, window: 0.5 ** (_age(window).clamp(min=0) / half_life)


def product_of(*strengths: Strength) -> Strength:
    """Return gates and schedules in force together: a gate of a gate, or a schedule where a gate is open.

    Raises: ValueError, for none.
    """
    if not strengths:
        raise ValueError("product_of needs at least one gate or schedule")

    def strength(activation: Tensor, window: Window) -> Tensor:
        return torch.stack([each(activation, window).to(activation) for each in strengths]).prod(0)

    return strength


def rows_where(
    model: HookedModel, prompts: Prompts, hook: str, scorer: Scorer, *, threshold: float, at: At = "last"
) -> Bool[Tensor, " batch"]:
    """Return which prompts a scorer (a probe, a similarity) puts above a threshold: the `gate` of an intervention.

    Args:
        hook: where the scorer reads the unsteered model, before anything is generated.
        at: `any` and `mean` are over the prompt's tokens; padding never counts.

    Raises: ValueError, for prompts as `prompt_ids`, a hook point that the model has not, scores of another shape, or
        scores that are NaN.
    """
    require_hook(model, hook)
    _require_finite(threshold=threshold)
    batch, n_ctx = Batch(prompt_ids(model, prompts), n_new=0), int(model.cfg.n_ctx)
    if batch.length > n_ctx:
        raise ValueError(f"a prompt has {batch.length} tokens, and the model's context is {n_ctx}; shorten it")
    window = batch.window(batch.length)
    tokens = window.tokens.to(device_of(model))
    with torch.inference_mode():
        scores = scorer(capture(model, tokens, [hook], mask=window.real.to(tokens.device))[hook]).cpu()
    if scores.shape != window.tokens.shape:
        raise ValueError(f"the scorer gives {tuple(scores.shape)} scores for {tuple(window.tokens.shape)} tokens")
    if scores[window.real].isnan().any():
        raise ValueError(f"the scorer gives NaN for a token at {hook}")
    if at == "last":
        found = scores[:, -1]
    elif at == "any":
        found = scores.masked_fill(~window.real, -torch.inf).amax(1)
    else:
        found = torch.where(window.real, scores, 0).sum(1) / window.real.sum(1)
    return found > threshold


def _age(window: Window) -> Tensor:
    """Return how many tokens after the first generated one each is; negative in the prompt."""
    return window.positions - window.prompt_lengths


def _unit(direction: Tensor, threshold: float) -> Tensor:
    _require_finite(threshold=threshold)
    if not torch.isfinite(direction).all() or not direction.any():
        raise ValueError("the direction of a gate holds NaN or inf, or has length zero; give a finite one that points")
    return direction / direction.norm()


def _require_finite(**numbers: float) -> None:
    for name, number in numbers.items():
        if not torch.isfinite(torch.tensor(number)):
            raise ValueError(f"{name}={number} must be a finite number")


def _fitting(activation: Tensor, unit: Tensor) -> Tensor:
    if activation.ndim != 3 or activation.shape[-1] != len(unit):
        raise ValueError(
            f"a gate of width {len(unit)} cannot read an activation of shape {tuple(activation.shape)}; "
            "use it at a hook point of the residual stream, with a direction of its width"
        )
    return activation
