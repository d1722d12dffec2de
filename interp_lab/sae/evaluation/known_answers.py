"""Rows of `interp-lab verify`: evaluations of codecs whose every figure is known."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.experiment import KnownAnswer
from interp_lab.hooks import capture
from interp_lab.models import load_model
from interp_lab.sae.activations import TextConfig
from interp_lab.sae.evaluation.config import EvaluationConfig
from interp_lab.sae.evaluation.evaluate import evaluate
from interp_lab.sae.evaluation.reconstruction import r_squared, squared_error

TOLERANCE = 1e-4
N_TOKENS = 500
RESIDUAL, EMBEDDING = "blocks.1.hook_resid_post", "hook_embed"
Rebuild = Callable[[Float[Tensor, "row d_in"]], Float[Tensor, "row d_in"]]
_SMALL = EvaluationConfig(
    text=TextConfig(part="held_out", held_out_share=0.5), n_tokens=N_TOKENS, n_fit_tokens=N_TOKENS, baselines=()
)


def rows() -> list[KnownAnswer]:
    """Return the rows of this folder."""
    return [
        KnownAnswer(
            "R2 of a reconstruction, made-up activations",
            "predicting the mean 0, a fifth of the variance as noise 0.8, a shift by one 0.361",
            reads_r_squared,
            partial(reads_r_squared, measure=_uncentred),
        ),
        KnownAnswer(
            "loss recovered by splicing, organism",
            "the identity all of it, the mean and zero nothing of what they cost themselves",
            reads_splices,
            partial(reads_splices, identity=lambda x: x + 1.0 * torch.sin(x)),
        ),
        KnownAnswer(
            "a dictionary whose latents are words, organism's embedding",
            "one latent per token, R2 1, all loss recovered, dead what does not come, the same directions shuffled: 1",
            reads_words,
            partial(reads_words, shift=1),
        ),
    ]


def _uncentred(activation: Float[Tensor, "row d_in"], reconstruction: Float[Tensor, "row d_in"]) -> float:
    return 1 - float(squared_error(activation, reconstruction).sum() / activation.square().sum())


def reads_r_squared(
    *, measure: Callable[[Float[Tensor, "row d_in"], Float[Tensor, "row d_in"]], float] = r_squared
) -> tuple[bool, str]:
    """Whether R2 is what follows by hand for three reconstructions of tokens with a large mean.

    Args:
        measure: another formula is a sabotage.
    """
    d_in, variance = 64, 64 / 0.639  # of which a shift of every entry by one costs 64
    axes = torch.cat([torch.eye(d_in), -torch.eye(d_in)]).double()
    mean = torch.zeros(d_in).double()
    mean[:3] = 20.0
    x = variance**0.5 * axes + mean
    noise = (0.2 * variance) ** 0.5 * axes.roll(1, dims=1)
    found = [measure(x, rebuilt) for rebuilt in (mean.expand_as(x), x + noise, x + 1)]
    ok = max(abs(one - truth) for one, truth in zip(found, (0.0, 0.8, 0.361), strict=True)) < TOLERANCE
    return ok, ", ".join(f"{one:.3f}" for one in found)


@dataclass(frozen=True)
class _Function:
    """A codec whose latents are the activation itself."""

    rebuild: Rebuild

    def encode(self, activation: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch d_in"]:
        """Return the activation."""
        return activation

    def decode(self, latents: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch d_in"]:
        """Return what is made of it."""
        return self.rebuild(latents)


def reads_splices(*, identity: Rebuild = lambda x: x) -> tuple[bool, str]:
    """Whether the identity recovers all loss and changes no prediction, and ablations nothing.

    Args:
        identity: anything else is a sabotage.
    """
    model = load_model("organism")
    found = evaluate(model, {"identity": _Function(identity)}, RESIDUAL, config=_SMALL)
    values = found.metrics()
    kept = [values[f"identity.{one}"] for one in ("r2", "ce_recovered_zero", "ce_recovered_mean", "kl_recovered_mean")]
    lost = [values[f"{one}.{quantity}_recovered_{one}"] for one in ("mean", "zero") for quantity in ("ce", "kl")]
    worst = max(*(abs(one - 1) for one in kept), *map(abs, lost), abs(values["identity.kl"]))
    told = f"identity {values['identity.ce_recovered_mean']:.4f}, KL {values['identity.kl']:.1e}"
    return worst < TOLERANCE, f"{told}; largest error {worst:.1e}"


@dataclass(frozen=True)
class _Words:
    """One latent per word: the word whose embedding is nearest; decoded as the word some places further on."""

    directions: Float[Tensor, "latent d_in"]
    shift: int

    def encode(self, activation: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch latent"]:
        """Return which word it is."""
        distances = torch.cdist(activation, self.directions)
        return torch.zeros_like(distances).scatter(-1, distances.argmin(-1, keepdim=True), 1.0)

    def decode(self, latents: Float[Tensor, "*batch latent"]) -> Float[Tensor, "*batch d_in"]:
        """Return the embedding."""
        return latents @ self.directions.roll(self.shift, dims=0)


def reads_words(*, shift: int = 0) -> tuple[bool, str]:
    """Whether the planted dictionary of the embedding is read as what it is.

    Args:
        shift: decode another word; anything but 0 is a sabotage.
    """
    model = load_model("organism")
    words = torch.arange(int(model.cfg.d_vocab))[:, None]
    embedding = capture(model, words, [EMBEDDING])[EMBEDDING][:, 0]
    order = torch.randperm(len(embedding), generator=torch.Generator().manual_seed(0))
    codecs = {"words": _Words(embedding, shift), "shuffled": _Words(embedding[order], 0)}
    config = _SMALL.overlaid({"stability": [["words", "shuffled"]]})
    found = evaluate(model, codecs, EMBEDDING, config=config)
    values, n_words = found.metrics(), len(embedding)
    matched = values["words.matched_shuffled"]
    ones = [values["words.l0"], values["words.r2"], values["words.ce_recovered_mean"], matched]
    seen = n_words - found.n_dead("words")
    ok = max(abs(one - 1) for one in ones) < TOLERANCE and found.fired["words"].sum() == N_TOKENS and seen < n_words
    told = ", ".join(f"{one:.3f}" for one in ones)
    return bool(ok), f"L0, R2, recovered, matched {told}; {found.n_dead('words')} of {n_words} dead"
