"""What an edit does on a bridge, hook point by hook point, against `HookedTransformer`."""

import pytest
import torch

from interp_lab.hooks import read_only_hooks
from interp_lab.models import build_hooked, load_model
from interp_lab.models.native import to_bridge
from tests.models.fixtures import SHAPES, hooked_parts, random_tokens, word_ids

MIDDLE = {f"blocks.{layer}.hook_resid_mid" for layer in (0, 1)}


def edit(activation, hook):
    """A change that no norm undoes, at every position."""
    return activation * torch.linspace(0.5, 1.5, activation.shape[-1])


@torch.no_grad()
def where_edits_differ(hooked, bridge, tokens):
    """Names at which the same edit moves the two models to different predictions."""
    differ = set()
    for name in hooked.run_with_cache(tokens)[1]:
        moved = [model.run_with_hooks(tokens, fwd_hooks=[(name, edit)]).log_softmax(-1) for model in (hooked, bridge)]
        if not torch.allclose(*moved, atol=1e-4):
            differ.add(name)
    return differ


def noted(bridge):
    return {f"blocks.{layer}.{suffix}" for layer in range(bridge.cfg.n_layers) for suffix in read_only_hooks(bridge)}


# The bridge says that editing a norm's scale rounds differently; the comparison allows for it.
@pytest.mark.filterwarnings("ignore:A forward hook edited hook_scale")
class TestReadOnlyHooks:
    @pytest.mark.parametrize("shape", SHAPES)
    def test_of_a_directory_are_all_that_differ_and_fire(self, directories, shape):
        hooked, bridge = (load_model(directories[shape], "cpu", backend=name) for name in ("hooked", "bridge"))
        fires = set(bridge.run_with_cache(random_tokens())[1])
        differ = where_edits_differ(hooked, bridge, random_tokens())
        assert differ & fires == noted(bridge) == (set() if shape == "neox" else MIDDLE)
        assert {name.split(".hook_")[-1] for name in differ - fires} <= {"rot_q", "rot_k"}

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [({"attn_only": True}, set()), ({}, MIDDLE), ({"n_key_value_heads": 2, "attn_only": True}, set())],
        ids=["attention only", "with MLPs", "grouped queries"],
    )
    def test_of_a_native_bridge_are_all_that_differ(self, changes, expected):
        config, state_dict = hooked_parts(**changes)
        hooked = build_hooked(config, state_dict, name="m")
        bridge = to_bridge(hooked)
        assert where_edits_differ(hooked, bridge, word_ids()) == noted(bridge) == expected

    def test_include_the_pattern_where_the_bridge_only_shows_it(self, tmp_path):
        from transformers import OPTConfig, OPTForCausalLM

        shape = {"hidden_size": 32, "word_embed_proj_dim": 32, "ffn_dim": 48, "vocab_size": 40}
        config = OPTConfig(**shape, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=24)
        OPTForCausalLM(config).save_pretrained(tmp_path)
        bridge = load_model(tmp_path, "cpu", backend="bridge")
        assert set(read_only_hooks(bridge)) == {"attn.hook_pattern", "attn.hook_attn_scores", "hook_resid_mid"}
        assert "reaches nothing" in read_only_hooks(bridge)["attn.hook_pattern"]

    def test_of_a_hooked_transformer_are_none(self, directories):
        assert read_only_hooks(load_model(directories["gpt2"], "cpu")) == {}
