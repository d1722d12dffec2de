"""What we keep beside SAE Lens's files: where an autoencoder belongs, and where it came from."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from pydantic import PositiveInt

from interp_lab.config import Config
from interp_lab.identity import WeightProcessing
from interp_lab.runs.files import Fingerprint

RECORD = "interp_lab.json"
"""Written last: a folder without it is not one of ours, or was not finished."""


class SaeRecord(Config):
    """Content of `interp_lab.json`."""

    format: PositiveInt = 1
    """Raised when an older interp_lab could not read a newer file."""
    name: str
    hook: str
    model: Mapping[str, Any]
    """As `ModelIdentity.as_dict` gives it."""
    provenance: Mapping[str, Any]
    """As `Provenance.as_dict` gives it."""
    training: Mapping[str, Any]
    """Config of the whole training, and `text` where it is known what it was on."""
    metrics: Mapping[str, float]
    """Of the last training batch."""
    dead: Mapping[str, Any]
    """Dead latents at the end, with the criterion."""
    calibration: Mapping[str, Any] | None
    """Of the threshold, where there is one."""
    files: dict[str, Fingerprint]
    """The other files, by name."""


def steps_seen_at(hook: str) -> frozenset[str]:
    """Return the steps of weight processing that change activations at a hook point.

    Folding LayerNorm weights changes only what is between a norm and the maps that read it; centring changes what
    is written to the residual stream; value biases move from values to the output of attention; centring the
    unembedding changes nothing before the logits. At a hook point that is none of these, every step may matter.
    """
    last = hook.rpartition(".")[2]
    if last.startswith(("hook_resid", "hook_embed", "hook_pos_embed")) or last in ("hook_attn_out", "hook_mlp_out"):
        return frozenset({"center_writing_weights"})
    if ".attn." in hook and last in ("hook_z", "hook_v"):
        return frozenset({"fold_value_biases"})
    if (".mlp." in hook and last in ("hook_pre", "hook_post")) or last in ("hook_q", "hook_k", "hook_pattern"):
        return frozenset()
    return frozenset(step.name for step in fields(WeightProcessing))
