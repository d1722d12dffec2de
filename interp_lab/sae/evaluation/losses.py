"""What predictions lose, token by token."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.types import Logits, Tokens

LogProbabilities = Float[Tensor, "row d_vocab"]


def log_probabilities(logits: Logits, kept: Bool[Tensor, "batch pos"]) -> LogProbabilities:
    """Return the log-probabilities at the tokens that are kept, in float32 at least."""
    chosen = logits[kept]
    return chosen.to(torch.promote_types(chosen.dtype, torch.float32)).log_softmax(-1)


def next_tokens(tokens: Tokens, kept: Bool[Tensor, "batch pos"]) -> tuple[Int[Tensor, " row"], Bool[Tensor, " row"]]:
    """Return the token after each one that is kept, and whether there is one in its window."""
    following = tokens.roll(-1, dims=1)
    there = torch.ones_like(kept)
    there[:, -1] = False
    return following[kept], there[kept]


def cross_entropy(
    log_probability: LogProbabilities, following: Int[Tensor, " row"], there: Bool[Tensor, " row"]
) -> Float[Tensor, " row"]:
    """Return the loss of predicting the next token (nats); 0 where none follows."""
    return torch.where(there, -log_probability.gather(1, following[:, None])[:, 0], 0.0)


def divergence(clean: LogProbabilities, other: LogProbabilities) -> Float[Tensor, " row"]:
    """Return KL(clean || other) of the predictions (nats)."""
    return (clean.exp() * (clean - other)).sum(-1)
