"""Metrics of the whole predicted distribution, over one or many positions."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor

from interp_lab.metrics.metric import Metric, Position, declare, position_column, weighted_log_probability
from interp_lab.types import Logits, Tokens, require_tokens


def next_token_loss(
    tokens: Tokens, *, first: Position = 1, last: Position = -1, name: str = "next-token loss"
) -> Metric:
    """Mean negative log-probability of a span of tokens, each predicted from the position before it; at least 0 nats.

    Args:
        tokens: the sequences themselves.
        first: first token of the span, for all examples or for each; at least 1, as nothing predicts token 0.
        last: last token of the span, included.
        name: what the span is, such as `second-copy loss`.

    Raises: ValueError, for a span that is empty or not within the sequence.
    """
    require_tokens(tokens)
    n_examples, n_pos = tokens.shape
    start, stop = (position_column(end, n_examples=n_examples).to(tokens.device) for end in (first, last))
    start, stop = (torch.where(end < 0, end + n_pos, end) for end in (start, stop))
    bad = ((start < 1) | (stop < start) | (stop >= n_pos)).flatten().nonzero().flatten().tolist()
    if bad:
        raise ValueError(
            f"example {bad[0]} has the span from token {int(start[bad[0]])} to {int(stop[bad[0]])}, which must be "
            f"within 1 and {n_pos - 1} and not empty; `last` is included"
        )
    length = stop - start + 1
    offset = torch.arange(int(length.max()), device=tokens.device)
    predicted = torch.minimum(start + offset, stop)
    data = (tokens.gather(1, predicted), -(offset < length).float() / length)
    return declare(name, "nats", score=weighted_log_probability, positions=predicted - 1, data=data, tokens=data[0])


def kl_divergence(reference_logits: Logits, *, positions: Position | Int[Tensor, "batch read"] | None = None) -> Metric:
    """KL divergence of the model's predictions from the reference's, KL(reference || model), averaged over positions.

    At least 0 nats, 0 where the distributions are the same.

    Args:
        reference_logits: usually of the untouched model on the same tokens.
        positions: what to average over; `None` for every position, padding included.

    Raises: ValueError, if the reference is empty; on use, if the logits have another shape.
    """
    require_tokens(reference_logits, what="reference_logits")
    n_examples, _, d_vocab = reference_logits.shape
    several = positions is None or (isinstance(positions, Tensor) and positions.ndim == 2)
    read = positions if several else position_column(positions, n_examples=n_examples)

    def score(logits: Tensor, reference: Tensor) -> Tensor:
        if logits.shape != reference.shape:
            raise ValueError(
                f"KL divergence between logits of shape {tuple(logits.shape)} and a reference of "
                f"{tuple(reference.shape)}; both must come from the same tokens"
            )
        divergence = F.kl_div(logits.log_softmax(-1), reference, reduction="none", log_target=True)
        return divergence.sum(-1).mean(-1)

    metric = declare("KL divergence", "nats", score=score, positions=read)
    metric = replace(metric, min_vocab=d_vocab)
    return replace(metric, data=(metric.gather(reference_logits).log_softmax(-1),))
