"""What patching a query or a key does to the attention pattern: computed, not linearised.

Scores with patched queries and unpatched keys come from one more run of the model in which both are pinned, at every
layer at once: what the rest of that run computes reaches neither. So rotations, grouped keys, biases by distance,
windows and caps on scores are the model's own.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.gradients import difference
from interp_lab.hooks import edited, record
from interp_lab.hooks.record import stopping_after
from interp_lab.patching.gradients import Runs
from interp_lab.types import HookedModel, Site


@dataclass(frozen=True)
class AttentionPatch:
    """One layer's attention before any patch, and what patches of its queries or keys make of it."""

    pattern: Float[Tensor, "batch head query key"]
    scores: Float[Tensor, "batch head query key"]
    values: Float[Tensor, "batch key head d_head"]
    """One per query head."""
    n_key_heads: int
    query_change: Float[Tensor, "batch head query key"] | None
    """Of the pattern, with all queries patched; the rows of a pattern do not touch each other."""
    key_scores: Float[Tensor, "batch head query key"] | None
    """Scores with all keys patched; each depends on its own key alone."""
    key_change: Float[Tensor, "batch head query key"] | None
    """Of the pattern, with all keys patched."""

    def pattern_gradient(self, of_z: Float[Tensor, "batch query head d_head"]) -> Float[Tensor, "batch head query key"]:
        """Return the gradient with respect to the pattern, from that with respect to what it mixes."""
        return torch.einsum("bqhd,bkhd->bhqk", of_z.to(self.values), self.values)

    def query_terms(self, gradient: Float[Tensor, "batch head query key"]) -> Float[Tensor, "batch query head 1"]:
        """Return the effect of patching the query of each head at each position."""
        assert self.query_change is not None
        return (self.query_change * gradient).sum(-1).transpose(1, 2)[..., None]

    def key_terms(self, gradient: Float[Tensor, "batch head query key"]) -> Float[Tensor, "batch key kv_head 1"]:
        """Return the effect of patching the key of each key head at each position, and at that one alone."""
        assert self.key_scores is not None
        by_head = effects_of_single_keys(self.scores, self.key_scores, gradient)
        return self._per_key_head(by_head).transpose(1, 2)[..., None]

    def whole_key_terms(self, gradient: Float[Tensor, "batch head query key"]) -> Float[Tensor, "batch 1 kv_head 1"]:
        """Return the effect of patching the keys of each key head at all positions."""
        assert self.key_change is not None
        by_head = (self.key_change * gradient).sum((-2, -1))
        return self._per_key_head(by_head)[:, None, :, None]

    def _per_key_head(self, by_head: Tensor) -> Tensor:
        """Sum over the query heads that share a key head; those of one key head are neighbours."""
        return by_head.unflatten(1, (self.n_key_heads, -1)).sum(2)


def effects_of_single_keys(
    scores: Float[Tensor, "*batch query key"],
    patched: Float[Tensor, "*batch query key"],
    worth: Float[Tensor, "*batch query key"],
) -> Float[Tensor, "*batch key"]:
    """Return, for each key, what softmax(scores) weighs if that key's scores alone are patched, minus what it weighs.

    What the other keys weigh among themselves does not change, so each key needs two numbers per query: the total and
    the mean worth of the others. Both are exact where one key holds all the attention, and where others hold none.

    Args:
        patched: scores to put in, one key at a time; minus infinity where masked.
        worth: what a unit of attention is worth; effects are summed over queries.
    """
    pattern = scores.softmax(-1).nan_to_num()
    weighed = (pattern * worth).sum(-1, keepdim=True)
    strongest = scores.argmax(-1, keepdim=True)
    is_strongest = torch.zeros_like(scores, dtype=torch.bool).scatter(-1, strongest, True)
    # The others of any other key hold at least half of the attention, so subtracting is safe for all but the strongest.
    without = scores.masked_fill(is_strongest, -torch.inf)
    others_of_strongest = (without.softmax(-1).nan_to_num() * worth).sum(-1, keepdim=True)
    others = torch.where(is_strongest, others_of_strongest, (weighed - pattern * worth) / (1 - pattern))
    total = scores.logsumexp(-1, keepdim=True) + torch.log1p(-pattern)
    total = torch.where(is_strongest, without.logsumexp(-1, keepdim=True), total)
    attention = torch.sigmoid(patched - total)
    effects = attention * worth + (1 - attention) * others - weighed
    return effects.masked_fill(scores.isneginf(), 0.0).sum(-2)


def is_query(hook: str) -> bool:
    """Whether a hook point holds queries, before any rotation."""
    return hook.endswith("attn.hook_q")


def is_key(hook: str) -> bool:
    """Whether a hook point holds keys, before any rotation."""
    return hook.endswith("attn.hook_k")


def attention_hook(layer: int, part: str) -> str:
    """Return the name of a hook point of a layer's attention."""
    return f"blocks.{layer}.attn.hook_{part}"


def attention_layers(sites: Iterable[Site]) -> list[int]:
    """Return the layers in which queries or keys are named."""
    return sorted(
        {site.layer for site in sites if site.layer is not None and (is_query(site.hook) or is_key(site.hook))}
    )


def attention_patches(
    model: HookedModel, runs: Runs, *, sites: Sequence[Site], donor: Mapping[str, Tensor], base: Mapping[str, Tensor]
) -> dict[int, AttentionPatch]:
    """Return what patching queries and keys does to the pattern, for each layer in which they are named.

    Args:
        donor: queries and keys of the donors, by hook name.
        base: queries, keys, values, scores, patterns and z of the prompts that are patched.

    Raises: ValueError, for an attention whose pattern is not the softmax of its scores, or does not mix its values.
    """
    layers = attention_layers(sites)
    of_queries = of_keys = None
    if any(is_query(site.hook) for site in sites):
        of_queries = _pinned(model, runs, layers, queries=donor, keys=base)
    if any(is_key(site.hook) for site in sites):
        of_keys = _pinned(model, runs, layers, queries=base, keys=donor)
    return {layer: _patch(layer, base, of_queries, of_keys) for layer in layers}


def _pinned(
    model: HookedModel, runs: Runs, layers: Sequence[int], *, queries: Mapping[str, Tensor], keys: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Run once with these queries and keys; return scores and patterns."""
    pins: dict[str, Tensor] = {attention_hook(layer, "q"): queries[attention_hook(layer, "q")] for layer in layers}
    pins |= {attention_hook(layer, "k"): keys[attention_hook(layer, "k")] for layer in layers}
    names = [attention_hook(layer, part) for layer in layers for part in ("attn_scores", "pattern")]
    edits = {name: (lambda _, value=value: value) for name, value in pins.items()}
    options: dict[str, Any] = {**runs.options(), **stopping_after(model, names)}
    with torch.no_grad(), edited(model, edits), record(model, names) as kept:
        model(runs.base, **options)
    return dict(kept)


def _patch(
    layer: int,
    base: Mapping[str, Tensor],
    of_queries: Mapping[str, Tensor] | None,
    of_keys: Mapping[str, Tensor] | None,
) -> AttentionPatch:
    scores, pattern, values, z, keys = (
        _float(base[attention_hook(layer, part)]) for part in ("attn_scores", "pattern", "v", "z", "k")
    )
    names = attention_hook(layer, "attn_scores"), attention_hook(layer, "pattern")
    patch = AttentionPatch(
        pattern=pattern,
        scores=scores,
        values=values.repeat_interleave(pattern.shape[1] // values.shape[2], dim=2),
        n_key_heads=keys.shape[2],
        query_change=None if of_queries is None else difference(_float(of_queries[names[1]]), pattern),
        key_scores=None if of_keys is None else _float(of_keys[names[0]]),
        key_change=None if of_keys is None else difference(_float(of_keys[names[1]]), pattern),
    )
    _require_softmax_attention(patch, z, layer=layer)
    return patch


def _float(activation: Tensor) -> Tensor:
    return activation.to(torch.promote_types(activation.dtype, torch.float32))


def _require_softmax_attention(
    patch: AttentionPatch, z: Float[Tensor, "batch query head d_head"], *, layer: int
) -> None:
    """Refuse an attention that does something else between its hook points; queries that see only padding may."""
    remedy = "use attribution, or patch exactly"
    mixed = torch.einsum("bhqk,bkhd->bqhd", patch.pattern, patch.values)
    if not torch.allclose(mixed, z, atol=1e-2 * float(z.abs().max()), rtol=0):
        raise ValueError(f"in layer {layer} the pattern does not mix the values at hook_v into hook_z; {remedy}")
    softmax = patch.scores.softmax(-1)
    if patch.key_scores is not None and not torch.allclose(
        torch.where(softmax.isnan(), patch.pattern, softmax), patch.pattern, atol=1e-2
    ):
        raise ValueError(f"in layer {layer} the pattern is not the softmax of hook_attn_scores (sinks?); {remedy}")
