"""What baselines are made of: activations of train-side text, active latents, and how often tokens come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.experiment import Progress, silent
from interp_lab.hooks import device_of
from interp_lab.sae.activations import ActivationsConfig
from interp_lab.sae.activations.reading import pieces
from interp_lab.sae.evaluation.config import EvaluationConfig
from interp_lab.sae.evaluation.losses import next_tokens, padding_of, unigram_loss
from interp_lab.tasks import Document
from interp_lab.types import Codec, HookedModel

_LOGITS_AT_ONCE = 2**27
"""Bytes of logits in one forward pass."""
_STREAM = 5209
"""Sets these random numbers apart from others of the same seed."""


@dataclass(frozen=True)
class Fitted:
    """Of activations on train-side text."""

    mean: Float[Tensor, " d_in"]
    covariance: Float[Tensor, "d_in d_in"]
    n_active: Mapping[str, int]
    """Latents active per token, rounded, at least 1; by codec."""
    n_latents: Mapping[str, int]
    drawn: Float[Tensor, "drawn d_in"]
    """Activations drawn without replacement, in random order: as many as the widest codec has latents, or as there are;
    none, if no baseline asks for them."""
    unigram: Float[Tensor, " d_vocab"]
    """What each token costs who knows only how often tokens come in this text (nats)."""
    digests: frozenset[int]
    """Of the documents."""


def fit(
    model: HookedModel,
    codecs: Mapping[str, Codec],
    hook: str,
    *,
    config: EvaluationConfig,
    documents: Sequence[Document] | None = None,
    progress: Progress = silent,
) -> Fitted:
    """Pass over the train side of the text once.

    Raises: ValueError, for too little text; NonFiniteActivationError, naming batch, hook point and layer.
    """
    wanted = reading_config(model, hook, config=config, fit=True)
    n, active, n_latents, digests = 0, dict.fromkeys(codecs, 0), {}, set()
    shift = total = outer = torch.zeros(())
    drawn, counts = _Drawn(config), torch.zeros(int(model.cfg.d_vocab))
    for piece in pieces(model, wanted, documents=documents):
        following, there = next_tokens(piece.tokens.long(), piece.kept, padding=padding_of(model))
        counts += torch.bincount(following[there], minlength=len(counts))
        rows = piece.activations(model, wanted)[hook].to(device_of(model))
        # Around the first batch's mean, or a large mean would eat the digits of the covariance.
        shift = rows.mean(0) if n == 0 else shift
        around = (rows - shift).double()
        total, outer = total + around.sum(0), outer + around.T @ around
        for name, codec in codecs.items():
            latents = codec.encode(rows)
            active[name] += int((latents != 0).sum())
            n_latents[name] = latents.shape[-1]
        drawn.add(rows, first=n, most=max(n_latents.values(), default=0))
        n += len(rows)
        digests.update(piece.digests.values())
        progress(n, config.n_fit_tokens, "reading train-side text")
    mean = total / n
    return Fitted(
        mean=(shift + mean).to(shift.dtype),
        covariance=outer / n - mean.outer(mean),
        n_active={name: max(1, round(count / n)) for name, count in active.items()},
        n_latents=n_latents,
        drawn=drawn.rows(like=rows),
        unigram=unigram_loss(counts),
        digests=frozenset(digests),
    )


class _Drawn:
    """Rows that a shuffling of all of them puts first."""

    def __init__(self, config: EvaluationConfig) -> None:
        (own,) = np.random.SeedSequence([config.seed, _STREAM]).generate_state(1)
        generator = torch.Generator().manual_seed(int(own))
        wanted = "data" in config.baselines
        self._place = torch.randperm(config.n_fit_tokens, generator=generator) if wanted else torch.zeros(0)
        self._rows: list[Tensor] = []
        self._places: list[Tensor] = []

    def add(self, rows: Float[Tensor, "row d_in"], *, first: int, most: int) -> None:
        """Keep those of the next rows that are among the `most` first of the shuffling."""
        places = self._place[first : first + len(rows)]
        kept = (places < most).nonzero().flatten()
        self._rows.append(rows[kept.to(rows.device)])
        self._places.append(places[kept])

    def rows(self, *, like: Float[Tensor, "row d_in"]) -> Float[Tensor, "drawn d_in"]:
        """Return what was kept, in the order of the shuffling."""
        order = torch.cat(self._places).argsort().to(like.device)
        return torch.cat(self._rows)[order]


def reading_config(model: HookedModel, hook: str, *, config: EvaluationConfig, fit: bool) -> ActivationsConfig:
    """Return how the text is read; at once no more windows than are needed, or than the memory for logits allows."""
    text = config.text_to_fit if fit else config.text
    length = text.length or int(model.cfg.n_ctx)
    n_tokens = config.n_fit_tokens if fit else config.n_tokens
    windows = min(32, _LOGITS_AT_ONCE // (4 * length * int(model.cfg.d_vocab)), 1 + n_tokens // length)
    return ActivationsConfig(
        hooks=(hook,),
        text=text,
        n_tokens=n_tokens,
        dtype="float32",
        exclude_special=config.exclude_special,
        windows_at_once=max(1, windows),
    )
