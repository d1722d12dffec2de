"""Metrics of how much a model prefers given answers at one place."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.metrics.metric import Metric, Position, declare, position_column, weighted_log_probability

TokenSets = Int[Tensor, " batch"] | Int[Tensor, "batch answer"] | Sequence[Sequence[int]]
"""One or several token ids per example; a nested sequence may hold sets of different sizes."""


def logit_difference(answers: TokenSets, wrong: TokenSets, *, positions: Position = -1) -> Metric:
    """Mean logit of the answers minus mean logit of the wrong answers; zero for a model that does not tell them apart.

    Raises: ValueError, for empty or overlapping sets, repeated tokens, or numbers of examples that differ.
    """
    columns, weights = _signed_sets(answers, wrong, average=True)

    def score(logits: Tensor, weights: Tensor) -> Tensor:
        return (logits[:, 0] * weights).sum(-1)

    read = position_column(positions, n_examples=len(columns))
    return declare("logit difference", "logits", score=score, positions=read, columns=columns, data=(weights,))


def probability_difference(answers: TokenSets, wrong: TokenSets, *, positions: Position = -1) -> Metric:
    """Total probability of the answers minus that of the wrong answers; from -1 to 1.

    Raises: ValueError, as `logit_difference`.
    """
    tokens, weights = _signed_sets(answers, wrong, average=False)

    def score(logits: Tensor, tokens: Tensor, weights: Tensor) -> Tensor:
        return (logits[:, 0].softmax(-1).gather(-1, tokens) * weights).sum(-1)

    read = position_column(positions, n_examples=len(tokens))
    data = (tokens, weights)
    return declare("probability difference", "probability", score=score, positions=read, data=data, tokens=tokens)


def log_probability(
    answers: Int[Tensor, " batch"] | Int[Tensor, "batch read"],
    *,
    positions: Position | Int[Tensor, "batch read"] = -1,
    mask: Bool[Tensor, "batch read"] | None = None,
) -> Metric:
    """Log-probability of the answer; of one in several tokens, their sum under teacher forcing.

    Args:
        answers: the token, or the tokens, of each example's answer.
        positions: where each token is predicted (the position before it); several tokens need one position each.
        mask: which tokens count, for answers of different lengths; padding may hold any token and position.

    Raises: ValueError, if positions do not match the answers.
    """
    tokens = answers[:, None] if answers.ndim == 1 else answers
    several = isinstance(positions, Tensor) and positions.ndim == 2
    read = positions if several else position_column(positions, n_examples=len(tokens))
    if read.shape != tokens.shape:
        raise ValueError(
            f"answers of shape {tuple(tokens.shape)} are read at positions of shape {tuple(read.shape)}; give "
            "one position for each answer token, the one before it"
        )
    mask = torch.ones_like(tokens, dtype=torch.bool) if mask is None else mask.to(tokens.device)
    tokens, read = torch.where(mask, tokens, 0), torch.where(mask, read.to(tokens.device), -1)
    data = (tokens, mask.float())
    return declare("log-probability", "nats", score=weighted_log_probability, positions=read, data=data, tokens=tokens)


def rank(answers: Int[Tensor, " batch"], *, positions: Position = -1) -> Metric:
    """Number of tokens with a higher logit than the answer, 0 at best; tokens with the same logit count half.

    So a model with constant logits ranks every answer in the middle, not first.
    """
    tokens = answers[:, None]

    def score(logits: Tensor, tokens: Tensor) -> Tensor:
        read = logits[:, 0]
        own = read.gather(-1, tokens)
        higher, same = (read > own).sum(-1), (read == own).sum(-1) - 1
        return torch.where(read.isnan().any(-1), torch.nan, higher + same / 2)  # NaN compares as lower than anything

    read = position_column(positions, n_examples=len(tokens))
    return declare("rank", "tokens", score=score, positions=read, data=(tokens,), tokens=tokens)


def _signed_sets(
    answers: TokenSets, wrong: TokenSets, *, average: bool
) -> tuple[Int[Tensor, "batch token"], Float[Tensor, "batch token"]]:
    """Lay answers and wrong answers side by side, with positive and negative weights.

    Sets of different sizes are filled up with tokens of weight zero.
    """
    liked, disliked = _token_sets(answers, what="answers"), _token_sets(wrong, what="wrong")
    if len(liked) != len(disliked):
        raise ValueError(f"answers for {len(liked)} examples and wrong answers for {len(disliked)}; give both for each")
    tokens, weights = [], []
    for example, (good, bad) in enumerate(zip(liked, disliked, strict=True)):
        shared = set(good) & set(bad)
        if shared:
            raise ValueError(f"token {min(shared)} is both answer and wrong answer in example {example}; leave it out")
        tokens.append(torch.tensor(good + bad))
        parts = (1 / len(good), -1 / len(bad)) if average else (1.0, -1.0)
        weights.append(torch.tensor([parts[0]] * len(good) + [parts[1]] * len(bad)))
    pad = torch.nn.utils.rnn.pad_sequence
    return pad(tokens, batch_first=True), pad(weights, batch_first=True)


def _token_sets(tokens: TokenSets, *, what: str) -> list[list[int]]:
    if isinstance(tokens, Tensor):
        tokens = tokens.reshape(len(tokens), -1).tolist()
    sets = [list(chosen) for chosen in tokens]
    for example, chosen in enumerate(sets):
        if not chosen or len(set(chosen)) < len(chosen):
            raise ValueError(f"{what} of example {example} are {chosen}; give at least one token, and each once")
    return sets
