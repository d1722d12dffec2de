"""Does one head write what another head's keys read? Asked of the model; of the weights: `attention.weights`."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.hooks import capture
from interp_lab.types import HeadIndex, HookedModel, Site, Tokens, head_name


def keys_without(
    model: HookedModel, tokens: Tokens, *, writer: HeadIndex, reader: HeadIndex
) -> Float[Tensor, "batch pos d_head"]:
    """Return the keys that `reader` would have if the output of `writer` came from another sequence.

    Only what reaches these keys directly is exchanged, so queries, values and other heads are as they were:
    path patching of one edge. The other sequence is the next one of the batch, so the size of the
    residual stream, and with it LayerNorm, stays ordinary.

    Raises: ValueError, for a batch of one, or if `writer` is not in a lower layer.
    """
    if len(tokens) < 2:
        raise ValueError(f"{len(tokens)} sequence has no other to take the head's output from; give at least 2")
    if writer[0] >= reader[0]:
        raise ValueError(
            f"head {head_name(writer)} writes nothing that the keys of {head_name(reader)} could read; "
            "choose a writer in a lower layer"
        )
    blocks: Any = model.blocks  # ty: ignore[missing-attribute] - HookedTransformer only
    z_name, resid_name = f"blocks.{writer[0]}.attn.hook_z", f"blocks.{reader[0]}.hook_resid_pre"
    kept = capture(model, tokens, [z_name, resid_name])
    attention = blocks[reader[0]].attn
    with torch.no_grad():
        written = kept[z_name][:, :, writer[1]] @ blocks[writer[0]].attn.W_O[writer[1]]
        resid = kept[resid_name] - written + written.roll(1, 0)
        return blocks[reader[0]].ln1(resid) @ attention.W_K[reader[1]] + attention.b_K[reader[1]]


def key_site(head: HeadIndex) -> Site:
    """Return the site of a head's keys."""
    return Site.of_head(*head, at="k")
