"""What the weights of attention heads say: which heads read what other heads write.

Weights are taken as the norms let them meet: a norm's weight belongs to the matrix that reads behind it, and LayerNorm
removes the mean of the residual stream. So the scores are the same whether these were folded into the weights or not
(`WeightProcessing`). Biases, rotary embeddings and norms of queries and keys are ignored: they add what does not depend
on the input, or turn what does. Heads that share keys and values (GQA) have copies of them here.

Weights describe. That a head reads what another writes shows neither that there is anything to read on some text, nor
that it matters.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.models import n_heads, norms_after
from interp_lab.models.readings import norm_scale, through_norm
from interp_lab.types import HookedModel


class HeadWeights(NamedTuple):
    """The four matrices of every head. Leading axes are layer and head, or any others."""

    v: Float[Tensor, "*head d_model d_head"]
    o: Float[Tensor, "*head d_head d_model"]
    q: Float[Tensor, "*head d_model d_head"]
    k: Float[Tensor, "*head d_model d_head"]


def head_weights(model: HookedModel) -> HeadWeights:
    """Return the weights of all heads, axes layer and head first, in float32, as the norms let them meet.

    Raises: ValueError, for a model that norms behind its layers and not before them, or a layer without attention.
    """
    if norms_after(model):
        raise ValueError(
            "this model norms what its layers write and not what they read, so its heads' weights do not meet as "
            "matrices; measure what heads do to each other by patching"
        )
    blocks: Any = model.blocks  # ty: ignore[missing-attribute] - weights are no part of the protocol
    with torch.no_grad():
        layers = [_layer_weights(model, block, layer) for layer, block in enumerate(blocks)]
        return HeadWeights(*(torch.stack(part) for part in zip(*layers, strict=True)))


def _layer_weights(model: HookedModel, block: Any, layer: int) -> HeadWeights:  # noqa: ANN401 - a block of either backend
    attention: Any = getattr(block, "attn", None)
    if getattr(attention, "W_Q", None) is None:
        raise ValueError(f"layer {layer} has no attention heads with weights of their own; nothing to read")
    norm, centred = getattr(block, "ln1", None), centres(model)
    v, q, k = (
        through_norm(per_query_head(weight, model), norm, model=model, centred=centred)
        for weight in (attention.W_V, attention.W_Q, attention.W_K)
    )
    written = attention.W_O.float() * norm_scale(getattr(block, "ln1_post", None), model)
    return HeadWeights(v, written - centred * written.mean(-1, keepdim=True), q, k)


def per_query_head(
    weight: Float[Tensor, "_ d_model d_head"], model: HookedModel
) -> Float[Tensor, "head d_model d_head"]:
    """Return weights with one entry per query head: those of shared keys and values come several times."""
    return weight.float().repeat_interleave(n_heads(model) // len(weight), dim=0)


def centres(model: HookedModel) -> bool:
    """Whether the model's norms remove the mean."""
    return str(model.cfg.normalization_type) in ("LN", "LNPre")


def composition_scores(weights: HeadWeights, *, kind: str) -> Float[Tensor, "layer head layer head"]:
    """Return how much of what each head writes each higher head's queries, keys or values can use.

    The score is `|W_OV W| / (|W_OV| |W|)` in Frobenius norms, `W` being what the reading head makes of that input
    (`W_QK`, its transpose, or its `W_OV`).

    Args:
        weights: of `head_weights`; axes layer and head first.
        kind: input of the reading head that is asked about, `q`, `k` or `v`.

    Returns: writing layer and head, reading layer and head; between 0 and 1, 0 for a silent head, NaN where the reader
        is not above the writer. Matrices that have nothing to do with each other score about `1 / sqrt(d_model)`: a
        score says something only beside that of `random_composition` or, for the spectrum at hand, `rotated`.
    Raises: ValueError, for an unknown `kind`.
    Source: Elhage et al. 2021, transformer-circuits.pub/2021/framework.
    """
    layers, heads = weights.v.shape[:2]
    written, read = _small_factor(weights.v, weights.o), _small_factor(*_reading(weights, kind)).mT
    scores = weights.v.new_full((layers, heads, layers, heads), torch.nan)
    for writer in range(layers - 1):
        found = _overlap(written[writer], read[writer + 1 :].flatten(0, 1))
        scores[writer, :, writer + 1 :] = found.reshape(heads, -1, heads)
    return scores


def _reading(
    weights: HeadWeights, kind: str
) -> tuple[Float[Tensor, "*head d_model d_head"], Float[Tensor, "*head d_head d_model"]]:
    """Return what heads make of one of their inputs, transposed, in two factors: the one that reads it comes last."""
    factors = {"q": (weights.k, weights.q.mT), "k": (weights.q, weights.k.mT), "v": (weights.o.mT, weights.v.mT)}
    if kind not in factors:
        raise ValueError(f"kind={kind!r} is no input of a head; use 'q', 'k' or 'v'")
    return factors[kind]


def _small_factor(
    outer: Float[Tensor, "*head d_model d_head"], inner: Float[Tensor, "*head d_head d_model"]
) -> Float[Tensor, "*head rank d_model"]:
    """Return `R @ inner` for `outer = Q R`: of `outer @ inner`, all that norms and what stands to the right can see.

    So no `d_model` by `d_model` matrix is built: what is left of a pair is a product of `d_head` by `d_head`.
    """
    return torch.linalg.qr(outer, mode="r").R @ inner


def _overlap(
    written: Float[Tensor, "writer rank d_model"], read: Float[Tensor, "reader d_model rank_"]
) -> Float[Tensor, "writer reader"]:
    joint = torch.einsum("wim,rmj->wirj", written, read)
    size = torch.linalg.vector_norm
    whole = size(written, dim=(1, 2))[:, None] * size(read, dim=(1, 2))
    return torch.where(whole == 0, 0.0, size(joint, dim=(1, 3)) / whole)


def random_composition(like: HeadWeights, *, n_draws: int, seed: int) -> Float[Tensor, " draw"]:
    """Return the scores of pairs of Gaussian heads of the same shape: the null of all three compositions.

    Trained matrices have steeper spectra, and with these their scores scatter more: see `rotated`.
    """
    generator = torch.Generator().manual_seed(seed)
    v, o, q, k = (torch.randn((n_draws, *part.shape[-2:]), generator=generator) for part in like)
    left, right = _small_factor(v, o), _small_factor(q, k.mT).mT
    size = torch.linalg.matrix_norm
    return size(left @ right) / (size(left) * size(right))


def rotated(
    weights: HeadWeights, score: Callable[[HeadWeights], Tensor], *, n_draws: int, seed: int
) -> Float[Tensor, "draw ..."]:
    """Return a score with all that heads write turned by a random rotation of the residual stream: its null.

    Every matrix keeps its spectrum and heads keep their relation to each other's outputs; what is broken is that which
    the score is about, the relation of what is written to what reads it.

    Args:
        score: such as `partial(composition_scores, kind="k")`.
    """
    generator = torch.Generator().manual_seed(seed)
    scores = []
    for _ in range(n_draws):
        gaussian = torch.randn((weights.o.shape[-1],) * 2, generator=generator)
        q, r = torch.linalg.qr(gaussian)
        turn = (q * r.diagonal().sign()).to(weights.o)  # the signs make it uniform over all rotations
        scores.append(score(weights._replace(o=weights.o @ turn)))
    return torch.stack(scores)
