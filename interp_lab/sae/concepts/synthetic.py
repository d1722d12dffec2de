"""Activations whose features are known: what an autoencoder that reads true must find again."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from sae_lens.synthetic import (
    ConstantFiringProbabilityConfig,
    SyntheticModel,
    SyntheticModelConfig,
)
from torch import Tensor

from interp_lab.identity import ModelIdentity, WeightProcessing
from interp_lab.sae.evaluation.stability import matched_cosines

PLACE = "synthetic.hook_features"
"""Stands where a hook point would: there is no model."""


@dataclass(frozen=True)
class SyntheticSource:
    """Sparse sums of the directions of one of SAE Lens's synthetic models; an `ActivationSource`.

    Every batch is drawn for itself, from its number, so that none is seen twice and any can be the first.
    """

    truth: SyntheticModel

    @property
    def d_in(self) -> int:
        """Entries of an activation."""
        return self.truth.cfg.hidden_dim

    @property
    def hook(self) -> str:
        """Where they were read: nowhere."""
        return PLACE

    @property
    def model(self) -> ModelIdentity:
        """What they were read from: no model of layers and words."""
        return ModelIdentity("synthetic", WeightProcessing(), n_layers=0, d_model=self.d_in, d_vocab=0)

    @property
    def n_rows(self) -> int:
        """As many as anybody may ask for."""
        return 2**62

    def batches(self, batch_size: int, *, seed: int, first: int = 0) -> Iterator[Float[Tensor, "batch d_in"]]:
        """Yield batches without end; the global generator of SAE Lens is left as it was."""
        number = first
        while True:
            with torch.random.fork_rng(devices=[]), torch.no_grad():
                torch.manual_seed(hash((seed, number)) % 2**63)
                batch = self.truth.sample(batch_size)
            yield batch
            number += 1


def synthetic_model(*, n_features: int = 32, d_in: int = 24, firing: float = 0.06, seed: int = 0) -> SyntheticModel:
    """Return a model of more features than dimensions, each of which fires on its own.

    Args:
        firing: probability of every feature; several are there at once.
    """
    return SyntheticModel(
        SyntheticModelConfig(
            num_features=n_features,
            hidden_dim=d_in,
            firing_probability=ConstantFiringProbabilityConfig(firing),
            seed=seed,
        )
    )


def recovery(found: Float[Tensor, "latent _"], truth: Float[Tensor, "feature _"]) -> float:
    """Match learnt directions to true ones, one to one, and say how far they agree.

    Every direction of the smaller set gets a partner: of more latents than features, the best are taken.

    Returns: mean of the absolute cosines (0 to 1): mean correlation coefficient, as the field calls it.
    Raises: as `matched_cosines`.
    Source: Song et al. 2025, arXiv 2505.20254 (mean correlation coefficient, Hungarian matching).
    """
    return float(matched_cosines(found, truth, signed=False).mean())
