"""Do two dictionaries have the same directions? Matched one to one, beside directions drawn at random."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from interp_lab.sae.evaluation.baselines import random_directions
from interp_lab.types import Codec

_AT_ONCE = 1024
"""Latents decoded together."""


def latent_directions(codec: Codec, n_latents: int, *, device: torch.device) -> Float[Tensor, "latent d_in"]:
    """Return what each latent adds to the reconstruction per unit of its activation, for a decoder that is linear."""
    parts = []
    with torch.inference_mode():
        bias = codec.decode(torch.zeros(1, n_latents, device=device))
        for first in range(0, n_latents, _AT_ONCE):
            some = torch.arange(first, min(first + _AT_ONCE, n_latents), device=device)
            one_hot = torch.zeros(len(some), n_latents, device=device)
            parts.append(codec.decode(one_hot.scatter_(1, some[:, None], 1.0)) - bias)
    return torch.cat(parts)


def matched_cosines(
    first: Float[Tensor, "latent _"], second: Float[Tensor, "other _"], *, signed: bool = True
) -> Float[np.ndarray, " matched"]:
    """Return the cosine of each matched pair, where every direction has at most one partner.

    The matching is the one of largest sum (Hungarian); with fewer directions on one side, all of those are matched.

    Args:
        signed: opposite directions are different ones, as for latents that are never negative; else absolute cosines.

    Returns: at most 1, in the order of the first, or of its matched ones.
    Raises: ValueError, for no directions, one of length zero, or directions of different numbers of entries.
    """
    if first.shape[-1] != second.shape[-1]:
        raise ValueError(
            f"directions of {first.shape[-1]} entries cannot be matched to some of {second.shape[-1]}; take an "
            "autoencoder that was trained on these activations"
        )
    sides = [side.detach().double() / side.detach().double().norm(dim=-1, keepdim=True) for side in (first, second)]
    for side in sides:
        if not len(side) or not side.isfinite().all():
            none = int((~side.isfinite().all(-1)).sum())
            raise ValueError(f"{len(side)} directions, {none} of no length: leave those out, and give at least one")
    cosines = sides[0] @ sides[1].T
    cosines = (cosines if signed else cosines.abs()).cpu().numpy()
    return cosines[linear_sum_assignment(cosines, maximize=True)]


@dataclass(frozen=True)
class Stability:
    """How well the directions of one dictionary are found again, latent by latent (signed cosines).

    Latents are not negative, so that opposite directions are different features.
    """

    first: str
    second: str
    matched: Float[np.ndarray, " latent"]
    """With the second dictionary."""
    isotropic: Float[np.ndarray, " latent"]
    """With as many directions drawn uniformly."""
    shaped: Float[np.ndarray, " latent"]
    """With as many drawn with the covariance of the activations: they share what is common to all directions here."""
    n_latents: int
    """Of the first that ever fired."""
    n_others: int


def stability(
    names: tuple[str, str],
    first: Float[Tensor, "latent d_in"],
    second: Float[Tensor, "other d_in"],
    *,
    covariance: Float[Tensor, "d_in d_in"],
    most: int,
    seed: int,
) -> Stability:
    """Match two dictionaries, and the first with random ones of the second's size.

    Args:
        covariance: of activations.
        most: latents of the first that are matched; more are drawn from.
    """
    some = _drawn(len(first), most, seed=seed)
    few = first[torch.from_numpy(some).to(first.device)]
    isotropic = random_directions(len(second), second.shape[-1], seed=seed + 1).to(second)
    values, vectors = torch.linalg.eigh(covariance.double())
    shaped = isotropic.double() @ (vectors * values.clamp_min(0).sqrt()).T
    return Stability(
        *names,
        matched=matched_cosines(few, second),
        isotropic=matched_cosines(few, isotropic),
        shaped=matched_cosines(few, shaped.to(second)),
        n_latents=len(first),
        n_others=len(second),
    )


def _drawn(n: int, most: int, *, seed: int) -> Int[np.ndarray, " latent"]:
    return np.arange(n) if n <= most else np.sort(np.random.default_rng(seed).choice(n, most, replace=False))
