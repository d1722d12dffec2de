"""The sweep against `transformer_lens.patching`, which runs one full forward pass per cell."""

import numpy as np
import pytest
import torch
from transformer_lens import patching

from interp_lab.engine import sweep
from interp_lab.interventions import patches
from interp_lab.types import Site
from tests.engine.compare import difference
from tests.engine.models import N_LAYERS, bridge, d_vocab, diverging, hooked, prompts

BY_POSITION = {
    "hook_resid_pre": patching.get_act_patch_resid_pre,
    "hook_resid_mid": patching.get_act_patch_resid_mid,
    "hook_attn_out": patching.get_act_patch_attn_out,
    "hook_mlp_out": patching.get_act_patch_mlp_out,
}
BY_HEAD = {
    "z": patching.get_act_patch_attn_head_out_all_pos,
    "q": patching.get_act_patch_attn_head_q_all_pos,
    "k": patching.get_act_patch_attn_head_k_all_pos,
    "v": patching.get_act_patch_attn_head_v_all_pos,
    "pattern": patching.get_act_patch_attn_head_pattern_all_pos,
}
BY_HEAD_AND_POSITION = {
    "z": patching.get_act_patch_attn_head_out_by_pos,
    "q": patching.get_act_patch_attn_head_q_by_pos,
    "k": patching.get_act_patch_attn_head_k_by_pos,
    "v": patching.get_act_patch_attn_head_v_by_pos,
    "pattern": patching.get_act_patch_attn_head_pattern_by_pos,
}


MODELS = ["hooked: gpt2", "hooked: llama", "hooked: neox", "hooked: attention only", "bridge: native gpt2"]
ABSENT = {
    "hooked: neox": ["hook_resid_mid"],
    "hooked: attention only": ["hook_resid_mid", "hook_mlp_out"],
    "bridge: native gpt2": ["hook_resid_mid"],  # it may be read there, and not edited
}
SLOW = {"bridge: native gpt2": ["hook_mlp_out", "q", "pattern"]}
"""And in the parity suite."""


def on_models(hooks):
    left_out = {name: ABSENT.get(name, []) + SLOW.get(name, []) for name in MODELS}
    cases = [(name, hook) for name in MODELS for hook in hooks if hook not in left_out[name]]
    return pytest.mark.parametrize(("model", "at"), cases, indirect=["model"], scope="module")


@pytest.fixture(scope="module")
def model(request, tmp_path_factory):
    backend, kind = request.param.split(": ")
    return hooked(kind, torch.float32) if backend == "hooked" else bridge(kind, tmp_path_factory.mktemp("models"))


@pytest.fixture
def both(model):
    """`(sites, reference) -> both arrays`: mean effects by our sweep and by TransformerLens, on the same pairs."""
    base = prompts(model, n=3, length=6)
    source = diverging(base, [3, 0, 2], n_tokens=min(d_vocab(model), 20))
    metric, function = difference(model, base)

    def run(groups, reference):
        with torch.no_grad():
            _, cache = model.run_with_cache(source)
            expected = reference(model, base, cache, lambda logits: function(logits).mean())
        found = sweep(model, base, patches(model, groups, source, base=base), metric)
        return found.values.mean(1), expected.numpy().ravel()

    return run


def n_heads(model, at):
    return int(getattr(model.cfg, "n_key_value_heads", None) or model.cfg.n_heads) if at in "kv" else model.cfg.n_heads


def require_close(found, expected):
    assert np.ptp(expected) > 1e-3
    scale = max(1.0, np.abs(expected).max())  # without norms, activations run into the thousands
    np.testing.assert_allclose(found / scale, expected / scale, atol=1e-5)


@on_models(BY_POSITION)
def test_layer_by_position(model, both, at):
    cells = [(layer, position) for layer in range(model.cfg.n_layers) for position in range(6)]
    groups = [[Site(f"blocks.{layer}.{at}", position=position)] for layer, position in cells]
    require_close(*both(groups, BY_POSITION[at]))


@on_models(BY_HEAD)
def test_layer_by_head(model, both, at):
    layers, heads = range(model.cfg.n_layers), range(n_heads(model, at))
    groups = [[Site.of_head(layer, head, at=at)] for layer in layers for head in heads]
    require_close(*both(groups, BY_HEAD[at]))


@pytest.mark.parametrize("at", BY_HEAD_AND_POSITION)
def test_layer_by_position_by_head(at):
    """On one shape: the axes are what can go wrong here."""
    model = hooked("llama", torch.float32)
    base = prompts(model, n=2, length=4)
    source = diverging(base, [1, 0], n_tokens=20)
    metric, function = difference(model, base)
    cells = [
        (layer, position, head)
        for layer in range(N_LAYERS)
        for position in range(4)
        for head in range(n_heads(model, at))
    ]
    if at == "pattern":  # TransformerLens orders these by head before position
        cells = [(layer, position, head) for layer in range(N_LAYERS) for head in range(4) for position in range(4)]
    groups = [[Site.of_head(layer, head, at=at, position=position)] for layer, position, head in cells]
    with torch.no_grad():
        _, cache = model.run_with_cache(source)
        expected = BY_HEAD_AND_POSITION[at](model, base, cache, lambda logits: function(logits).mean())
    found = sweep(model, base, patches(model, groups, source, base=base), metric)
    require_close(found.values.mean(1), expected.numpy().ravel())
