"""How likely an answer is: its log odds, exact also where it is all but certain."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.hooks import device_of
from interp_lab.metrics import Metric
from interp_lab.metrics.metric import declare
from interp_lab.production.sources.prompts import SourcedPrompt, Spoken
from interp_lab.tasks.batch import pad_rows, pad_token
from interp_lab.types import HookedModel

UNIT = "log odds"
"""Of every effect on an answer (nats)."""
LEAST = 0.1
"""Smallest fall that counts as any: the odds of the answer change by a tenth."""


def log_odds(
    logits: Float[Tensor, "batch read d_vocab"], tokens: Int[Tensor, "batch read"], real: Bool[Tensor, "batch read"]
) -> Float[Tensor, " batch"]:
    """Return log(p / (1 - p)) of answers, p being the probability of all their tokens in turn (nats).

    What is not the answer is added up over where it first goes another way, so that nothing is lost where p is nearly 1
    and `1 - p` would be rounded away.

    Args:
        logits: at the places that predict the tokens.
        real: which tokens there are, for answers of different lengths.

    Source: the scale on which Cohen-Wang et al. 2024, arXiv 2409.00729, fit responses.
    """
    norm = logits.logsumexp(-1)
    own = torch.where(real, logits.gather(-1, tokens[..., None])[..., 0] - norm, 0.0)
    rest = logits.scatter(-1, tokens[..., None], -torch.inf).logsumexp(-1) - norm
    turned = torch.where(real, own.cumsum(-1) - own + rest, -torch.inf)
    return own.sum(-1) - turned.logsumexp(-1)


@dataclass(frozen=True)
class Forced:
    """Prompts with their answers behind them, as one batch, padded on the right."""

    tokens: Int[Tensor, "batch pos"]
    mask: Bool[Tensor, "batch pos"]
    """True at tokens."""
    answers: Int[Tensor, "batch read"]
    positions: Int[Tensor, "batch read"]
    """That predict the tokens of the answers."""
    real: Bool[Tensor, "batch read"]
    """Which tokens of answers there are."""

    def metric(self) -> Metric:
        """Return the log odds of the answers, for what is run with a graph."""
        positions = torch.where(self.real, self.positions, self.positions[:, :1])
        return declare(
            "log odds of the answer", UNIT, score=log_odds, positions=positions, data=(self.answers, self.real),
            tokens=self.answers,
        )  # fmt: skip


def forced(model: HookedModel, spoken: Sequence[Spoken]) -> Forced:
    """Return prompts with their answers, but for the last token of each: nothing is predicted from it."""
    device = device_of(model)
    tokens, mask = pad_rows(
        [(*prompt, *answer[:-1]) for prompt, answer in spoken], pad=pad_token(model), padding="right"
    )
    answers, real = pad_rows([answer for _, answer in spoken], pad=0, padding="right")
    last = torch.tensor([len(prompt) - 1 for prompt, _ in spoken])
    positions = torch.where(real, last[:, None] + torch.arange(answers.shape[1]), last[:, None])
    return Forced(tokens.to(device), mask.to(device), answers.to(device), positions.to(device), real.to(device))


def members(prompts: Sequence[SourcedPrompt], *, n_pos: int) -> Bool[Tensor, "batch source pos"]:
    """Return which tokens are of which source; prompts with fewer sources than others have some without tokens."""
    most = max(len(one.parts) for one in prompts)
    found = torch.zeros(len(prompts), most, n_pos, dtype=torch.bool)
    for row, one in enumerate(prompts):
        for nth, part in enumerate(one.parts):
            found[row, nth, list(part)] = True
    return found
