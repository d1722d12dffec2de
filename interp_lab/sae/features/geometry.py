"""What directions say without any text: tokens whose logits they raise, and latents that point the same way."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.sae.features.sampled import largest


def logit_rows(
    directions: Float[Tensor, "latent d_model"], unembed: Float[Tensor, "d_model d_vocab"], *, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return tokens and effects `(latent, 2, rank)`: those that a direction raises most, and those it lowers most.

    The effect is on the logit, per unit of activation, up to the scale of the final norm.
    """
    effects = directions @ unembed
    n = min(n, effects.shape[1])
    found = [effects.topk(n, dim=1, largest=raised) for raised in (True, False)]
    tokens = torch.stack([one.indices for one in found], 1).numpy()
    return tokens, torch.stack([one.values for one in found], 1).numpy()


def similar_directions(
    directions: Float[Tensor, "latent d_model"], latents: range, *, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the latents whose directions have the largest positive cosine with those of some, and the cosine.

    Where fewer than `n` have a positive one, -1 and NaN stand.
    """
    unit = torch.nn.functional.normalize(directions, dim=1)
    cosine = (unit[latents.start : latents.stop] @ unit.T).numpy()
    cosine[np.arange(len(latents)), np.asarray(latents)] = 0.0
    return largest(cosine, n)
