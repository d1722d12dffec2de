"""Logits for the next token of every row: with a cache of keys and values, or from the whole sequence."""

from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_lab.decoding.batch import Batch
from interp_lab.decoding.cache import KeyValueCache
from interp_lab.models import forward_from, is_bridge
from interp_lab.types import HookedModel


@runtime_checkable
class Forward(Protocol):
    """One way of getting the next logits; it may remember what it has run."""

    cached: bool
    """Whether tokens are run once only."""

    def __call__(self, model: HookedModel, batch: Batch) -> Float[Tensor, "batch d_vocab"]:
        """Run the model and return the logits at the last position."""
        ...

    def keep(self, index: Int[Tensor, " batch"]) -> None:
        """Forget all rows but these."""
        ...


def forward_for(model: HookedModel, *, cache: bool) -> Forward:
    """Return the way to run a model.

    The cache is used where it is exact: on every `HookedTransformer` whose key / value heads are not expanded
    (`ungroup_grouped_query_attention`), and on a bridge whose model returns a plain `DynamicCache` (`transformers`
    models without sliding windows do, TransformerLens's native model returns none). Elsewhere the whole sequence
    is run at each step.
    """
    if not cache:
        return Recomputing()
    if is_bridge(model):
        return BridgeCaching()
    return HookedCaching() if caches_exactly(model) else Recomputing()


def caches_exactly(model: HookedModel) -> bool:
    """Whether `KeyValueCache` gives what a run of the whole sequence gives."""
    expands = bool(getattr(model.cfg, "ungroup_grouped_query_attention", False))
    return not is_bridge(model) and not (expands and model.cfg.n_key_value_heads)


class Recomputing:
    """Run every row from its beginning at every step."""

    cached = False

    def __call__(self, model: HookedModel, batch: Batch) -> Float[Tensor, "batch d_vocab"]:
        """Run the model on the whole batch."""
        tokens, mask = _on_device(model, batch, batch.length)
        if is_bridge(model):
            return model(tokens, attention_mask=mask)[:, -1]
        return _last_logits(model, tokens, mask, {})

    def keep(self, index: Int[Tensor, " batch"]) -> None:
        """There is nothing to forget."""


class HookedCaching:
    """Run each token of a `HookedTransformer` once."""

    cached = True

    def __init__(self) -> None:
        self._cache: KeyValueCache | None = None

    def __call__(self, model: HookedModel, batch: Batch) -> Float[Tensor, "batch d_vocab"]:
        """Run the model on the columns that are new."""
        if self._cache is None:
            like = next(iter(model.parameters())).detach()
            sizes = {"n_rows": len(batch.rows), "width": batch.width}
            self._cache = KeyValueCache(model.cfg, **sizes, padded=batch.padded, like=like)
        tokens, mask = _on_device(model, batch, batch.length - self._cache.length)
        return _last_logits(model, tokens, mask, {"past_kv_cache": self._cache})

    def keep(self, index: Int[Tensor, " batch"]) -> None:
        """Drop the other rows from the cache."""
        if self._cache is not None:
            self._cache.keep(index)


class BridgeCaching:
    """Run each token of a bridge once, if the model behind it returns a cache; else say so in `cached`."""

    def __init__(self) -> None:
        self.cached = True
        self._cache: Any = None
        self._length = 0

    def __call__(self, model: HookedModel, batch: Batch) -> Float[Tensor, "batch d_vocab"]:
        """Run the model on the columns that are new; its mask spans those in the cache, too."""
        tokens, _ = _on_device(model, batch, batch.length - self._length)
        _, mask = _on_device(model, batch, batch.length)
        options = {"use_cache": True, "return_type": "logits_and_cache"} if self.cached else {}
        past = {} if self._cache is None else {"past_key_values": self._cache}
        out = model(tokens, attention_mask=mask, **options, **past)
        if not self.cached:
            return out[:, -1]
        logits, self._cache = out
        self.cached = _grows_plainly(self._cache)
        if not self.cached:
            self._cache = None
        self._length = batch.length if self.cached else 0
        return logits[:, -1]

    def keep(self, index: Int[Tensor, " batch"]) -> None:
        """Drop the other rows from the cache."""
        if self.cached and self._cache is not None:
            self._cache.batch_select_indices(index)


def _grows_plainly(cache: Any) -> bool:  # noqa: ANN401 - a transformers cache, or None
    """Whether a cache keeps every token in every layer; sliding windows and recurrent states are not relied upon."""
    layers = getattr(cache, "layers", [])
    return bool(layers) and all(type(layer).__name__ == "DynamicLayer" for layer in layers)


def _last_logits(
    model: HookedModel, tokens: Tensor, mask: Tensor, options: dict[str, Any]
) -> Float[Tensor, "batch d_vocab"]:
    """Run all layers, and the final norm and the unembedding at the last position only."""
    if tokens.shape[1] == 1:
        return model(tokens, attention_mask=mask, **options)[:, -1]
    n_layers = int(model.cfg.n_layers)
    resid = model(tokens, attention_mask=mask, stop_at_layer=n_layers, **options)
    return forward_from(model, resid[:, -1:], n_layers)[:, -1]


def _on_device(model: HookedModel, batch: Batch, n: int) -> tuple[Tensor, Tensor]:
    window, device = batch.window(n), next(iter(model.parameters())).device
    return window.tokens.to(device), window.real.to(device, torch.long)
