"""Gates: steer only tokens whose activation is like that of texts which show a trait, of either side."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Kind = Literal["projection", "similarity"]


@dataclass(frozen=True)
class Gate:
    """A number per token, and the threshold above which it is steered."""

    kind: Kind
    hook: str
    """Where activations are read, before any steering."""
    direction: tuple[float, ...]
    """What tokens are compared with, of length 1: from neutral text to texts that show the trait, on either side."""
    centre: tuple[float, ...]
    """Mean activation of neutral text; similarity is the cosine of what is left after it is taken off."""
    threshold: float
    """In activation units along the direction (projection), or a cosine (similarity)."""
    opened_on_trait: float
    """Share of the texts it was fitted on that it opens for."""
    opened_on_neutral: float
    """Share of the neutral tokens it was fitted on that it opens for."""

    def scores(self, activation: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch"]:
        """Return the number of each token."""
        direction, centre = (torch.tensor(part).to(activation) for part in (self.direction, self.centre))
        return _scores(self.kind, activation, direction=direction, centre=centre)

    def opened(self, activation: Float[Tensor, "*batch d_model"]) -> Bool[Tensor, "*batch"]:
        """Return which tokens are steered."""
        return self.scores(activation) > self.threshold

    def as_dict(self) -> dict[str, Any]:
        """Return plain numbers, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Gate":
        """Rebuild from `as_dict`."""
        values: dict[str, Any] = {**data, **{name: tuple(data[name]) for name in ("direction", "centre")}}
        return cls(**values)


def fit_gate(
    kind: Kind,
    shown: Float[Tensor, "example d_model"],
    neutral: Float[Tensor, "token _"],
    *,
    hook: str,
    percentile: float | None = 95.0,
) -> Gate:
    """Fit a gate that opens for texts which show a trait, whatever its side, and stays closed for neutral text.

    Args:
        shown: activations of both sides of a contrast, where it was read.
        neutral: activations of tokens of neutral text.
        percentile: of the neutral tokens, below which the gate stays closed; `None` puts the threshold midway between
            the two means.

    Raises: ValueError, for no activations, another width, NaN or inf, a percentile outside 0 to 100, or means that are
        the same.
    """
    if not len(shown) or not len(neutral) or shown.shape[1] != neutral.shape[1]:
        raise ValueError(
            f"activations of shape {tuple(shown.shape)} and {tuple(neutral.shape)} fit no gate; give some of each, of "
            "the same width"
        )
    if not all(bool(torch.isfinite(part).all()) for part in (shown, neutral)):
        raise ValueError(f"activations at {hook} hold NaN or inf, and no gate can be fitted on them")
    if percentile is not None and not 0 <= percentile <= 100:
        raise ValueError(f"percentile={percentile} must be from 0 to 100, or None for midway between the means")
    centre = neutral.mean(0)
    gap = shown.mean(0) - centre
    if not gap.any():
        raise ValueError("texts that show the trait have the mean of neutral text; a gate has nothing to tell by")
    direction = gap / gap.norm()
    scores = [_scores(kind, part, direction=direction, centre=centre) for part in (shown, neutral)]
    if percentile is None:
        threshold = float((scores[0].mean() + scores[1].mean()) / 2)
    else:
        threshold = float(torch.quantile(scores[1].float(), percentile / 100))
    on = [float((part > threshold).float().mean()) for part in scores]
    return Gate(kind, hook, tuple(direction.tolist()), tuple(centre.tolist()), threshold, on[0], on[1])


def _scores(
    kind: Kind, activation: Float[Tensor, "*batch d_model"], *, direction: Tensor, centre: Tensor
) -> Float[Tensor, "*batch"]:
    left = activation - centre
    along = left @ direction
    return along if kind == "projection" else along / left.norm(dim=-1).clamp_min(torch.finfo(left.dtype).tiny)
