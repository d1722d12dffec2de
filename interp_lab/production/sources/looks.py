"""What models without intervention say of sources: where is looked, how steep the answer is, and which words recur."""

import re
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.attention_rollout import rollout
from interp_lab.gradients import EMBED, gradients_of, run_with_graph
from interp_lab.hooks import capture
from interp_lab.production.sources.answers import Forced, forced, members
from interp_lab.production.sources.prompts import SourcedPrompt
from interp_lab.types import HookedModel

_WORD = re.compile(r"\w+")


def attention_to_sources(
    model: HookedModel, prompts: Sequence[SourcedPrompt]
) -> tuple[Float[np.ndarray, "example layer source"], Float[np.ndarray, "example source"]]:
    """Return the attention that sources get from the places that predict the answer (share), by layer and rolled out.

    Mean over heads and the tokens of the answer, sum over the tokens of a source, so that longer ones get more. Knows
    neither values nor what is answered: descriptive.
    """
    batch, names = forced(model, [one.spoken for one in prompts]), _patterns(model)
    kept = capture(model, batch.tokens, names, mask=None if bool(batch.mask.all()) else batch.mask)
    layers = torch.stack([kept[name].clone().mean(1).float() for name in names])
    member = members(prompts, n_pos=batch.tokens.shape[1]).to(layers)
    by_layer = torch.stack([_read(layer, batch, member) for layer in layers], 1)
    return by_layer.double().cpu().numpy(), _read(rollout(layers), batch, member).double().cpu().numpy()


def _patterns(model: HookedModel) -> list[str]:
    return [f"blocks.{layer}.attn.hook_pattern" for layer in range(int(model.cfg.n_layers))]


def _read(
    pattern: Float[Tensor, "batch query key"], batch: Forced, member: Float[Tensor, "batch source key"]
) -> Float[Tensor, "batch source"]:
    rows = torch.arange(len(pattern), device=pattern.device)[:, None]
    weight = batch.real.to(pattern) / batch.real.sum(1, keepdim=True)
    looked = torch.einsum("br,brk->bk", weight, pattern[rows, batch.positions])
    return torch.einsum("bk,bsk->bs", looked, member)


def input_x_gradient(model: HookedModel, prompts: Sequence[SourcedPrompt]) -> Float[np.ndarray, "example source"]:
    """Return the embeddings of each source times the gradient of the answer's log odds by them: a first-order estimate.

    Of the way to zero embeddings, which no token has.
    """
    batch = forced(model, [one.spoken for one in prompts])
    own, slope, _ = _slopes(model, batch, None)
    member = members(prompts, n_pos=batch.tokens.shape[1]).to(own)
    return torch.einsum("bpd,bpd,bsp->bs", own.detach(), slope, member).double().cpu().numpy()


def integrated_gradients(
    model: HookedModel, prompts: Sequence[SourcedPrompt], *, steps: int = 16
) -> tuple[Float[np.ndarray, "example source"], Float[np.ndarray, " example"]]:
    """Return integrated gradients of the answer's log odds, from sources whose every token is the mean embedding.

    The rest of the prompt stays as it is, so that sources add up to what all of them together do: the second value is
    what is missing, as a share of the sum of sizes.

    Args:
        steps: of the way, at their middles.

    Source: Sundararajan et al. 2017, arXiv 1703.01365.
    """
    batch = forced(model, [one.spoken for one in prompts])
    member = members(prompts, n_pos=batch.tokens.shape[1]).to(batch.tokens.device)
    own = capture(model, batch.tokens, [EMBED], mask=batch.mask)[EMBED].clone()
    mean: Tensor = model.W_E.detach().mean(0)  # ty: ignore[missing-attribute] - weights are no part of the protocol
    way = torch.where(member.any(1)[..., None], own - mean, torch.zeros_like(own))
    slope = torch.zeros_like(own)
    for nth in range(steps):
        slope += _slopes(model, batch, own - (1 - (nth + 0.5) / steps) * way)[1] / steps
    found = torch.einsum("bpd,bpd,bsp->bs", way, slope, member.to(own)).double()
    ends = [_slopes(model, batch, own - share * way)[2].double() for share in (0.0, 1.0)]
    missing = (found.sum(1) - (ends[0] - ends[1])).abs() / found.abs().sum(1).clamp_min(torch.finfo(own.dtype).tiny)
    return found.cpu().numpy(), missing.cpu().numpy()


def _slopes(
    model: HookedModel, batch: Forced, embedding: Tensor | None
) -> tuple[Float[Tensor, "batch pos d_model"], Float[Tensor, "batch pos d_model"], Float[Tensor, " batch"]]:
    mask = None if bool(batch.mask.all()) else batch.mask
    kept, values, _ = run_with_graph(model, batch.tokens, [], batch.metric(), mask=mask, embedding=embedding)
    return kept[EMBED].detach(), gradients_of(values, kept)[EMBED], values.detach()


def word_overlap(query: str, sources: Sequence[str]) -> Float[np.ndarray, " source"]:
    """Return the share of the query's different words that each source has: what needs no model."""
    asked = set(_WORD.findall(query.lower()))
    return np.array([len(asked & set(_WORD.findall(source.lower()))) / max(len(asked), 1) for source in sources])
