"""What autoencoders are held against: the mean, zero, principal components, and directions that nobody trained."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

_STREAM = 8317
"""Sets these random numbers apart from others of the same seed."""


@dataclass(frozen=True)
class Constant:
    """Always the same reconstruction, without latents: the mean, or zero."""

    value: Float[Tensor, " d_in"]

    def encode(self, activation: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch latent"]:
        """Return no latents."""
        return activation.new_zeros(*activation.shape[:-1], 0)

    def decode(self, latents: Float[Tensor, "*batch latent"]) -> Float[Tensor, "*batch d_in"]:
        """Return the constant."""
        return self.value.expand(*latents.shape[:-1], -1)


@dataclass(frozen=True)
class PrincipalComponents:
    """The best linear reconstruction from so many numbers, the same directions for every token."""

    mean: Float[Tensor, " d_in"]
    components: Float[Tensor, "latent d_in"]
    """Orthonormal."""

    @classmethod
    def of(
        cls, mean: Float[Tensor, " d_in"], covariance: Float[Tensor, "d_in d_in"], *, n: int
    ) -> "PrincipalComponents":
        """Return the `n` components of largest variance; all there are, if `n` is larger."""
        _, vectors = torch.linalg.eigh(covariance.double())
        return cls(mean, vectors.flip(-1)[:, :n].T.to(mean.dtype).contiguous())

    def encode(self, activation: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch latent"]:
        """Return the coordinates."""
        return (activation - self.mean) @ self.components.T

    def decode(self, latents: Float[Tensor, "*batch latent"]) -> Float[Tensor, "*batch d_in"]:
        """Return the reconstruction."""
        return latents @ self.components + self.mean


@dataclass(frozen=True)
class SearchedDirections:
    """Directions that are given, and for every token the few of them that a greedy search chooses.

    There is no encoder, so none can be trained too little: what is missing is missing from the directions. Codes may be
    negative. Drawn at random, the directions are a frozen decoder that nobody trained.

    Source: after the frozen decoder of Korznikov et al. 2026, arXiv 2602.14111, who train an encoder for it.
    """

    origin: Float[Tensor, " d_in"]
    """What stands where no direction is active."""
    directions: Float[Tensor, "latent d_in"]
    """Of length one."""
    n_active: int
    rounds: int = 32
    """Of the search, at most."""

    def encode(self, activation: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch latent"]:
        """Return the codes, `n_active` of them not zero."""
        flat = (activation - self.origin).flatten(0, -2)
        chosen, codes = pursue(flat, self.directions, n_active=self.n_active, rounds=self.rounds)
        latents = flat.new_zeros(len(flat), len(self.directions)).scatter_(1, chosen, codes)
        return latents.view(*activation.shape[:-1], -1)

    def decode(self, latents: Float[Tensor, "*batch latent"]) -> Float[Tensor, "*batch d_in"]:
        """Return the reconstruction."""
        return latents @ self.directions + self.origin


def unit(rows: Float[Tensor, "row d_in"]) -> Float[Tensor, "direction d_in"]:
    """Return directions of length one, without those of no length."""
    lengths = rows.norm(dim=-1, keepdim=True)
    there = lengths[:, 0] > 0
    return rows[there] / lengths[there]


def random_directions(n: int, d_in: int, *, seed: int) -> Float[Tensor, "latent d_in"]:
    """Return unit vectors drawn uniformly, from numbers that an autoencoder of the same seed did not begin with."""
    (own,) = np.random.SeedSequence([seed, _STREAM]).generate_state(1)
    drawn = torch.randn(n, d_in, generator=torch.Generator().manual_seed(int(own)))
    return drawn / drawn.norm(dim=-1, keepdim=True)


def pursue(
    target: Float[Tensor, "row d_in"], directions: Float[Tensor, "latent d_in"], *, n_active: int, rounds: int = 32
) -> tuple[Int[Tensor, "row active"], Float[Tensor, "row active"]]:
    """Return which directions a greedy search chooses for each row, and the least-squares codes of those.

    Every round adds the directions whose inner product with what is left is largest, whatever its sign, and fits all
    codes anew. With one round per direction this is orthogonal matching pursuit; fewer add several at once, are faster,
    and leave more: 16 of 1,024 random directions explained .696 of the organism's variance in 8 rounds, .714 in 16.

    Args:
        directions: of length one.
        n_active: directions for each row; as many as there are, or as there are entries, if those are fewer.

    Source: Pati, Rezaiifar and Krishnaprasad 1993 (orthogonal matching pursuit).
    """
    n_active = min(n_active, *directions.shape)
    rounds = min(rounds, n_active)
    chosen = torch.zeros(len(target), 0, dtype=torch.long, device=target.device)
    codes, rest = target.new_zeros(len(target), 0), target
    for nth in range(rounds):
        n_more = (n_active - chosen.shape[1]) // (rounds - nth)
        score = (rest @ directions.T).abs().scatter(1, chosen, -torch.inf)
        chosen = torch.cat([chosen, score.topk(n_more, dim=1).indices], dim=1)
        basis = directions[chosen]
        gram = basis @ basis.mT + 1e-6 * torch.eye(chosen.shape[1]).to(basis)
        codes = torch.linalg.solve(gram, (basis @ target[..., None]))[..., 0]
        rest = target - (codes[:, None] @ basis)[:, 0]
    return chosen, codes
