"""A `HookedTransformer` rebuilt as a `TransformerBridge`, weight by weight."""

from typing import Any

import torch
from torch import Tensor

from interp_lab.models.containment import contained
from interp_lab.models.identity import declare_identity, identity_of
from interp_lab.models.parity import log_probs, probe_tokens, require_parity
from interp_lab.models.read_only import note_read_only_hooks
from interp_lab.models.tokenizers import taken_as_is
from interp_lab.types import HookedModel

_SETTINGS = (
    "n_layers",
    "d_model",
    "n_ctx",
    "d_head",
    "n_heads",
    "n_key_value_heads",
    "d_mlp",
    "d_vocab",
    "d_vocab_out",
    "act_fn",
    "eps",
    "normalization_type",
    "final_rms",
    "attn_only",
    "gated_mlp",
    "attention_dir",
    "dtype",
    "positional_embedding_type",
    "attn_scores_soft_cap",
    "output_logits_soft_cap",
    "default_prepend_bos",
)
"""Settings that both configs share under one name and with one meaning."""

_REMEDY = "use backend='hooked' for this model"


def to_bridge(hooked: Any) -> HookedModel:  # noqa: ANN401 - a HookedTransformer, imported late
    """Return a bridge with the weights, tokenizer and identity of a `HookedTransformer`.

    The bridge computes with TransformerLens's own native model, for standard positions only: of
    rotary ones it has another convention, and no hook points after the rotation.

    Raises: ValueError, if the native model cannot express this one, or predicts differently.
    """
    cfg, identity = hooked.cfg, identity_of(hooked)
    if cfg.positional_embedding_type != "standard":
        raise ValueError(
            f"{identity.name} has {cfg.positional_embedding_type!r} positions, and the native bridge none but "
            f"'standard' ones; {_REMEDY}"
        )
    with contained():
        from transformer_lens.model_bridge.sources import build_bridge_from_module

        bridge = build_bridge_from_module(
            _native_model(hooked, name=identity.name),
            "TransformerLensNative",
            tl_config=_native_config(cfg),
            tokenizer=taken_as_is(hooked.tokenizer),
            model_name=identity.name,
        )
        for block in bridge.blocks:
            block.attn.original_component.through(block.attn.hook_attn_scores, block.attn.hook_pattern)
        bridge.enable_compatibility_mode(disable_warnings=True, no_processing=True)
        bridge.to(cfg.device, print_details=False)
    tokens = probe_tokens(d_vocab=cfg.d_vocab, n_ctx=cfg.n_ctx).to(cfg.device)
    expected, what = log_probs(hooked, tokens), f"the bridge of {identity.name}"
    require_parity(log_probs(bridge, tokens), expected, dtype=cfg.dtype, what=what, remedy=_REMEDY)
    note_read_only_hooks(bridge)
    declare_identity(bridge, name=identity.name, processing=identity.processing)
    return bridge.eval()


def _native_config(cfg: Any) -> Any:  # noqa: ANN401 - TransformerLens's configs, imported late
    from transformer_lens.config import TransformerBridgeConfig

    settings: dict[str, Any] = {key: getattr(cfg, key) for key in _SETTINGS}
    settings["act_fn"] = cfg.act_fn or "gelu"  # attention-only models need none
    return TransformerBridgeConfig(**settings, architecture="TransformerLensNative", init_weights=False)


def _native_model(hooked: Any, *, name: str) -> Any:  # noqa: ANN401 - TransformerLens's models, imported late
    from transformer_lens.model_bridge.sources.native import NativeModel

    from interp_lab.models.native_attention import HookedNativeAttention

    cfg, config = hooked.cfg, _native_config(hooked.cfg)
    try:
        native = NativeModel(config)
    except ValueError as error:
        raise ValueError(f"{name} has no native bridge ({error}); {_REMEDY}") from error
    for block in native.layers:
        block.attn = HookedNativeAttention(config)
        block.attn.scale = float(cfg.attn_scale) if cfg.use_attn_scale else 1.0
    native.head.bias = torch.nn.Parameter(torch.zeros_like(native.head.weight[:, 0]))
    native.to(cfg.dtype).load_state_dict(_native_parameters(dict(hooked.named_parameters()), cfg))
    return native.eval()


def _native_parameters(parameters: dict[str, Tensor], cfg: Any) -> dict[str, Tensor]:  # noqa: ANN401 - as above
    """Rename, transpose and merge heads: TransformerLens multiplies from the left, `nn.Linear` from the right."""
    native = {"tok_embed.weight": parameters["embed.W_E"], "head.weight": parameters["unembed.W_U"].T}
    native["head.bias"] = parameters["unembed.b_U"]
    native["pos.weight"] = parameters["pos_embed.W_pos"]
    norms = {"ln_final": "ln_out"}
    for layer in range(cfg.n_layers):
        ours, theirs = f"blocks.{layer}", f"layers.{layer}"
        native |= _native_attention(parameters, ours=f"{ours}.attn", theirs=f"{theirs}.attn")
        norms |= {f"{ours}.{norm}": f"{theirs}.{norm}" for norm in ("ln1", "ln2")}
        native |= _native_mlp(parameters, ours=f"{ours}.mlp", theirs=f"{theirs}.mlp", gated=cfg.gated_mlp)
    for ours, theirs in norms.items():
        for our_part, their_part in (("w", "weight"), ("b", "bias")):
            if f"{ours}.{our_part}" in parameters:
                native[f"{theirs}.{their_part}"] = parameters[f"{ours}.{our_part}"]
    return native


def _native_attention(parameters: dict[str, Tensor], *, ours: str, theirs: str) -> dict[str, Tensor]:
    native = {}
    for part in "QKV":
        shared = f"{ours}._W_{part}" in parameters  # grouped-query models keep one matrix per key / value head
        weight = parameters[f"{ours}.{'_' if shared else ''}W_{part}"]
        bias = parameters[f"{ours}.{'_' if shared else ''}b_{part}"]
        native[f"{theirs}.{part.lower()}.weight"] = weight.transpose(1, 2).flatten(0, 1)
        native[f"{theirs}.{part.lower()}.bias"] = bias.flatten()
    native[f"{theirs}.o.weight"] = parameters[f"{ours}.W_O"].flatten(0, 1).T
    native[f"{theirs}.o.bias"] = parameters[f"{ours}.b_O"]
    return native


def _native_mlp(parameters: dict[str, Tensor], *, ours: str, theirs: str, gated: bool) -> dict[str, Tensor]:
    """Biases of a gated MLP have no native place; the parity check refuses a model that needs them."""
    if f"{ours}.W_in" not in parameters:
        return {}
    if gated:
        names = {"W_gate": "gate", "W_in": "in", "W_out": "out"}
        return {f"{theirs}.{name}.weight": parameters[f"{ours}.{key}"].T for key, name in names.items()}
    names = {"in": "fc_in", "out": "fc_out"}
    weights = {f"{theirs}.{name}.weight": parameters[f"{ours}.W_{key}"].T for key, name in names.items()}
    return weights | {f"{theirs}.{name}.bias": parameters[f"{ours}.b_{key}"] for key, name in names.items()}
