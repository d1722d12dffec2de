"""Measure autoencoders on held-out text: what they cost in latents, what they lose, and what that does to the model."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.experiment import Progress, Steps, silent
from interp_lab.hooks import device_of, require_editable
from interp_lab.interventions.op import decoder_rows
from interp_lab.sae.activations.reading import pieces, widths
from interp_lab.sae.evaluation.baselines import (
    Constant,
    PrincipalComponents,
    SearchedDirections,
    random_directions,
    unit,
)
from interp_lab.sae.evaluation.config import BASELINE_NAMES, EvaluationConfig
from interp_lab.sae.evaluation.evaluation import Evaluation
from interp_lab.sae.evaluation.fitting import Fitted, fit, reading_config
from interp_lab.sae.evaluation.measured import MEAN, ZERO
from interp_lab.sae.evaluation.measuring import Pass
from interp_lab.sae.evaluation.stability import Stability, latent_directions, stability
from interp_lab.sae.evaluation.training_text import known_of_training
from interp_lab.sae.training import LoadedSae
from interp_lab.tasks import Document
from interp_lab.types import Codec, HookedModel

_NAME = re.compile(r"\w[\w.-]*")
_CONTROLS = ("pca", "random", "data")


def evaluate(
    model: HookedModel,
    codecs: Mapping[str, Codec],
    hook: str,
    *,
    config: EvaluationConfig,
    documents: Sequence[Document] | None = None,
    progress: Progress = silent,
) -> Evaluation:
    """Measure codecs of one hook point, with baselines, on the same held-out tokens.

    One pass over train-side text gives the mean, the principal components and the number of active latents; one pass
    over held-out text runs the model once untouched, and once for each codec with its reconstruction in place of the
    activations (in the residual stream: only the layers above). BOS, padding and end tokens are neither scored nor
    replaced, also not by zero and mean ablation, unless `exclude_special` is off. Predictions are scored where the
    activation was replaced; that of the end token counts, that of padding never. Memory grows with documents and
    latents, not with tokens.

    Args:
        codecs: by name; heads come and go flattened.
        documents: read these, in place of the text that the config names; which side they are on stays as it is.

    Raises:
        ValueError, for no codecs, a name that cannot be used, an unknown hook point, an autoencoder of another model,
            weight processing or hook point, one trained on text that is measured on, too little text, or text on
            both sides; NonFiniteActivationError; NonFiniteReconstructionError, naming the codec.
    """
    _require_usable(model, codecs, hook, config)
    trained_on = {name: known_of_training(codec, config.text) for name, codec in codecs.items()}
    steps = Steps(progress, 2)
    fitted = fit(model, codecs, hook, config=config, documents=documents, progress=steps.next("train-side text"))
    beside = _baselines(codecs, fitted, config)
    every: dict[str, Codec] = {**codecs, **beside.codecs}
    read = Pass(model, every, hook=hook, centre=fitted.mean, unigram=fitted.unigram, variants=config.variants)
    _read(read, fitted, config, documents, steps.next("held-out text"))
    sums = read.sums.totals()
    shared = {name: sums[name] for name in ("tokens", "predicted", "ce_clean", "ce_unigram")} | {
        "variance": _variance(sums)
    }
    quantities = [key.removesuffix(f"/{MEAN}") for key in sums if key.endswith(f"/{MEAN}")]
    return Evaluation(
        config=config,
        hook=hook,
        d_vocab=int(model.cfg.d_vocab),
        names=tuple(every),
        asked=tuple(codecs),
        described=(*("autoencoder" for _ in codecs), *beside.described),
        baselines=beside.of,
        trained_on=trained_on,
        shared=shared,
        own={one: np.stack([sums[f"{one}/{name}"] for name in every]) for one in quantities},
        fired={name: counts.cpu().numpy() for name, counts in read.fired.items()},
        stability=tuple(_stability(pair, codecs, fitted, read, config) for pair in config.stability),
    )


def _require_usable(model: HookedModel, codecs: Mapping[str, Codec], hook: str, config: EvaluationConfig) -> None:
    if not codecs:
        raise ValueError("no codec to evaluate; give at least one by name")
    for name in codecs:
        if not _NAME.fullmatch(name) or BASELINE_NAMES.fullmatch(name):
            raise ValueError(
                f"{name!r} cannot name a codec: use letters, digits and any of _ . -, and not the names of baselines "
                "(mean, zero, pca_16, random_1024_16, data_1024_16, own_...)"
            )
    unknown = [name for pair in config.stability for name in pair if name not in codecs]
    if unknown:
        raise ValueError(f"stability names {unknown[0]!r}, and there are {', '.join(codecs)}; name two of those")
    require_editable(model, hook)
    widths(model, [hook])
    for codec in codecs.values():
        if isinstance(codec, LoadedSae):
            codec.require_fits(model, hook=hook)


@dataclass(frozen=True)
class _Beside:
    """Baselines, what they are, and which belong to which autoencoder."""

    codecs: dict[str, Codec]
    described: tuple[str, ...]
    of: dict[str, tuple[str, ...]]


class _Making:
    """Baselines as they are asked for, each made once."""

    def __init__(self, fitted: Fitted, config: EvaluationConfig) -> None:
        self.fitted, self.config = fitted, config
        self.made: dict[str, tuple[Codec, str]] = {}

    def pca(self, n: int) -> str:
        """Make the first `n` principal components; return their name."""
        label, n = f"pca_{n}", min(n, len(self.fitted.mean))
        told = f"{n} principal components of train-side text"
        self.made[label] = PrincipalComponents.of(self.fitted.mean, self.fitted.covariance, n=n), told
        return label

    def control(self, kind: str, n_latents: int, n: int) -> str:
        """Make a baseline of so many latents, of which `n` are active; fewer activations, if there are not so many."""
        if kind == "pca":
            return self.pca(n)
        if kind == "random":
            drawn = random_directions(n_latents, len(self.fitted.mean), seed=self.config.seed).to(self.fitted.mean)
            return self._searched(f"random_{n_latents}_{n}", "random directions", drawn, n=n)
        drawn = unit(self.fitted.drawn[:n_latents] - self.fitted.mean)
        return self._searched(f"data_{len(drawn)}_{n}", "train-side activations as directions", drawn, n=n)

    def own(self, name: str, codec: Codec, n: int) -> None:
        """Make a search for the codes of a codec's own decoder, if decoding is linear but for a constant."""
        rows = decoder_rows(codec)
        if rows is not None:
            origin = codec.decode(rows.new_zeros(1, len(rows)))[0].detach()
            self._searched(f"own_{name}", f"decoder directions of {name} itself", unit(rows), n=n, origin=origin)

    def _searched(
        self,
        label: str,
        what: str,
        directions: Float[Tensor, "latent d_in"],
        *,
        n: int,
        origin: Float[Tensor, " d_in"] | None = None,
    ) -> str:
        rounds = self.config.search_rounds
        n = min(n, *directions.shape)
        each = "" if n <= rounds else f" in {rounds} rounds"
        told = (
            f"{len(directions)} {what}, {n} per token chosen by orthogonal matching pursuit{each}, codes of either sign"
        )
        origin = self.fitted.mean if origin is None else origin
        self.made[label] = SearchedDirections(origin, directions, n, rounds), told
        return label


def _baselines(codecs: Mapping[str, Codec], fitted: Fitted, config: EvaluationConfig) -> _Beside:
    making, beside = _Making(fitted, config), dict[str, tuple[str, ...]]()
    for name, codec in codecs.items():
        n, n_latents = fitted.n_active[name], fitted.n_latents[name]
        wanted = [kind for kind in _CONTROLS if kind in config.baselines and (kind == "pca" or n_latents)]
        beside[name] = tuple(making.control(kind, n_latents, n) for kind in wanted)
        if "own" in config.baselines:
            making.own(name, codec, n)
    for n in config.pca_components:
        making.pca(n)
    made = making.made
    made[MEAN] = Constant(fitted.mean), "mean of train-side text (mean ablation)"
    made[ZERO] = Constant(torch.zeros_like(fitted.mean)), "zero (zero ablation)"
    return _Beside({label: one[0] for label, one in made.items()}, tuple(one[1] for one in made.values()), beside)


def _read(
    read: Pass, fitted: Fitted, config: EvaluationConfig, documents: Sequence[Document] | None, progress: Progress
) -> None:
    reading, n = reading_config(read.model, read.hook, config=config, fit=False), 0
    for piece in pieces(read.model, reading, documents=documents):
        both = fitted.digests & set(piece.digests.values())
        if both:
            raise ValueError(
                f"{len(both)} of the documents to measure on are among those that baselines come from; use "
                "text.part='held_out' with the train side of the same text, or fit_text of other documents"
            )
        read.read(piece)
        n += len(piece.labels)
        progress(n, config.n_tokens, "measuring on held-out text")
    if len(read.sums) < 2:
        raise ValueError(f"n_tokens={config.n_tokens} are of one document; intervals need at least two: read more")


def _variance(sums: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return by document the squared distance of activations from the mean of all tokens, summed."""
    n, around = sums["tokens"], sums["around"]
    mean = around.sum(0) / n.sum()
    return sums["around_squared"] - 2 * around @ mean + n * float(mean @ mean)


def _stability(
    pair: tuple[str, str], codecs: Mapping[str, Codec], fitted: Fitted, read: Pass, config: EvaluationConfig
) -> Stability:
    """Match the latents of two autoencoders that ever fired: others point where they were first put."""
    alive = []
    for name in pair:
        directions = latent_directions(codecs[name], fitted.n_latents[name], device=device_of(read.model))
        alive.append(directions[read.fired[name] > 0])
    return stability(pair, *alive, covariance=fitted.covariance, most=config.most_matched, seed=config.seed)
