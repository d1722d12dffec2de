import copy

import pytest
import torch

from interp_lab.models import build_hooked, identity_of, is_bridge, native
from interp_lab.models.native import to_bridge
from tests.models.fixtures import hooked_parts, word_ids, word_tokenizer

KINDS = {
    "attention only, no norm, unscaled": {"attn_only": True, "normalization_type": None, "attn_scale": 1.0},
    "attention only, LayerNorm": {"attn_only": True},
    "no attention scale": {"use_attn_scale": False},
    "LayerNorm and MLPs": {},
    "grouped queries": {"n_key_value_heads": 2},
    "RMSNorm": {"normalization_type": "RMS", "final_rms": True, "act_fn": "relu"},
}


@pytest.mark.parametrize("processing", ["raw", "folded"])
@pytest.mark.parametrize("changes", KINDS.values(), ids=KINDS.keys())
class TestTheNativeBridge:
    def test_has_the_logits_and_every_activation_of_the_original(self, changes, processing):
        config, state_dict = hooked_parts(**changes)
        hooked = build_hooked(config, state_dict, name="m", processing=processing)
        bridge = to_bridge(hooked)
        tokens = word_ids()
        with torch.no_grad():
            logits, cache = hooked.run_with_cache(tokens)
            bridged_logits, bridged = bridge.run_with_cache(tokens)
        torch.testing.assert_close(bridged_logits, logits, atol=1e-5, rtol=0)
        for name, activation in cache.items():
            finite = activation.isfinite()
            torch.testing.assert_close(bridged[name][finite], activation[finite], atol=1e-4, rtol=1e-5, msg=name)


class TestToBridge:
    def test_carries_identity_and_tokenizer_along(self):
        config, state_dict = hooked_parts()
        hooked = build_hooked(config, state_dict, name="m", tokenizer=word_tokenizer())
        bridge = to_bridge(hooked)
        assert is_bridge(bridge)
        assert not is_bridge(hooked)
        assert identity_of(bridge) == identity_of(hooked)
        assert bridge.to_tokens("the cat").tolist() == hooked.to_tokens("the cat").tolist() == [[0, 4, 5]]

    def test_leaves_the_original_alone(self):
        config, state_dict = hooked_parts()
        hooked = build_hooked(config, state_dict, name="m")
        with torch.no_grad():
            for parameter in to_bridge(hooked).parameters():
                parameter.zero_()
        assert all(torch.equal(parameter, state_dict[name]) for name, parameter in hooked.named_parameters())

    def test_a_copy_has_hook_points_of_its_own(self):
        config, state_dict = hooked_parts(attn_only=True)
        bridge = to_bridge(build_hooked(config, state_dict, name="m"))
        twin, tokens = copy.deepcopy(bridge), word_ids()
        plain, halve = bridge(tokens), ("blocks.0.attn.hook_pattern", lambda pattern, hook: pattern / 2)
        with twin.hooks(fwd_hooks=[halve]):
            assert torch.equal(bridge(tokens), plain)
            assert not torch.allclose(twin(tokens), plain, atol=1e-2)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"positional_embedding_type": "shortformer"}, "'shortformer' positions"),
            ({"positional_embedding_type": "rotary", "rotary_dim": 4}, "'rotary' positions"),
            ({"act_fn": "solu_ln"}, "solu_ln"),
            ({"gated_mlp": True}, "does not predict"),
            ({"parallel_attn_mlp": True}, "does not predict"),
        ],
        ids=["shortformer", "rotary", "unknown activation", "gated MLP with biases", "parallel blocks"],
    )
    def test_refuses_what_the_native_model_cannot_express(self, changes, message):
        config, state_dict = hooked_parts(**changes)
        hooked = build_hooked(config, state_dict, name="m")
        with pytest.raises(ValueError, match=f"{message}.*use backend='hooked'"):
            to_bridge(hooked)

    def test_refuses_its_own_mistakes(self, monkeypatch):
        config, state_dict = hooked_parts()
        hooked = build_hooked(config, state_dict, name="m")
        right = native._native_parameters
        doubled = lambda *given: {name: 2 * weight for name, weight in right(*given).items()}  # noqa: E731
        monkeypatch.setattr(native, "_native_parameters", doubled)
        with pytest.raises(ValueError, match="bridge of m does not predict what the original predicts"):
            to_bridge(hooked)
