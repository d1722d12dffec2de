"""Attention and attention rollout: where the model looks, by no measure what it needs."""

import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.attention_rollout import rollout
from interp_lab.hooks import capture, edited
from interp_lab.input_attribution.attributions import TokenAttributions
from interp_lab.input_attribution.inputs import Inputs
from interp_lab.input_attribution.runs import EMBED, Passes, embeddings_of
from interp_lab.input_attribution.shaped import shown_only
from interp_lab.types import HookedModel

UNFAITHFUL = "unfaithful: says where the model looks; knows neither values, MLPs, signs nor the target"


def attention_rollout(model: HookedModel, given: Inputs) -> TokenAttributions:
    """Return how much each token is looked at from where the target is read, through all layers (a share).

    Heads are averaged, each layer is half attention and half what passes by it, and layers are multiplied. Nothing of
    it depends on the target but the position.

    Source: Abnar and Zuidema 2020, arXiv 2005.00928.
    """
    return _looked_at(model, given, "attention_rollout", rolled=True)


def attention(model: HookedModel, given: Inputs) -> TokenAttributions:
    """Return the attention that each token gets from where the target is read, mean over heads and layers (a share)."""
    return _looked_at(model, given, "attention", rolled=False)


def _looked_at(model: HookedModel, given: Inputs, method: str, *, rolled: bool) -> TokenAttributions:
    names = [f"blocks.{layer}.attn.hook_pattern" for layer in range(int(model.cfg.n_layers))]
    found = []
    for rows in torch.arange(len(given)).split(given.batch_size):
        some = given.rows(rows)
        embedded = embeddings_of(model, some)  # noise included: what disturbs the prompts disturbs the attention
        with edited(model, {EMBED: lambda own, embedded=embedded: embedded.to(own)}):
            kept = capture(model, some.tokens, names, mask=None if bool(some.mask.all()) else some.mask)
        layers = torch.stack([kept[name].clone().mean(1).float() for name in names])
        found.append(_rows_read(rollout(layers) if rolled else layers.mean(0), some))
    return shown_only(
        method, torch.cat(found), given, signed=False, unit="share", passes=Passes(len(given)), warning=UNFAITHFUL
    )


def _rows_read(pattern: Float[Tensor, "batch query key"], given: Inputs) -> Float[Tensor, "batch key"]:
    """Return the mean over the positions that the target reads; all of them, if it names none."""
    positions = given.metric.absolute_positions(pattern.shape[1])
    if positions is None:
        kept = given.mask[..., None] * pattern
        return kept.sum(1) / given.mask.sum(1, keepdim=True)
    index = positions.to(pattern.device)[..., None].expand(-1, -1, pattern.shape[-1])
    return pattern.gather(1, index).mean(1)
