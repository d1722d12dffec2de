"""Keys and values of tokens that were already run, in buffers of their final size.

`HookedTransformer` reads `past_keys` and calls `append` and `append_attention_mask`; its own cache copies everything
it holds at every step.
"""

from copy import copy
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor


class LayerCache:
    """One layer's keys and values, before any rotation."""

    def __init__(self, *, n_rows: int, width: int, n_heads: int, like: Tensor, d_head: int) -> None:
        # Heads before positions: the batched products of attention then read the buffers without a copy.
        self._buffers = [like.new_empty(n_rows, n_heads, width, d_head) for _ in range(2)]
        self.length = 0

    @property
    def past_keys(self) -> Float[Tensor, "batch pos kv_head d_head"]:
        """Keys so far."""
        return self._filled(self._buffers[0])

    def append(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Add the keys and values of new tokens; returns all so far."""
        start, self.length = self.length, self.length + keys.shape[1]
        for buffer, new in zip(self._buffers, (keys, values), strict=True):
            buffer[:, :, start : self.length] = new.transpose(1, 2)
        return self._filled(self._buffers[0]), self._filled(self._buffers[1])

    def keep(self, index: Tensor) -> None:
        """Go on with these rows."""
        self._buffers = [buffer[index] for buffer in self._buffers]

    def branched(self, index: Tensor, *, n_tokens: int, width: int) -> "LayerCache":
        """Return a cache of its own that begins with the first tokens of some rows."""
        found = copy(self)
        found.length, found._buffers = n_tokens, []
        for buffer in self._buffers:
            begun = buffer.new_empty(len(index), buffer.shape[1], width, buffer.shape[3])
            begun[:, :, :n_tokens] = buffer[index, :, :n_tokens]
            found._buffers.append(begun)
        return found

    def _filled(self, buffer: Tensor) -> Tensor:
        return buffer[:, :, : self.length].transpose(1, 2)


class KeyValueCache:
    """What a `HookedTransformer` takes as `past_kv_cache`."""

    def __init__(self, cfg: Any, *, n_rows: int, width: int, padded: bool, like: Tensor) -> None:  # noqa: ANN401 - a model's config
        heads = int(cfg.n_key_value_heads or cfg.n_heads)
        sizes = {"n_rows": n_rows, "width": width, "n_heads": heads, "d_head": int(cfg.d_head)}
        self._layers = [LayerCache(**sizes, like=like) for _ in range(int(cfg.n_layers))]
        self._mask = torch.zeros(n_rows, 0, dtype=torch.long, device=like.device)
        self._padded = padded

    @property
    def length(self) -> int:
        """Tokens per row that are in the cache, padding included."""
        return self._mask.shape[1]

    def __getitem__(self, layer: int) -> LayerCache:
        return self._layers[layer]

    def append_attention_mask(self, mask: Int[Tensor, "batch new"]) -> Int[Tensor, "batch pos"] | None:
        """Add the mask of new tokens; returns that of all so far, or `None` if none is padding.

        Without a mask the model takes positions from the length of the cache, which is the same, and cheaper.
        """
        self._mask = torch.cat([self._mask, mask], dim=1)
        return self._mask if self._padded else None

    def keep(self, index: Int[Tensor, " batch"]) -> None:
        """Go on with these rows."""
        self._mask = self._mask[index]
        for layer in self._layers:
            layer.keep(index)

    def branched(self, index: Int[Tensor, " row"], *, n_tokens: int, width: int) -> "KeyValueCache":
        """Return a cache that begins with the first tokens of some rows, each as often as it is named.

        What follows may differ from row to row: the tokens that prompts share are then run once. This cache stays as it
        is.

        Args:
            width: tokens that the new one has room for.

        Raises: ValueError, for more tokens than are in the cache or than there is room for.
        """
        if not 0 <= n_tokens <= min(self.length, width):
            raise ValueError(
                f"n_tokens={n_tokens} of a cache of {self.length} cannot begin one of {width}; take from 0 to "
                f"{min(self.length, width)}"
            )
        found = copy(self)
        found._mask = self._mask[index, :n_tokens]
        found._layers = [layer.branched(index, n_tokens=n_tokens, width=width) for layer in self._layers]
        return found
