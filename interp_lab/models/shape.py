"""Facts about a model's shape that read the same on both backends."""

from interp_lab.types import HookedModel


def is_bridge(model: HookedModel) -> bool:
    """Whether the model is a `TransformerBridge`, which cannot start at a layer or edit `hook_resid_mid`."""
    return hasattr(type(model), "enable_compatibility_mode")


def n_heads(model: HookedModel) -> int:
    """Return the number of query heads of a layer."""
    return int(model.cfg.n_heads)


def n_key_value_heads(model: HookedModel) -> int:
    """Return the number of key / value heads of a layer: fewer than `n_heads` in a grouped-query model."""
    return int(getattr(model.cfg, "n_key_value_heads", None) or model.cfg.n_heads)


def norms_after(model: HookedModel) -> bool:
    """Whether attention and MLP are normalised behind instead of before (OLMo 2 and its relatives)."""
    from transformer_lens.utilities.architectures import POST_NORM_ARCHITECTURES

    architecture = getattr(model.cfg, "original_architecture", None)
    return architecture in POST_NORM_ARCHITECTURES or str(architecture).startswith("Olmo")


def is_causal(model: HookedModel) -> bool:
    """Whether no position can depend on a later one."""
    return getattr(model.cfg, "attention_dir", "causal") == "causal"


def norm_kind(model: HookedModel) -> str | None:
    """Return what the final norm does besides its weights: `LN` centres and scales, `RMS` scales, `None` neither.

    Raises: ValueError, for any other.
    """
    kind = model.cfg.normalization_type
    if kind not in (None, "LN", "LNPre", "RMS", "RMSPre"):
        raise ValueError(f"a final norm of type {kind!r} cannot be taken apart; use a model with LN, RMS or none")
    if kind is None:
        return None
    return "RMS" if kind.startswith("RMS") or getattr(model.cfg, "final_rms", False) else "LN"
