"""Does one head write what another head's keys read? Asked of the weights, and of the model."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.hooks import capture
from interp_lab.types import HeadIndex, HookedModel, Site, Tokens, head_name


class HeadWeights(NamedTuple):
    """What composition scores read: the writing heads' V and O, the reading heads' Q and K."""

    v: Float[Tensor, "writer d_model d_head"]
    o: Float[Tensor, "writer d_head d_model"]
    q: Float[Tensor, "reader d_model d_head"]
    k: Float[Tensor, "reader d_model d_head"]


def k_composition(weights: HeadWeights) -> Float[Tensor, "writer reader"]:
    """Share of a writing head's output that a reading head's keys can use: `|W_OV W_QK^T| / (|W_OV| |W_QK|)`.

    Returns: between 0 and 1, in Frobenius norms; 0 for a head that is silent. Matrices that have nothing to
        do with each other score above 0: a score says something only beside that of `random_composition`.
    Source: Elhage et al. 2021, transformer-circuits.pub/2021/framework.
    """
    ov = weights.v @ weights.o
    read = weights.k @ weights.q.mT  # what a key contributes to the score of every query direction
    joint = torch.einsum("wij,rjk->wrik", ov, read)
    size = torch.linalg.matrix_norm
    return (size(joint) / (size(ov)[:, None] * size(read)[None])).nan_to_num(0.0)


def random_composition(like: HeadWeights, *, n_draws: int, seed: int) -> Float[Tensor, " draw"]:
    """Return the scores of pairs of Gaussian heads of the same shape: the null of `k_composition`."""
    generator = torch.Generator().manual_seed(seed)
    drawn = [torch.randn((n_draws, *part.shape[1:]), generator=generator) for part in like]
    ov, read = drawn[0] @ drawn[1], drawn[3] @ drawn[2].mT
    size = torch.linalg.matrix_norm
    return size(ov @ read) / (size(ov) * size(read))


def composing_weights(model: HookedModel, *, writer: int, reader: int) -> HeadWeights:
    """Return the weights between two layers as LayerNorm lets them meet: scaled where read, mean-free on both sides.

    Args:
        writer: lower layer.
        reader: higher layer.
    """
    blocks: Any = model.blocks  # ty: ignore[missing-attribute] - HookedTransformer only
    low, high = blocks[writer], blocks[reader]
    with torch.no_grad():
        return HeadWeights(
            v=_as_read(low.attn.W_V, low.ln1),
            o=low.attn.W_O - _mean_lost_to(high.ln1) * low.attn.W_O.mean(-1, keepdim=True),
            q=_as_read(high.attn.W_Q, high.ln1),
            k=_as_read(high.attn.W_K, high.ln1),
        )


def _as_read(weight: Float[Tensor, "head d_model d_head"], norm: Any) -> Float[Tensor, "head d_model d_head"]:  # noqa: ANN401 - LayerNorm, with or without weights
    scaled = weight * norm.w[:, None] if hasattr(norm, "w") else weight
    return scaled - _mean_lost_to(norm) * scaled.mean(1, keepdim=True)


def _mean_lost_to(norm: Any) -> float:  # noqa: ANN401 - LayerNorm, or nothing
    return 0.0 if isinstance(norm, torch.nn.Identity) else 1.0


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
