"""Compiled models, built once each; the package builds them in `models/`, one floor up."""

from functools import cache

import torch
from transformer_lens import HookedTransformer, HookedTransformerConfig

from interp_lab.organisms.compiled import CompiledModel, compile_model


def build(compiled: CompiledModel) -> HookedTransformer:
    model = HookedTransformer(HookedTransformerConfig(**compiled.config))
    loaded = model.load_state_dict(compiled.state_dict, strict=False)
    parameters = dict(model.named_parameters())
    assert not loaded.unexpected_keys
    assert not [name for name in loaded.missing_keys if name in parameters]
    return model.eval().requires_grad_(False)


@cache
def known(name: str) -> tuple[CompiledModel, HookedTransformer]:
    compiled = compile_model(name)
    return compiled, build(compiled)


def all_heads(compiled: CompiledModel) -> list[tuple[int, int]]:
    return [(layer, head) for layer in range(compiled.config["n_layers"]) for head in range(compiled.config["n_heads"])]


def replacing_z(values: dict[tuple[int, int], torch.Tensor]) -> list:
    """Hooks that set the outputs of heads to the given values, each broadcastable to [batch, pos, d_head]."""

    def at(head, value):
        def replace(z, hook):
            z = z.clone()
            z[:, :, head] = value
            return z

        return replace

    return [(f"blocks.{layer}.attn.hook_z", at(head, value)) for (layer, head), value in values.items()]
