"""Run a model from a residual stream in the middle: the one thing that only `HookedTransformer` can do by itself."""

import contextlib
from collections.abc import Generator
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interp_lab.models.shape import is_bridge
from interp_lab.types import HookedModel


def forward_from(
    model: HookedModel,
    resid: Float[Tensor, "batch pos d_model"],
    layer: int,
    *,
    tokens: Int[Tensor, "..."] | None = None,
    stop_at_layer: int | None = None,
    attention_mask: Tensor | None = None,
) -> Float[Tensor, "batch pos _"]:
    """Return the logits that follow from the residual stream entering a block.

    `HookedTransformer` starts there. A bridge runs from the tokens, with the residual stream put in
    place of its own at that layer: the same result, at the cost of a whole forward, and hooks below
    `layer` fire, too.

    Args:
        model: hooks that are installed on it take part, those at `blocks.{layer}.hook_resid_pre` included.
        layer: block the residual enters, from 0; `n_layers` leaves the final norm and the unembedding.
        tokens: what hooks below `layer` see on a bridge; any ids of the right shape give the same result.
        stop_at_layer: return the residual entering that block instead (`n_layers`: leaving the last one).
        attention_mask: 1 for tokens, 0 for padding; needed for left-padded batches.

    Raises: ValueError, if the layers do not lie in `0 <= layer <= stop_at_layer <= n_layers`, or the
        tokens do not have the residual's batch and positions.
    """
    n_layers = int(model.cfg.n_layers)
    stop = n_layers if stop_at_layer is None else stop_at_layer
    if not 0 <= layer <= stop <= n_layers:
        raise ValueError(
            f"cannot run from layer {layer} to {stop_at_layer if stop_at_layer is not None else 'the logits'}: "
            f"the model has {n_layers} layers, so 0 <= layer <= stop_at_layer <= {n_layers} must hold"
        )
    if tokens is not None and tokens.shape != resid.shape[:2]:
        raise ValueError(
            f"tokens have shape {tuple(tokens.shape)}, the residual {tuple(resid.shape[:2])} before d_model"
        )
    options: dict[str, Any] = {} if attention_mask is None else {"attention_mask": attention_mask}
    if not is_bridge(model):
        return model(resid, start_at_layer=layer, stop_at_layer=stop_at_layer, **options)
    if tokens is None:
        tokens = torch.zeros(resid.shape[:2], dtype=torch.long, device=resid.device)
    with _residual_in_place(model, resid, layer):
        if stop_at_layer == n_layers:
            return _leaving_last_block(model, tokens, options)
        return model(tokens, stop_at_layer=stop_at_layer, **options)


@contextlib.contextmanager
def _residual_in_place(model: HookedModel, resid: Tensor, layer: int) -> Generator[None]:
    """Put `resid` where a block receives its input, ahead of every hook that is already there.

    `interp_lab.hooks` installs behind the others, which would undo their edits at this point.
    """
    last = int(model.cfg.n_layers) - 1
    name = f"blocks.{layer}.hook_resid_pre" if layer <= last else f"blocks.{last}.hook_resid_post"
    handle = model.hook_dict[name].register_forward_hook(lambda module, given, output: resid, prepend=True)
    try:
        yield
    finally:
        handle.remove()


def _leaving_last_block(model: HookedModel, tokens: Tensor, options: dict[str, Any]) -> Tensor:
    """A bridge asked to stop at `n_layers` returns logits, so the residual is read off on the way."""
    kept: list[Tensor] = []
    last = model.hook_dict[f"blocks.{int(model.cfg.n_layers) - 1}.hook_resid_post"]
    handle = last.register_forward_hook(lambda module, given, output: kept.append(output))
    try:
        model(tokens, **options)
    finally:
        handle.remove()
    return kept[-1]
