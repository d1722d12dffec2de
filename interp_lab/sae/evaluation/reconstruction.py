"""How far a reconstruction is from an activation, token by token, and what that comes to.

Six formulae go by the name of explained variance. `r_squared` is the one that this package calls R2: it counts a
constant bias as an error, does not depend on batches, and gives nothing for predicting the mean. Others are told only
under their own names.
"""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor

Rows = Float[Tensor, "row d_in"]


def squared_error(activation: Rows, reconstruction: Rows) -> Float[Tensor, " row"]:
    """Return the squared distance, summed over entries (the mean over tokens is called MSE, as SAE Lens does)."""
    return (activation - reconstruction).square().sum(-1)


def r_squared(activation: Rows, reconstruction: Rows) -> float:
    """Return 1 - E|x - x'|^2 / (E|x|^2 - |E x|^2), over all tokens together.

    Returns: 1 for perfect, 0 for predicting the mean of these tokens; may be negative.
    Raises: ValueError, if all activations are the same.
    """
    around = activation.double() - activation.double().mean(0)
    total = float(around.square().sum())
    if total == 0:
        raise ValueError(f"{len(activation)} equal activations have no variance to explain; give different tokens")
    return 1 - float(squared_error(activation.double(), reconstruction.double()).sum()) / total


def cosine(activation: Rows, reconstruction: Rows) -> Float[Tensor, " row"]:
    """Return the cosine of both; 0 where one of them is zero."""
    lengths = activation.norm(dim=-1) * reconstruction.norm(dim=-1)
    inner = (activation * reconstruction).sum(-1)
    return torch.where(lengths > 0, inner / lengths.clamp_min(torch.finfo(lengths.dtype).tiny), 0.0)


def length_ratio(activation: Rows, reconstruction: Rows) -> Float[Tensor, " row"]:
    """Return the length of the reconstruction over that of the activation; 0 where that is zero."""
    length = activation.norm(dim=-1)
    ratio = reconstruction.norm(dim=-1) / length.clamp_min(torch.finfo(length.dtype).tiny)
    return torch.where(length > 0, ratio, 0.0)


def token_sums(activation: Rows, reconstruction: Rows) -> dict[str, Float[Tensor, " row"]]:
    """Return what is added up over tokens: `squared_error`, `squared_norm`, `inner`, `cosine`, `l2_ratio`.

    `squared_norm` over `inner`, both summed, is the relative reconstruction bias: below 1 where reconstructions are
    too short (shrinkage), whatever their direction.

    Source: Rajamanoharan et al. 2024, arXiv 2404.16014, equation 10.
    """
    return {
        "squared_error": squared_error(activation, reconstruction),
        "squared_norm": reconstruction.square().sum(-1),
        "inner": (activation * reconstruction).sum(-1),
        "cosine": cosine(activation, reconstruction),
        "l2_ratio": length_ratio(activation, reconstruction),
    }


def legacy_explained_variance(activation: Rows, reconstruction: Rows) -> Float[Tensor, " row"]:
    """Return 1 - |x - x'|^2 / |x - mean of the batch|^2 per token: its mean lets tokens of small norm decide.

    Source: Karvonen et al. 2025, arXiv 2503.09532 (SAEBench); `explained_variance_legacy` of SAE Lens.
    """
    return 1 - squared_error(activation, reconstruction) / _around_batch(activation)


def fraction_of_variance_unexplained_batch(activation: Rows, reconstruction: Rows) -> Float[Tensor, " row"]:
    """Return |x - x'|^2 over the batch's mean of |x - mean of the batch|^2: depends on what is in a batch."""
    return squared_error(activation, reconstruction) / _around_batch(activation).mean()


def normalised_mse_uncentred(activation: Rows, reconstruction: Rows) -> Float[Tensor, " row"]:
    """Return |x - x'|^2 / |x|^2 per token: nearly 0 for predicting the mean, where the mean is large."""
    return squared_error(activation, reconstruction) / activation.square().sum(-1)


def _around_batch(activation: Rows) -> Float[Tensor, " row"]:
    return (activation - activation.mean(0)).square().sum(-1)


VARIANTS: Mapping[str, Callable[[Rows, Rows], Float[Tensor, " row"]]] = {
    "legacy_explained_variance": legacy_explained_variance,
    "fraction_of_variance_unexplained_batch": fraction_of_variance_unexplained_batch,
    "normalised_mse_uncentred": normalised_mse_uncentred,
}
"""By the name under which they are told; each a mean over tokens."""
