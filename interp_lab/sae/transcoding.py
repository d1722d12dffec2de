"""Transcoders on held-out text: how well they make one activation of another, and what that does to the model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.experiment import Progress, silent
from interp_lab.hooks import device_of, edited, record, require_editable, require_finite
from interp_lab.sae.activations.reading import Piece, pieces
from interp_lab.sae.evaluation import EvaluationConfig
from interp_lab.sae.evaluation.fitting import reading_config
from interp_lab.sae.evaluation.losses import cross_entropy, log_probabilities, next_tokens
from interp_lab.sae.evaluation.reconstruction import squared_error
from interp_lab.sae.evaluation.sums import DocumentSums
from interp_lab.sae.evaluation.training_text import known_of_training
from interp_lab.sae.training import LoadedSae
from interp_lab.stats import bootstrap_interval, ratio_of_means
from interp_lab.tasks import Document
from interp_lab.types import HookedModel, Interval


@dataclass(frozen=True)
class Transcoding:
    """One transcoder on held-out text; intervals over documents."""

    hook: str
    """Where it reads."""
    hook_out: str
    """Where it writes."""
    n_tokens: int
    l0: Interval
    """Latents active per token."""
    r2: Interval
    """Of what the model has where it writes: 1 - E|y - y'|^2 / (E|y|^2 - |E y|^2)."""
    ce_clean: Interval
    """Loss of the untouched model (nats per predicted token)."""
    ce: Interval
    """With the transcoder's output in place of the model's own."""
    ce_zero: Interval
    """With zero in its place."""
    ce_recovered_zero: Interval
    """(ce_zero - ce) / (ce_zero - ce_clean): 1 where nothing is lost, 0 where zero is as good."""


def evaluate_transcoder(
    model: HookedModel,
    transcoder: LoadedSae,
    *,
    config: EvaluationConfig,
    documents: Sequence[Document] | None = None,
    progress: Progress = silent,
) -> Transcoding:
    """Measure a transcoder; special tokens are neither scored nor replaced, unless `exclude_special` is off.

    Of the config the text, `n_tokens`, `level` and `seed` are used: there are no baselines but zero.

    Args:
        documents: read these, in place of the text that the config names.

    Raises: ValueError, for an autoencoder, one of another model or weight processing, or text of one document;
        NonFiniteActivationError.
    """
    if not transcoder.is_transcoder:
        raise ValueError(f"{transcoder.where} is an autoencoder at {transcoder.hook}; use sae.evaluation.evaluate")
    transcoder.require_fits(model)
    require_editable(model, transcoder.hook_out)
    known_of_training(transcoder, config.text)
    sums, n = DocumentSums(), 0
    reading = reading_config(model, transcoder.hook, config=config, fit=False)
    for piece in pieces(model, reading, documents=documents):
        if len(piece.labels):
            _read(model, transcoder, piece, sums)
        n += len(piece.labels)
        progress(n, config.n_tokens, "measuring on held-out text")
    if len(sums) < 2:
        raise ValueError(f"n_tokens={config.n_tokens} are of one document; intervals need at least two: read more")
    return _told(transcoder, sums.totals(), config)


@torch.inference_mode()
def _read(model: HookedModel, transcoder: LoadedSae, piece: Piece, sums: DocumentSums) -> None:
    tokens = piece.tokens.long().to(device_of(model))
    kept = piece.kept.to(tokens.device)
    with record(model, [transcoder.hook, transcoder.hook_out]) as found:
        logits = model(tokens)
    read, true = (found[name].flatten(2)[kept].float() for name in (transcoder.hook, transcoder.hook_out))
    if not (read.isfinite().all() and true.isfinite().all()):
        require_finite(model, tokens)
    made, following = transcoder.made_of(read), next_tokens(tokens, kept)

    def loss(rows: Float[Tensor, "row d_out"]) -> Float[Tensor, " row"]:
        changed = found[transcoder.hook_out].clone()
        changed[kept] = rows.to(changed.dtype).view(-1, *changed.shape[2:])
        with edited(model, {transcoder.hook_out: lambda _: changed}):
            return cross_entropy(log_probabilities(model(tokens), kept), *following)

    places = sums.rows(piece.labels.documents, piece.digests)
    values = {
        "tokens": torch.ones(len(read)),
        "predicted": following[1].double(),
        "active": (transcoder.encode(read) != 0).sum(-1).double(),
        "error": squared_error(true, made.float()),
        "true": true.double(),
        "true_squared": true.double().square().sum(-1),
        "ce_clean": cross_entropy(log_probabilities(logits, kept), *following),
        "ce": loss(made),
        "ce_zero": loss(torch.zeros_like(made)),
    }
    for name, value in values.items():
        sums.add(name, places, value)


def _told(
    transcoder: LoadedSae, sums: Mapping[str, Float[np.ndarray, "document ..."]], config: EvaluationConfig
) -> Transcoding:
    n, predicted = sums["tokens"], sums["predicted"]
    mean = sums["true"].sum(0) / n.sum()
    variance = sums["true_squared"] - 2 * sums["true"] @ mean + n * float(mean @ mean)

    def interval(values: Float[np.ndarray, " document"]) -> Interval:
        return bootstrap_interval(values, level=config.level, seed=config.seed).at()

    lost = {name: interval(ratio_of_means(sums[name], predicted)) for name in ("ce_clean", "ce", "ce_zero")}
    gained, possible = sums["ce_zero"] - sums["ce"], sums["ce_zero"] - sums["ce_clean"]
    return Transcoding(
        hook=transcoder.hook,
        hook_out=transcoder.hook_out,
        n_tokens=round(float(n.sum())),
        l0=interval(ratio_of_means(sums["active"], n)),
        r2=interval(1 - ratio_of_means(sums["error"], variance)),
        **lost,
        ce_recovered_zero=interval(ratio_of_means(gained, possible)),
    )
