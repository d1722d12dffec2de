"""A dictionary whose features are known: latent `k` is active at token `k` alone, by how often it is told."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from interp_lab import load_model
from interp_lab.sae.features import Dictionary

HOOK = "hook_embed"


@cache
def model() -> Any:
    return load_model("organism", device="cpu")


@dataclass
class TokenCodec:
    """Reads the embedding of a token: latent `k` is `strength` at token `k`, and adds its embedding. Counts calls."""

    table: torch.Tensor
    strength: float = 2.0
    n_encoded: int = 0

    def encode(self, activation: torch.Tensor) -> torch.Tensor:
        self.n_encoded += 1
        token = torch.cdist(activation.flatten(0, -2), self.table).argmin(-1)
        hot = torch.nn.functional.one_hot(token, len(self.table)).to(activation) * self.strength
        return hot.view(*activation.shape[:-1], -1)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return latents @ self.table / self.strength


def dictionary(**changes: Any) -> Dictionary:
    table = model().W_E.detach()
    return Dictionary("planted", HOOK, TokenCodec(table, **changes), len(table))
