"""What every node writes to the residual stream, and what every target makes of what it reads."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.circuits.graph import INPUTS, embeddings, require_graph, targets
from interp_lab.hooks import capture, ready_tokens
from interp_lab.types import HookedModel, Site

Written = Float[Tensor, "batch pos d_model"]

_TOLERANCE = 1e-4
"""By which what a target makes of its input may differ from the model's own, relative to its largest entry."""


@dataclass(frozen=True)
class Run:
    """One run of a model: what its nodes wrote, and what its targets read."""

    model: HookedModel
    kept: dict[str, Tensor]
    """Activations by hook point."""

    @classmethod
    def of(cls, model: HookedModel, tokens: Int[Tensor, "_ _"], mask: Bool[Tensor, "_ _"] | None = None) -> "Run":
        """Run a model and keep what edges need: z, MLP outputs, and the residual stream where it is read.

        Raises: ValueError, as `require_graph`; NonFiniteActivationError.
        """
        require_graph(model)
        n_layers, attn_only = int(model.cfg.n_layers), bool(model.cfg.attn_only)
        names = [f"hook_{source}" for source in embeddings(model)]
        for layer in range(n_layers):
            names += [f"blocks.{layer}.hook_resid_pre", f"blocks.{layer}.attn.hook_z"]
            names += [f"blocks.{layer}.attn.hook_{part}" for part in INPUTS]
            if not attn_only:
                names.append(f"blocks.{layer}.hook_mlp_out")
                names += [] if parallel(model) else [f"blocks.{layer}.hook_resid_mid"]
        names.append(f"blocks.{n_layers - 1}.hook_resid_post")
        with torch.inference_mode():
            return cls(model, capture(model, ready_tokens(model, tokens), names, mask=mask))

    def written(self, source: str) -> Written:
        """Return what one node wrote; biases of attention layers belong to no head."""
        if source in ("embed", "pos_embed"):
            return self.kept[f"hook_{source}"]
        if source.startswith("m"):
            return self.kept[f"blocks.{source[1:]}.hook_mlp_out"]
        layer, head = (int(part) for part in source.split("."))
        return write_of_head(self.model, layer, head, self.kept[f"blocks.{layer}.attn.hook_z"][:, :, head])

    def read(self, target: str) -> Written:
        """Return the residual stream that a target reads (before its norm)."""
        return self.kept[residual_of(self.model, target)]

    @cached_property
    def checked(self) -> "Run":
        """Itself, once it is known that targets make of their inputs what the model does.

        Raises: ValueError, naming the target where they do not.
        """
        for target in targets(self.model):
            site = site_of(self.model, target)
            own = self.kept.get(site.hook)
            if own is None:
                continue
            own = own if site.head is None else own[:, :, site.head]
            with torch.inference_mode():
                made = made_of(self.model, target, self.read(target))
            off = float((made - own).abs().max() / own.abs().max().clamp(min=1.0))
            if off > _TOLERANCE:
                raise ValueError(
                    f"what {target} makes of its input is not what the model makes of it (off by {off:.2g}): it has a "
                    "part that edges do not know; remove other hooks, or patch nodes instead (interp_lab.patching)"
                )
        return self


def parallel(model: HookedModel) -> bool:
    """Whether attention and MLP of a layer read the same."""
    return bool(getattr(model.cfg, "parallel_attn_mlp", False))


def write_of_head(model: HookedModel, layer: int, head: int, z: Float[Tensor, "batch pos d_head"]) -> Written:
    """Return what a head's z becomes in the residual stream."""
    blocks: Any = model.blocks  # ty: ignore[missing-attribute] - weights are no part of the protocol
    return z @ blocks[layer].attn.W_O[head]


def residual_of(model: HookedModel, target: str) -> str:
    """Return the hook point of the residual stream that a target reads."""
    if target == "logits":
        return f"blocks.{int(model.cfg.n_layers) - 1}.hook_resid_post"
    layer = target.removeprefix("m").split(".")[0]
    return f"blocks.{layer}.hook_resid_{'mid' if target.startswith('m') and not parallel(model) else 'pre'}"


def site_of(model: HookedModel, target: str) -> Site:
    """Return where the model shows what a target makes of its input."""
    if target == "logits":
        return Site(residual_of(model, target))
    if target.startswith("m"):
        return Site(f"blocks.{target[1:]}.hook_mlp_out")
    layer, head, part = target.split(".")
    return Site(f"blocks.{layer}.attn.hook_{part}", head=int(head))


def made_of(model: HookedModel, target: str, read: Written) -> Float[Tensor, "batch pos made"]:
    """Return what a target makes of a residual stream: a query, key or value, the output of an MLP; or itself."""
    if target == "logits":
        return read
    blocks: Any = model.blocks  # ty: ignore[missing-attribute] - weights are no part of the protocol
    if target.startswith("m"):
        block = blocks[int(target[1:])]
        return block.mlp(block.ln2(read))
    layer, head, part = target.split(".")
    block = blocks[int(layer)]
    weight, bias = (_stored(block.attn, f"{kind}_{part.upper()}")[int(head)] for kind in "Wb")
    return block.ln1(read) @ weight + bias


def _stored(attention: Any, name: str) -> Tensor:  # noqa: ANN401 - TransformerLens's module
    """Return weights as they are stored: of grouped attention one per key-value head, and no copies."""
    grouped = f"_{name}"
    return getattr(attention, grouped if hasattr(attention, grouped) else name)
