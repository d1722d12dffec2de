"""Attention through all layers."""

import torch
from jaxtyping import Float
from torch import Tensor


def rollout(layers: Float[Tensor, "layer batch query key"]) -> Float[Tensor, "batch query key"]:
    """Return the product over layers of half attention, half identity.

    Args:
        layers: the mean over heads of each.

    Source: Abnar and Zuidema 2020, arXiv 2005.00928.
    """
    mixed = 0.5 * layers + 0.5 * torch.eye(layers.shape[-1], device=layers.device)
    through = mixed[0]
    for layer in mixed[1:]:
        through = layer @ through
    return through
