"""Which models and hook points can be run packed, and where in a layer each hook point lies."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from interp_lab.models import is_bridge, is_causal, norms_after
from interp_lab.types import HookedModel, Site


class Stage(IntEnum):
    """Where in a layer an item can enter: the activation that it changes first."""

    EMBED = 0
    """`hook_embed` or `hook_pos_embed`, before layer 0."""
    PRE = 1
    """The residual stream, or anything from there to the attention pattern."""
    Z = 2
    ATTN_OUT = 3
    MID = 4
    """The residual stream between attention and MLP, or anything inside the MLP."""
    MLP_OUT = 5
    POST = 6


@dataclass(frozen=True, order=True)
class Entry:
    """A place where items enter, in the order of the computation."""

    layer: int
    stage: Stage

    @property
    def code(self) -> int:
        """One number that sorts as entries do."""
        return self.layer * len(Stage) + self.stage


_STAGES = {
    "hook_embed": Stage.EMBED,
    "hook_pos_embed": Stage.EMBED,
    "hook_resid_pre": Stage.PRE,
    "attn.hook_q": Stage.PRE,
    "attn.hook_k": Stage.PRE,
    "attn.hook_v": Stage.PRE,
    "attn.hook_rot_q": Stage.PRE,
    "attn.hook_rot_k": Stage.PRE,
    "attn.hook_attn_scores": Stage.PRE,
    "attn.hook_pattern": Stage.PRE,
    "attn.hook_z": Stage.Z,
    "hook_attn_out": Stage.ATTN_OUT,
    "hook_resid_mid": Stage.MID,
    "mlp.hook_pre": Stage.MID,
    "mlp.hook_pre_linear": Stage.MID,
    "mlp.hook_post": Stage.MID,
    "hook_mlp_out": Stage.MLP_OUT,
    "hook_resid_post": Stage.POST,
}
"""By the name within a block."""

KEYS_AND_VALUES = ("attn.hook_k", "attn.hook_v", "attn.hook_rot_k", "hook_resid_pre")
"""Hook points that later positions read: at the last layer, all others matter where the metric reads."""

_OFF = (
    "use_attn_in", "use_split_qkv_input", "use_attn_result", "use_hook_mlp_in", "use_hook_tokens", "load_in_4bit",
    "use_attention_sinks", "use_logn_attn", "use_dynamic_ntk_rope", "clip_qkv",
)  # fmt: skip
"""Settings under which attention computes something that `engine.attention` does not."""
_POSITIONS = ("standard", "rotary", "alibi", "shortformer")
_BLOCKS = ("TransformerBlock",)
_ATTENTION = ("Attention", "GroupedQueryAttention")
_MLPS = ("MLP", "GatedMLP")


def local_name(hook: str) -> str:
    """Return the name of a hook point within its block (`attn.hook_z`), or the whole name outside the blocks."""
    return hook if Site(hook).layer is None else hook.split(".", 2)[2]


def entry_of(model: HookedModel, hook: str) -> Entry | None:
    """Return where an edit at a hook point first changes something; `None` if it cannot be run packed."""
    name, cfg = local_name(hook), model.cfg
    stage = _STAGES.get(name)
    if cfg.attn_only and stage in (Stage.MID, Stage.MLP_OUT):
        return None  # there, though silent
    if stage is None or (name == "hook_pos_embed" and cfg.positional_embedding_type != "standard"):
        return None
    if name.startswith("mlp.") and getattr(cfg, "parallel_attn_mlp", False):
        stage = Stage.PRE  # both halves of a parallel block read what enters it
    return Entry(Site(hook).layer or 0, stage)


def shape_at(model: HookedModel, hook: str, *, n_pos: int) -> tuple[int, ...]:
    """Return the shape of an activation of a hook point that can be run packed, from the position axis on.

    Heads stand before the positions at patterns and scores: `(head, query, key)`.
    """
    from interp_lab.hooks import n_heads_at

    cfg, name = model.cfg, local_name(hook)
    if Site(hook).by_query:
        return (int(cfg.n_heads), n_pos, n_pos)
    if name.startswith("attn."):
        return (n_pos, n_heads_at(model, hook), int(cfg.d_head))
    return (n_pos, int(cfg.d_mlp if name.startswith("mlp.") else cfg.d_model))


def packs(model: HookedModel) -> bool:
    """Whether a model's layers can be run on packed tokens, with the numbers that its own forward pass gives."""
    if is_bridge(model) or has_foreign_hooks(model):
        return False
    cfg: Any = model.cfg
    if any(getattr(cfg, setting, None) for setting in _OFF) or int(getattr(cfg, "n_devices", 1)) > 1:
        return False
    if not is_causal(model) or cfg.positional_embedding_type not in _POSITIONS or norms_after(model):
        return False
    blocks = getattr(model, "blocks", [])
    return all(
        type(block).__name__ in _BLOCKS
        and type(block.attn).__name__ in _ATTENTION
        and (cfg.attn_only or type(block.mlp).__name__ in _MLPS)
        for block in blocks
    )


def has_foreign_hooks(model: Any) -> bool:  # noqa: ANN401 - of a HookedTransformer all modules, not hook points only
    """Whether somebody's hooks are on the model: they take part in every pass, and must see whole activations."""
    parts = model.hook_dict.values() if is_bridge(model) else model.modules()
    return any(part._forward_hooks or part._forward_pre_hooks for part in parts)
