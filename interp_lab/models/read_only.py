"""Hook points of a bridge that show an activation but do not pass an edit on: found by trying, at load.

On a `TransformerBridge` (TransformerLens 3.9) some hook points hang beside the computation: in several
architectures the attention pattern and scores, in nearly all the residual between attention and MLP.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from interp_lab.hooks.sites import READ_ONLY
from interp_lab.models.parity import probe_tokens

_ATTENTION = ("attn.hook_pattern", "attn.hook_attn_scores")
_Z, _WRITTEN, _MIDDLE, _AFTER = "attn.hook_z", "hook_attn_out", "hook_resid_mid", "hook_resid_post"


@torch.no_grad()
def note_read_only_hooks(bridge: Any) -> None:  # noqa: ANN401 - a TransformerBridge
    """Edit each suspect hook point in the first block that has it, look just behind it, and note which edits fail.

    Looking at the predictions instead would depend on what the model makes of the edit, which may be nothing.
    """
    known = bridge.hook_dict
    found = {}
    for suffix in _ATTENTION:
        block = _first_block(known, suffix, _Z)
        if block and _reaches(bridge, block + suffix, torch.zeros_like, look=block + _Z) < 1e-5:
            found[suffix] = "an edit there reaches nothing"
    block = _first_block(known, _MIDDLE, _WRITTEN, _AFTER)
    if block:
        direct, through = (_reaches(bridge, block + at, _shifted, look=block + _AFTER) for at in (_WRITTEN, _MIDDLE))
        if abs(direct - through) > 0.1 * direct:
            found[_MIDDLE] = f"an edit there misses the skip connection; add the difference at {_WRITTEN!r} instead"
    setattr(bridge, READ_ONLY, found)


def _first_block(known: Mapping[str, Any], *suffixes: str) -> str:
    """The prefix of the earliest block that has all these hook points, or nothing."""
    prefixes = [name.removesuffix(suffixes[0]) for name in known if name.endswith(f".{suffixes[0]}")]
    return next((prefix for prefix in prefixes if all(prefix + suffix in known for suffix in suffixes)), "")


def _shifted(activation: Tensor) -> Tensor:
    """Move by over ten times the activation's own size: what a norm makes of it then hardly matters."""
    return activation + 10 * (1 + activation.abs().max())


def _reaches(bridge: Any, name: str, edit: Callable[[Tensor], Tensor], *, look: str) -> float:  # noqa: ANN401
    """Return by how much an edit changes the activation at `look`, at most, in units of that activation.

    Where there is nothing to change, because it is all zero, an edit is given the benefit of the doubt.
    """
    tokens = probe_tokens(d_vocab=int(bridge.cfg.d_vocab), n_ctx=int(bridge.cfg.n_ctx)).to(bridge.cfg.device)
    seen: list[Tensor] = []
    watch = (look, lambda activation, hook: seen.append(activation.clone()))
    bridge.run_with_hooks(tokens, fwd_hooks=[watch])
    bridge.run_with_hooks(tokens, fwd_hooks=[(name, lambda activation, hook: edit(activation)), watch])
    size = seen[0].abs().max().item()
    return (seen[1] - seen[0]).abs().max().item() / size if size else math.inf
