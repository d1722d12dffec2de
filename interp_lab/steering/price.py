"""The price of steering: how far it moves predictions on text that has nothing to do with the trait."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.engine import sweep
from interp_lab.experiment import Progress, silent
from interp_lab.hooks import masked
from interp_lab.interventions import Combined, Intervention
from interp_lab.metrics import Metric, next_token_loss
from interp_lab.metrics.metric import declare
from interp_lab.steering.neutral import NeutralTexts
from interp_lab.steering.setting import is_inert
from interp_lab.types import HookedModel

REFERENCE_ENTRIES = 2**24
"""Log-probabilities of the unsteered model that are held at once; documents are taken in pieces of so many."""


@dataclass(frozen=True)
class Price:
    """What each setting costs, document by document."""

    kl: Float[np.ndarray, "setting doc"]
    """KL(unsteered || steered), mean over the tokens that are predicted (nats per token)."""
    ce_change: Float[np.ndarray, "setting doc"]
    """Rise of the next-token loss, mean over the same tokens (nats per token)."""
    touched: Float[np.ndarray, "setting doc"]
    """Tokens acted upon, as a share of all (BOS included)."""
    kl_touched: Float[np.ndarray, "setting doc"]
    """KL, mean over what is predicted from the first touched token on; NaN where none is touched."""
    clean_ce: Float[np.ndarray, " doc"]
    """Next-token loss of the unsteered model (nats per token); NaN where losses were not asked for."""

    @property
    def perplexity_ratio(self) -> Float[np.ndarray, "setting doc"]:
        """Perplexity when steered, divided by that without; of a document."""
        return np.exp(self.ce_change)

    def rows(self, index: Sequence[int]) -> "Price":
        """Return the price of some of the settings."""
        chosen = list(index)
        return replace(
            self, kl=self.kl[chosen], ce_change=self.ce_change[chosen], touched=self.touched[chosen],
            kl_touched=self.kl_touched[chosen],
        )  # fmt: skip


def kl_metric(reference: Float[Tensor, "batch pos d_vocab"], mask: Bool[Tensor, "batch pos"]) -> Metric:
    """Return KL(reference || model), mean over the tokens of each document that predict another one of it (nats).

    Args:
        reference: logits of the unsteered model on the same documents.
        mask: true at tokens, false at padding (on the right).

    Raises: ValueError, for a document of fewer than two tokens.
    """
    read, weights = _predicting(mask)
    kept = reference.to(torch.promote_types(reference.dtype, torch.float32)).log_softmax(-1)
    kept = kept.gather(1, read[..., None].expand(-1, -1, kept.shape[-1]))

    def score(logits: Tensor, kept: Tensor, weights: Tensor) -> Tensor:
        steered = logits.log_softmax(-1)
        return ((kept.exp() * (kept - steered)).sum(-1) * weights).sum(-1)

    return declare("KL on neutral text", "nats", score=score, positions=read, data=(kept, weights))


def price_of(
    model: HookedModel,
    neutral: NeutralTexts,
    interventions: Sequence[Intervention | Combined],
    *,
    losses: bool = True,
    memory_budget: int | None = None,
    progress: Progress = silent,
) -> Price:
    """Measure what settings cost on neutral text.

    Args:
        interventions: made for `neutral.batch`. Those that change nothing (`setting.is_inert`) cost exactly nothing,
            and are not run.
        losses: whether to measure the rise of the loss, too, at twice the cost; else it is NaN.

    Raises: ValueError, as `engine.sweep`, and for a document of fewer than two tokens.
    """
    _predicting(neutral.mask)  # refuses what has nothing to predict, before anything is run
    shape = len(interventions), len(neutral)
    kl, ce = np.zeros(shape), np.zeros(shape) if losses else np.full(shape, np.nan)
    clean = np.full(len(neutral), np.nan)
    acting = [nth for nth, one in enumerate(interventions) if not all(map(is_inert, one.parts))]
    size = max(1, REFERENCE_ENTRIES // (neutral.tokens.shape[1] * int(model.cfg.d_vocab)))
    for rows in torch.arange(len(neutral)).split(size):
        part, there = neutral.rows(rows), np.ix_(acting, rows.tolist())
        own = [interventions[nth].rows(rows) for nth in acting]
        with torch.inference_mode():
            reference = model(part.tokens, **masked(part.tokens, part.mask))
        loss = next_token_loss(part.tokens, last=part.mask.sum(1) - 1)
        if losses:
            clean[rows.numpy()] = loss(reference).cpu().numpy()
        for metric, kept in ((kl_metric(reference, part.mask), kl), (loss, ce))[: 2 if losses else 1]:
            if own:
                kept[there] = sweep(
                    model, part.tokens, own, metric, mask=part.mask, memory_budget=memory_budget
                ).changes
        progress(int(rows[-1]) + 1, len(neutral), "neutral documents")
    touched = np.stack([_touched(one, neutral.mask) for one in interventions])
    share = touched.mean(-1, where=neutral.mask.cpu().numpy())
    return Price(kl, ce, share, _since_touched(kl, touched, neutral.mask), clean)


def _predicting(mask: Bool[Tensor, "batch pos"]) -> tuple[Int[Tensor, "batch read"], Float[Tensor, "batch read"]]:
    """Return the positions that predict a token of their own document, and their weights in its mean."""
    n = mask.sum(1) - 1
    if not bool((n > 0).all()) or not bool(
        (mask == (torch.arange(mask.shape[1], device=mask.device) <= n[:, None])).all()
    ):
        raise ValueError("neutral documents need two tokens or more, and padding on the right only")
    at = torch.arange(int(n.max()), device=mask.device)
    return torch.minimum(at, n[:, None] - 1), (at < n[:, None]).float() / n[:, None]


def _touched(intervention: Intervention | Combined, mask: Bool[Tensor, "batch pos"]) -> Bool[np.ndarray, "doc pos"]:
    """Return the tokens that an intervention may change."""
    found = torch.zeros_like(mask, device="cpu")
    for part in intervention.parts:
        if not is_inert(part):
            own = torch.ones_like(found) if part.tokens is None else part.tokens.cpu()
            found |= own if part.gate is None else own & part.gate.cpu()[:, None]
    return (found & mask.cpu()).numpy()


def _since_touched(
    kl: Float[np.ndarray, "setting doc"], touched: Bool[np.ndarray, "setting doc pos"], mask: Bool[Tensor, "doc pos"]
) -> Float[np.ndarray, "setting doc"]:
    """Return the mean over the tokens from the first touched one on: before it nothing changes in a causal model."""
    predicting = (mask.sum(1) - 1).cpu().numpy()
    first = np.where(touched.any(-1), touched.argmax(-1), predicting)
    left = predicting - np.minimum(first, predicting)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(left > 0, kl * predicting / left, np.nan)
