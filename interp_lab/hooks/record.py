"""Keep activations, and say where they stop being finite."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp_lab.hooks.edit import HookNeverFiredError
from interp_lab.hooks.sites import device_of, hook_names, require_hook
from interp_lab.types import HookedModel, Site, Tokens, require_tokens

_MASKED = ("hook_attn_scores",)
"""Hook points that hold -inf by design."""


class NonFiniteActivationError(ValueError):
    """An activation holds NaN or inf; the message names the first hook point that does."""


@contextmanager
def record(model: HookedModel, names: Sequence[str], *, graph: bool = False) -> Generator[dict[str, Tensor]]:
    """Keep activations of every forward pass inside the block (the last one wins) in the dictionary it yields.

    Args:
        names: full hook names.
        graph: keep the autograd graph, for gradients with respect to activations; else a detached copy.

    Raises: ValueError, for a hook point that the model has not; HookNeverFiredError, if one was not reached.
    """
    for name in names:
        require_hook(model, name)
    kept: dict[str, Tensor] = {}

    def hook_for(name: str) -> Callable[..., None]:
        def keep(activation: Tensor, hook: object) -> None:
            kept[name] = activation if graph else activation.detach().clone()

        return keep

    with model.hooks(fwd_hooks=[(name, hook_for(name)) for name in names]):
        yield kept
    missing = [name for name in names if name not in kept]
    if missing:
        raise HookNeverFiredError(
            f"{', '.join(missing)} recorded nothing: the model did not pass through it in the block"
        )


def capture(
    model: HookedModel, tokens: Tokens, names: Sequence[str], *, mask: Bool[Tensor, "_ _"] | None = None
) -> dict[str, Float[Tensor, "..."]]:
    """Run once, without gradients, and return the activations asked for; layers above the last of them are not run.

    Args:
        mask: true at tokens, false at padding; left-padded prompts are read wrongly without it.

    Raises: ValueError, for empty tokens or unknown names; NonFiniteActivationError, naming where it began.
    """
    tokens = ready_tokens(model, tokens)
    with torch.inference_mode(), record(model, names) as kept:
        model(tokens, **stopping_after(model, names), **masked(tokens, mask))
    finite = [torch.isfinite(kept[name]).all() for name in names if not name.endswith(_MASKED)]
    if finite and not torch.stack(finite).all():
        require_finite(model, tokens, mask=mask)
        raise NonFiniteActivationError("activations were NaN or inf once, and not when the model was run again")
    return {name: kept[name] for name in names}


def ready_tokens(model: HookedModel, tokens: Tokens) -> Tokens:
    """Return tokens on the model's device, refusing those that it cannot read.

    Raises: ValueError, for no tokens, more positions than the context, or ids outside the vocabulary.
    """
    require_tokens(tokens)
    n_ctx, d_vocab = int(model.cfg.n_ctx), int(model.cfg.d_vocab)
    if tokens.shape[1] > n_ctx:
        raise ValueError(f"prompts of {tokens.shape[1]} tokens do not fit the model's context of {n_ctx}; shorten them")
    low, high = (int(end) for end in tokens.aminmax())
    if low < 0 or high >= d_vocab:
        bad = low if low < 0 else high
        raise ValueError(f"token {bad} is outside the model's vocabulary (0 to {d_vocab - 1}); check the tokenizer")
    return tokens.to(device_of(model))


def masked(tokens: Tokens, mask: Bool[Tensor, "_ _"] | None) -> dict[str, Tensor]:
    """Return the keyword arguments of a forward pass that leaves padding out.

    Raises: ValueError, if the mask has another shape than the tokens.
    """
    if mask is None:
        return {}
    if mask.shape != tokens.shape:
        raise ValueError(f"the mask has shape {tuple(mask.shape)}, and the tokens {tuple(tokens.shape)}; give one each")
    return {"attention_mask": mask.to(tokens.device, torch.long)}


def stopping_after(model: HookedModel, names: Sequence[str]) -> dict[str, int | None]:
    """Return the keyword arguments of a forward pass that runs no layer above the last one named."""
    layers = [Site(name).layer for name in names]
    if any(
        layer is None and not name.startswith(("hook_embed", "hook_pos_embed"))
        for layer, name in zip(layers, names, strict=True)
    ):
        return {}
    return {"stop_at_layer": max((layer for layer in layers if layer is not None), default=-1) + 1}


def require_finite(model: HookedModel, tokens: Tokens, *, mask: Bool[Tensor, "_ _"] | None = None) -> None:
    """Run once through every hook point and refuse NaN and inf, wherever they first appear.

    Looking at the output is not enough: TransformerLens sets NaN in attention patterns to zero, so that a
    broken query or key leaves finite logits behind.

    Raises: NonFiniteActivationError, naming the first hook point and its layer.
    """
    finite: dict[str, Tensor] = {}

    def hook_for(name: str) -> Callable[..., None]:
        def look(activation: Tensor, hook: object) -> None:
            finite[name] = torch.isfinite(activation).all()

        return look

    names = [name for name in hook_names(model) if ".hook_" in f".{name}" and not name.endswith(_MASKED)]
    with torch.inference_mode(), model.hooks(fwd_hooks=[(name, hook_for(name)) for name in names]):
        model(tokens, **masked(tokens, mask))
    if torch.stack(list(finite.values())).all():
        return
    first = next(name for name, ok in finite.items() if not ok)
    layer = Site(first).layer
    where = "outside the layers" if layer is None else f"in layer {layer}"
    raise NonFiniteActivationError(
        f"activations are NaN or inf from {first!r} ({where}) on; check the weights, the dtype and the input"
    )
