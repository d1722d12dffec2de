"""How a latent of an autoencoder reads an activation: an affine map, and what its architecture does to the number."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from torch import Tensor

from interp_lab.config import RunRef
from interp_lab.directions.from_run import CONFIG, RECORD, WEIGHTS, belongs, sae_folder
from interp_lab.identity import ModelIdentity
from interp_lab.models import identity_of
from interp_lab.runs.consumed import require_usable_in_fold
from interp_lab.runs.files import Fingerprint, RunError, read_checked
from interp_lab.types import HookedModel

READABLE = ("standard", "jumprelu", "topk", "batchtopk")
"""Architectures whose latents are a function of one affine score, those of the last two among all others' scores."""


@dataclass(frozen=True)
class EncoderRow:
    """One latent's score before its activation function, and that function where it is the latent's alone."""

    weights: Float[Tensor, " d"]
    bias: float
    after: str
    """`relu` or `jumprelu`; `identity` where the score alone is read."""
    jump: float
    hook: str
    model: ModelIdentity


def encoder_row(ref: RunRef, model: HookedModel, *, by: str = "latent") -> EncoderRow:
    """Return how a latent reads activations: what `ref` names is as for `from_run`, `#LATENT` or `NAME#LATENT`.

    Args:
        by: `latent`, its value; or `pre-activation`, the affine score before the activation function, which is there
            for TopK as well, where the value depends on all other latents.

    Raises: ValueError, for what is no latent, an architecture or normalisation whose latents are no function of one
        affine score, a TopK latent by its value, another model or hook point; FoldError, as `from_run`.
    """
    require_usable_in_fold(ref)
    folder, number = sae_folder(ref), ref.artefact.partition("#")[2]
    if folder is None or not number.isdecimal():
        raise ValueError(f"artefact {ref.artefact!r} of {ref.run} names no latent; write NAME#12, or #12 for a folder")
    if by not in ("latent", "pre-activation"):
        raise ValueError(f"a latent is read by 'latent' or 'pre-activation', not {by!r}")
    config = json.loads((folder / CONFIG).read_bytes())
    kind = _require_readable(config, folder, by=by)
    made_on, hook = belongs(folder, config, identity_of(model))
    identity_of(model).require_same(made_on, what=f"the autoencoder in {folder}", hooks=(hook,))
    if (folder / RECORD).is_file():
        for name, expected in json.loads((folder / RECORD).read_bytes())["files"].items():
            read_checked(folder / name, Fingerprint(**expected))
    weights, bias, threshold = _row(folder, int(number), config)
    after, jump = ("relu", 0.0) if kind == "standard" else ("jumprelu", max(threshold, 0.0))
    return EncoderRow(weights, bias, "identity" if by == "pre-activation" else after, jump, hook, made_on)


def _require_readable(config: dict[str, Any], folder: Path, *, by: str) -> str:
    kind = str(config.get("architecture", "standard"))
    if kind not in READABLE:
        raise ValueError(f"{folder} is of architecture {kind!r}; latents of {', '.join(READABLE)} can be read")
    if kind in ("topk", "batchtopk") and by == "latent":
        raise ValueError(
            f"a latent of {folder} ({kind}) depends on which others are larger, so no affine score is its value; read "
            "it with by='pre-activation', which has the same order where it is active"
        )
    shaped = {"normalize_activations": ("none", None), "reshape_activations": ("none", None)}
    for name, allowed in shaped.items():
        if config.get(name) not in allowed:
            raise ValueError(f"{folder} has {name}={config[name]!r}, so latents are no affine score of the activation")
    return kind


def _row(folder: Path, latent: int, config: dict[str, Any]) -> tuple[Tensor, float, float]:
    """Return weights, bias (that of the decoder taken in) and threshold of a latent."""
    try:
        with safe_open(folder / WEIGHTS, framework="pt") as file:
            columns = file.get_slice("W_enc")
            n_latents = columns.get_shape()[1]
            if latent >= n_latents:
                raise ValueError(f"latent {latent} is out of range: {folder} has latents 0 to {n_latents - 1}")
            weights = columns[:, latent].float()
            bias = file.get_tensor("b_enc")[latent].float()
            if config.get("apply_b_dec_to_input", True):
                bias = bias - file.get_tensor("b_dec").float() @ weights
            threshold = float(file.get_tensor("threshold")[latent]) if "threshold" in file.keys() else 0.0  # noqa: SIM118
            if config.get("rescale_acts_by_decoder_norm"):
                length = file.get_slice("W_dec")[latent].float().norm()
                weights, bias = weights * length, bias * length
    except (SafetensorError, OSError) as error:
        raise RunError(f"{folder / WEIGHTS} cannot be read ({error}); train or copy the autoencoder again") from error
    return weights.clone(), float(torch.as_tensor(bias)), threshold
