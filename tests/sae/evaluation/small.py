"""A small evaluation: the organism, a few hundred held-out tokens, codecs of which everything is known."""

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from interp_lab import load_model
from interp_lab.sae.activations.reading import pieces
from interp_lab.sae.chosen import SaeChoice, load_chosen
from interp_lab.sae.evaluation import Evaluation, EvaluationConfig, evaluate
from interp_lab.sae.evaluation.fitting import reading_config
from interp_lab.sae.training import LoadedSae

RESID, Z, EMBED = "blocks.1.hook_resid_post", "blocks.1.attn.hook_z", "hook_embed"


@functools.cache
def model() -> Any:
    return load_model("organism", device="cpu")


def config(**changes: Any) -> EvaluationConfig:
    settings = {"n_tokens": 400, "n_fit_tokens": 400, "text": {"part": "held_out", "held_out_share": 0.5}}
    return EvaluationConfig.from_mapping({**settings, **changes})


def bundled(*, trained_in: str = "all", **text: Any) -> LoadedSae:
    """The bundled autoencoder, as if this text were known to have trained it; nothing is known, for no arguments."""
    sae = load_chosen(SaeChoice())
    assert sae.record is not None
    training = {name: value for name, value in sae.record.training.items() if name != "text"}
    training |= ({"text": text} if text else {}) | ({} if trained_in == "all" else {"fold": trained_in})
    record = sae.record.model_copy(update={"training": training})
    return dataclasses.replace(sae, record=record)


@dataclass(frozen=True)
class Made:
    """A codec whose latents are the activation, and whose decoder is any function."""

    rebuild: Callable[[torch.Tensor], torch.Tensor]

    def encode(self, activation: torch.Tensor) -> torch.Tensor:
        return activation

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return self.rebuild(latents)


@dataclass(frozen=True)
class Words:
    """The planted dictionary at `hook_embed`: one latent per token, whose direction is its embedding."""

    directions: torch.Tensor

    def encode(self, activation: torch.Tensor) -> torch.Tensor:
        far = torch.cdist(activation.flatten(0, -2), self.directions)
        hot = torch.nn.functional.one_hot(far.argmin(-1), len(self.directions))
        return hot.to(activation.dtype).view(*activation.shape[:-1], -1)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return latents @ self.directions


IDENTITY = Made(lambda x: x)
SHRUNK = Made(lambda x: 0.9 * x)
NOISY = Made(lambda x: x + 3 * torch.sin(17 * x))


def measured(codecs: dict[str, Any], hook: str = RESID, **changes: Any) -> Evaluation:
    return evaluate(model(), codecs, hook, config=config(**changes))


@functools.cache
def standard() -> Evaluation:
    """Identity, shrunk and noisy reconstructions beside their baselines."""
    return measured({"identity": IDENTITY, "shrunk": SHRUNK, "noisy": NOISY}, baselines=("pca",))


def read(hook: str = RESID, **changes: Any) -> list[Any]:
    """The windows that are measured on."""
    own = config(**changes)
    return list(pieces(model(), reading_config(model(), hook, config=own, fit=False)))
