"""How weights lie in memory: so that a forward pass multiplies by them where they are.

TransformerLens 3.9 multiplies by transposed matrices (`F.linear`) and asks for each of them to be contiguous. Of
parameters as it makes them that is a copy of every attention matrix and of the unembedding, in every forward pass.
Decoding one prompt, where a pass is one token, they took 58% of the time in a small model (4 layers, width 256, 8,192
words) and 71% in one of GPT-2's shape, on one CPU thread. Parameters that lie in memory as they are multiplied, seen
through the same shape, need no copy, and give the same bits.
"""

import re
from typing import Any

import torch
from torch import Tensor

_AS_MULTIPLIED: dict[str, tuple[int, ...]] = {
    r"unembed\.W_U": (1, 0),  # d_vocab, d_model
    r"blocks\.\d+\.attn\._?W_[QKV]": (0, 2, 1),  # head, d_head, d_model
    r"blocks\.\d+\.attn\.W_O": (2, 0, 1),  # d_model, head, d_head
}
"""Parameters that are copied, with the order of axes in which they are multiplied."""

_OF_GATED_MLPS: dict[str, tuple[int, ...]] = {r"blocks\.\d+\.mlp\.W_(in|gate|out)": (1, 0)}
"""The same of gated MLPs; those of ordinary ones are multiplied as they are (`addmm`)."""


def store_as_multiplied_(model: Any) -> None:  # noqa: ANN401 - a HookedTransformer, imported late
    """Lay out the weights of a `HookedTransformer` so that its forward pass copies none of them.

    Values, shapes and names stay, and so do the parameters themselves; only their strides change. Copies of the model,
    moves to a device and loading a state dict keep the layout. safetensors refuses it: save `.contiguous()` tensors.
    """
    orders = _AS_MULTIPLIED | (_OF_GATED_MLPS if model.cfg.gated_mlp else {})
    for name, parameter in model.named_parameters():
        order = next((order for pattern, order in orders.items() if re.fullmatch(pattern, name)), None)
        if order is not None and parameter.ndim == len(order):
            parameter.data = stored_in(parameter.data, order)


def stored_in(weight: Tensor, order: tuple[int, ...]) -> Tensor:
    """Return the same values under the same indices, so stored that `permute(order)` is contiguous."""
    back = torch.argsort(torch.tensor(order)).tolist()
    return weight.permute(order).contiguous().permute(back)
