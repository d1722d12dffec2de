"""What predictions lose, token by token."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.tasks.encoding import tokenizer_of
from interp_lab.types import HookedModel, Logits, Tokens

LogProbabilities = Float[Tensor, "row d_vocab"]


def log_probabilities(logits: Logits, kept: Bool[Tensor, "batch pos"]) -> LogProbabilities:
    """Return the log-probabilities at the tokens that are kept, in float32 at least."""
    chosen = logits[kept]
    return chosen.to(torch.promote_types(chosen.dtype, torch.float32)).log_softmax(-1)


def next_tokens(
    tokens: Tokens, kept: Bool[Tensor, "batch pos"], *, padding: int | None = None
) -> tuple[Int[Tensor, " row"], Bool[Tensor, " row"]]:
    """Return the token after each one that is kept, and whether it is a prediction that counts.

    It counts if it is in the same window and is no padding. The end token between packed documents counts: where a text
    ends is a prediction that the model was trained to make.

    Args:
        padding: token that only fills windows up, if there is one of its own; see `padding_of`.
    """
    following = tokens.roll(-1, dims=1)
    there = torch.ones_like(kept)
    there[:, -1] = False
    if padding is not None:
        there &= following != padding
    return following[kept], there[kept]


def padding_of(model: HookedModel) -> int | None:
    """Return the padding token, if it is no other as well: where it is the end token, it says that a text ends."""
    tokenizer = tokenizer_of(model)
    padding = tokenizer.pad_token_id
    return None if padding in (tokenizer.eos_token_id, tokenizer.bos_token_id) else padding


def cross_entropy(
    log_probability: LogProbabilities, following: Int[Tensor, " row"], there: Bool[Tensor, " row"]
) -> Float[Tensor, " row"]:
    """Return the loss of predicting the next token (nats); 0 where none follows."""
    return torch.where(there, -log_probability.gather(1, following[:, None])[:, 0], 0.0)


def divergence(clean: LogProbabilities, other: LogProbabilities) -> Float[Tensor, " row"]:
    """Return KL(clean || other) of the predictions (nats)."""
    return (clean.exp() * (clean - other)).sum(-1)


def unigram_loss(counts: Float[Tensor, " d_vocab"]) -> Float[Tensor, " d_vocab"]:
    """Return what every token costs who knows only how often tokens come (nats); a tenth is added to every count."""
    smooth = counts.double() + 0.1
    return -(smooth / smooth.sum()).log()
