"""What is described: a codec at a hook point; autoencoders, and MLP neurons as a dictionary of their own."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.hooks import device_of, require_hook
from interp_lab.models.readings import writes
from interp_lab.sae.training.loading import LoadedSae
from interp_lab.types import Codec, HookedModel

AT_ONCE = 256
"""Latents decoded together."""
RESCALED = ("layer_norm", "constant_norm_rescale")
"""Ways in which SAE Lens normalises each activation on the way in, and undoes it on the way out."""
Signs = Literal["auto", "positive", "both"]


@dataclass(frozen=True)
class Dictionary:
    """A codec with the place where it belongs; its latents are never negative."""

    name: str
    hook: str
    codec: Codec
    n_latents: int
    kind: Literal["sae", "neurons"] = "sae"
    bias: Float[np.ndarray, " latent"] | None = None
    """Of the encoder, where it has one per latent."""
    rows: Float[Tensor, "latent d_in"] | None = None
    """What each latent adds to the reconstruction per unit, where that is known; `None` decodes to find out."""
    rescaled: bool = False
    """Whether the reconstruction is rescaled token by token, so that `rows` add to a normalised activation."""

    def encode(self, activations: Float[Tensor, "row d_in"], *, what: str = "") -> Float[Tensor, "row latent"]:
        """Return latents, refusing such as features cannot have.

        Raises: ValueError, for NaN, inf or negative latents, or another number of them.
        """
        latents = self.codec.encode(activations)
        if latents.shape[-1] != self.n_latents:
            raise ValueError(f"{self.name} has {latents.shape[-1]} latents, not {self.n_latents}; give their number")
        least = float(latents.min()) if latents.numel() else 0.0
        if not np.isfinite(least) or not bool(torch.isfinite(latents.sum())):
            raise ValueError(f"latents of {self.name} are NaN or inf{what and f' in {what}'}; check its weights")
        if least < 0:
            raise ValueError(
                f"{self.name} has a latent of {least:.3g}, and features are active above zero: wrap its codec in "
                "BothSigns, which makes two features of each latent"
            )
        return latents


@dataclass(frozen=True)
class BothSigns:
    """Every latent of a codec as two: its positive part, and behind all of these the negative parts."""

    codec: Codec

    def encode(self, activation: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch latent"]:
        """Return both parts, each at least zero."""
        latents = self.codec.encode(activation)
        return torch.cat([latents.clamp(min=0), (-latents).clamp(min=0)], -1)

    def decode(self, latents: Float[Tensor, "*batch latent"]) -> Float[Tensor, "*batch d_in"]:
        """Return the reconstruction from the difference of the parts."""
        positive, negative = latents.chunk(2, -1)
        return self.codec.decode(positive - negative)


@dataclass(frozen=True)
class Neurons:
    """Neurons as they are."""

    def encode(self, activation: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch latent"]:
        """Return the activation itself."""
        return activation

    def decode(self, latents: Float[Tensor, "*batch latent"]) -> Float[Tensor, "*batch d_in"]:
        """Return the latents themselves."""
        return latents


@dataclass(frozen=True)
class PositiveNeurons(Neurons):
    """Neurons above zero; below they count as inactive."""

    def encode(self, activation: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch latent"]:
        """Return the positive part of the activation."""
        return activation.clamp(min=0)


def sae_dictionary(sae: LoadedSae, model: HookedModel, *, name: str | None = None) -> Dictionary:
    """Return an autoencoder as a dictionary of a model.

    Raises: ValueError, for a transcoder, or if it was trained on another model, weight processing or hook point.
    """
    sae.require_fits(model, hook=sae.hook)
    bias = getattr(sae.sae, "b_enc", None)
    own = None if bias is None else bias.detach().cpu().double().numpy()
    if name is None:
        name = without_place(sae.where) if sae.record is None else sae.record.name
    rescaled = sae.sae.cfg.normalize_activations in RESCALED
    rows = sae.sae.W_dec.detach() if rescaled else sae.decoder_rows
    return Dictionary(name, sae.hook, sae, sae.n_latents, "sae", own, rows, rescaled)


def without_place(name: str | Path) -> str:
    """Return the last part of the name of a folder or file that there is, and any other name as it is."""
    path = Path(name)
    return path.resolve().name if path.is_absolute() or path.exists() else str(name)


def neuron_dictionary(model: HookedModel, layer: int, *, signs: Signs = "auto") -> Dictionary:
    """Return the neurons of an MLP as a dictionary.

    A feature is active above zero. GELU and its like fall below zero by at most 0.17, which is taken for inactive, as
    with a ReLU. Neurons of gated MLPs (SwiGLU) are as often negative as positive and say something either way: there
    `auto` makes two features of each neuron, `i` for its positive part and `d_mlp + i` for its negative one.

    Raises: ValueError, for a layer that the model has not, or without MLP.
    """
    hook = f"blocks.{layer}.mlp.hook_post"
    require_hook(model, hook)
    d_mlp, gated = int(model.cfg.d_mlp), bool(getattr(model.cfg, "gated_mlp", False))
    both = signs == "both" or (signs == "auto" and gated)
    codec = BothSigns(Neurons()) if both else PositiveNeurons()
    return Dictionary(f"neurons of layer {layer}", hook, codec, (1 + both) * d_mlp, "neurons")


def directions(dictionary: Dictionary, model: HookedModel, *, d_in: int) -> Float[Tensor, "latent _"]:
    """Return what each latent adds to the residual stream per unit of activation.

    Decoder rows are taken through the map by which the hook point writes to the residual stream (heads, neurons);
    where there is none (a query, say), they are left in the space of the hook point. Of a dictionary that normalises
    every activation they add to the normalised one.
    """
    written = writes(model, dictionary.hook)
    if dictionary.rows is not None:
        known = dictionary.rows.reshape(-1, d_in)
        return (known if written is None else known @ written.to(known)).detach().float().cpu()
    device = device_of(model)
    nothing = dictionary.codec.decode(torch.zeros(1, dictionary.n_latents, device=device))
    parts = []
    for begin in range(0, dictionary.n_latents, AT_ONCE):
        n = min(AT_ONCE, dictionary.n_latents - begin)
        ones = torch.zeros(n, dictionary.n_latents, device=device)
        ones[torch.arange(n), begin + torch.arange(n)] = 1.0
        rows = (dictionary.codec.decode(ones) - nothing).reshape(n, d_in)
        parts.append(rows if written is None else rows @ written.to(rows))
    return torch.cat(parts).detach().float().cpu()
