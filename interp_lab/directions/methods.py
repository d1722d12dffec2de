"""From activations of a contrast to directions: five methods, one scale."""

from collections.abc import Callable
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_lab.directions.found import ContrastActivations
from interp_lab.directions.vectors import Directions
from interp_lab.linear import lda, logistic
from interp_lab.types import nearest

Method = Literal["mean_difference", "pca", "logistic", "lda", "mean_centred"]
"""How a direction is found; see `directions_of`."""

ROUNDING = 1e-5
"""A gap between means that is smaller than this share of the activations' length is rounding."""
_PENALTY = 1.0
"""Of logistic regression, on activations scaled to a mean variance of one."""

Fitted = tuple[Float[Tensor, "hook d"], dict[str, Any]]
"""Directions in the method's own scale, and what it has to say of them."""


def directions_of(found: ContrastActivations, method: str = "mean_difference", *, seed: int = 0) -> Directions:
    """Return directions from the negative to the positive side of a contrast, one at each hook point.

    Methods differ in where the vectors point, and not in what their length means: each is the part of the gap between
    the means of the two sides that lies along the fitted direction, so that adding it once takes the mean activation
    from the one side to the other as far as that direction goes. What a method made by its own scale has the length
    `about["fitted_norm"][hook]`; `about["gap"][hook]` is the distance between the means, and `about["midpoint"][hook]`
    the projection on the vector of the point halfway between them.

    - `mean_difference`: the gap between the means itself, of pairs or not.
    - `pca`: first principal component of the differences of partners, which are not centred (their mean is what is
      looked for); where there are no partners, of differences of texts put together by lot. Fitted norm: the root mean
      square of the differences along it; `about["share"][hook]` is that of their sum of squares.
    - `logistic`: weights of a logistic regression, penalised alike in every direction. Fitted norm: log-odds per unit.
    - `lda`: the gap between the means, whitened by the covariance within the sides (shrunk as Ledoit and Wolf say).
    - `mean_centred`: mean of the positive side less that of the background; the negative side gives only the length.

    Args:
        method: one of `Method`.
        seed: of the lots; only `pca` without partners draws any.

    Raises: ValueError, for an unknown method, `mean_centred` without background, sides whose means are equal but for
        rounding, or a fitted direction along which the means do not differ; as `linear.logistic` and `linear.lda`.
    Source: mean difference: Panickssery et al. 2023, arXiv 2312.06681, and Marks and Tegmark 2023, arXiv 2310.06824;
        PCA: Zou et al. 2023, arXiv 2310.01405 (in place of signs drawn by lot, differences are taken with both signs,
        which is the same but for the draw); mean-centring: Jorgensen et al. 2023, arXiv 2312.03813.
    """
    if method not in _FITS:
        raise ValueError(f"unknown method {method!r}{nearest(method, _FITS)}; there are: {', '.join(get_args(Method))}")
    gap = _gap(found)
    fitted, told = _FITS[method](found, gap, seed)
    unit = torch.nn.functional.normalize(fitted, dim=-1)
    along = (gap * unit).sum(-1, keepdim=True)
    for hook, part, whole in zip(found.hooks, along[:, 0], gap.norm(dim=-1), strict=True):
        if not bool(part.abs() > 1e-9 * whole):
            raise ValueError(
                f"at {hook} the two sides of {found.name!r} do not differ along what {method} finds; use another method"
            )
    exact = gap if method == "mean_difference" else along * unit
    middle = (found.positive.double().mean(1) + found.negative.double().mean(1)) / 2
    signed = unit * along.sign()
    about = {
        **found.plain(),
        "fitted_norm": dict(zip(found.hooks, fitted.norm(dim=-1).tolist(), strict=True)),
        "gap": dict(zip(found.hooks, gap.norm(dim=-1).tolist(), strict=True)),
        "midpoint": dict(zip(found.hooks, (middle * signed).sum(-1).tolist(), strict=True)),
        **told,
    }
    return Directions(exact.to(found.positive.dtype), found.hooks, found.model, method, found.name, about)


def _gap(found: ContrastActivations) -> Float[Tensor, "hook d"]:
    """Return mean positive less mean negative activations.

    Raises: ValueError, where there is no more of it than rounding leaves.
    """
    positive, negative = found.positive.double(), found.negative.double()
    gap = positive.mean(1) - negative.mean(1)
    length = torch.cat([positive, negative], 1).norm(dim=-1).mean(1)
    for hook, small in zip(found.hooks, gap.norm(dim=-1) <= ROUNDING * length, strict=True):
        if small:
            raise ValueError(
                f"at {hook} both sides of {found.name!r} have the same mean activation (read: {found.read}), so there "
                "is no direction between them; read other tokens, or at a later hook point"
            )
    return gap


def _mean_difference(found: ContrastActivations, gap: Tensor, seed: int) -> Fitted:
    return gap, {}


def _pca(found: ContrastActivations, gap: Tensor, seed: int) -> Fitted:
    positive, negative = found.positive.double(), found.negative.double()
    told: dict[str, Any] = {}
    if not found.paired:
        n, generator = min(positive.shape[1], negative.shape[1]), torch.Generator().manual_seed(seed)
        positive, negative = (
            side[:, torch.randperm(side.shape[1], generator=generator)[:n]] for side in (positive, negative)
        )
        told = {"seed": seed}
    differences = positive - negative
    _, sizes, components = torch.linalg.svd(differences, full_matrices=False)
    share = (sizes[:, 0] ** 2 / (sizes**2).sum(-1)).tolist()
    scale = sizes[:, :1] / differences.shape[1] ** 0.5
    return components[:, 0] * scale, {**told, "share": dict(zip(found.hooks, share, strict=True))}


def _labelled(found: ContrastActivations) -> tuple[Float[Tensor, "hook example d"], Int[Tensor, " example"]]:
    """Return all activations, and 1 for those of the positive side."""
    sides = (found.negative.double(), found.positive.double())
    labels = torch.cat([torch.full((side.shape[1],), nth) for nth, side in enumerate(sides)])
    return torch.cat(sides, 1), labels


def _logistic(found: ContrastActivations, gap: Tensor, seed: int) -> Fitted:
    x, labels = _labelled(found)
    centred = x - x.mean(1, keepdim=True)
    scale = centred.square().mean((1, 2), keepdim=True).sqrt()
    fitted = logistic(centred / scale, labels, penalty=_PENALTY, max_iter=10_000)
    return fitted.weights.double() / scale[:, 0], {"penalty": _PENALTY}


def _lda(found: ContrastActivations, gap: Tensor, seed: int) -> Fitted:
    return lda(*_labelled(found)).weights.double(), {}


def _mean_centred(found: ContrastActivations, gap: Tensor, seed: int) -> Fitted:
    if found.background is None:
        raise ValueError(
            f"mean_centred takes the mean of other texts out of those of {found.name!r}, and none were read; give "
            "contrast_activations a background"
        )
    return found.positive.double().mean(1) - found.background.double(), {}


_FITS: dict[str, Callable[[ContrastActivations, Tensor, int], Fitted]] = {
    "mean_difference": _mean_difference,
    "pca": _pca,
    "logistic": _logistic,
    "lda": _lda,
    "mean_centred": _mean_centred,
}
