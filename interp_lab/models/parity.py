"""A rebuilt model must predict what the original predicts: checked once, on a few tokens, at every conversion."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

_TOLERANCE = {torch.float64: 1e-5, torch.float32: 1e-5, torch.float16: 0.1, torch.bfloat16: 0.1}
"""Largest allowed mean divergence (nats). Wrong conversions of models with random weights were seen to cost 0.08
and more. In bfloat16 rounding alone is worth some 0.02, because logits near -100 are a half apart."""


def probe_tokens(*, d_vocab: int, n_ctx: int, n_probe: int = 12) -> Int[Tensor, "1 pos"]:
    """Return a short sequence of well-spread token ids, the same at every call."""
    return (torch.arange(min(n_probe, n_ctx))[None] * 7919 + 1) % d_vocab


@torch.no_grad()
def log_probs(forward: Callable[[Tensor], Tensor], tokens: Int[Tensor, "1 pos"]) -> Float[Tensor, "1 pos d_vocab"]:
    """Return next-token log-probabilities in float64, whatever the model's dtype."""
    return forward(tokens).double().log_softmax(-1)


def require_parity(
    rebuilt: Float[Tensor, "1 pos d_vocab"],
    original: Float[Tensor, "1 pos d_vocab"],
    *,
    dtype: torch.dtype,
    what: str,
    remedy: str,
) -> None:
    """Refuse a rebuilt model whose predictions diverge from the original's.

    Raises: ValueError, if the mean Kullback-Leibler divergence exceeds rounding error.
    """
    divergence = (original.exp() * (original - rebuilt)).sum(-1).mean().item()
    if not divergence <= _TOLERANCE[dtype]:
        raise ValueError(
            f"{what} does not predict what the original predicts: mean divergence {divergence:.1e} nats over "
            f"{original.shape[1]} tokens, allowed {_TOLERANCE[dtype]:.0e}; {remedy}"
        )
