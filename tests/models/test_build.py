import pytest
import torch

from interp_lab.identity import WeightProcessing
from interp_lab.models import build_hooked, identity_of
from tests.models.fixtures import hooked_parts, word_ids, word_tokenizer

KINDS = {
    "attention only, LayerNorm": {"attn_only": True, "normalization_type": "LN"},
    "attention only, no norm": {"attn_only": True, "normalization_type": None},
    "LayerNorm": {"normalization_type": "LN"},
    "gated RMSNorm": {"normalization_type": "RMS", "final_rms": True, "gated_mlp": True, "act_fn": "silu"},
    "grouped queries": {"n_key_value_heads": 2},
}
every_kind = pytest.mark.parametrize("changes", KINDS.values(), ids=KINDS.keys())


def log_probs(model):
    with torch.no_grad():
        return model(word_ids()).log_softmax(-1)


class TestBuildHooked:
    @every_kind
    def test_keeps_every_parameter_bit_for_bit(self, changes):
        config, state_dict = hooked_parts(**changes)
        model = build_hooked(config, state_dict)
        assert {name for name, _ in model.named_parameters()} == set(state_dict)
        assert all(torch.equal(parameter, state_dict[name]) for name, parameter in model.named_parameters())
        assert not model.training

    def test_leaves_the_parameters_it_was_given_alone(self):
        config, state_dict = hooked_parts()
        before = {name: value.clone() for name, value in state_dict.items()}
        model = build_hooked(config, state_dict, processing="folded")
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.zero_()
        assert all(torch.equal(value, before[name]) for name, value in state_dict.items())

    @every_kind
    def test_processing_changes_no_prediction(self, changes):
        config, state_dict = hooked_parts(**changes)
        raw, folded = (build_hooked(config, state_dict, processing=name) for name in ("raw", "folded"))
        torch.testing.assert_close(log_probs(folded), log_probs(raw), atol=1e-5, rtol=0)
        assert not torch.allclose(folded.W_U, raw.W_U)

    def test_folding_does_what_its_name_says(self):
        config, state_dict = hooked_parts(attn_only=True, normalization_type="LN")
        model = build_hooked(config, state_dict, processing="folded")
        names = {name for name, _ in model.named_parameters()}
        assert not any("ln" in name for name in names)
        for written in (model.W_E, model.W_pos, model.W_O, model.b_O):
            torch.testing.assert_close(written.mean(-1), torch.zeros(written.shape[:-1]), atol=1e-6, rtol=0)
        torch.testing.assert_close(model.W_U.mean(-1), torch.zeros(16), atol=1e-6, rtol=0)
        assert not model.b_V.any()

    def test_folding_adds_no_hook_point_that_never_fires(self):
        config, state_dict = hooked_parts(attn_only=True, normalization_type="LN")
        raw, folded = (build_hooked(config, state_dict, processing=name) for name in ("raw", "folded"))
        assert set(folded.hook_dict) == set(raw.hook_dict)

    def test_half_precision_and_its_names(self):
        config, state_dict = hooked_parts()
        model = build_hooked(config, state_dict, dtype="float16")
        assert {parameter.dtype for parameter in model.parameters()} == {torch.float16}
        assert model.cfg.dtype is torch.float16

    def test_a_seed_in_the_config_resets_no_generator(self):
        config, state_dict = hooked_parts()
        before = torch.get_rng_state()
        build_hooked({**config, "seed": 7, "init_weights": True}, state_dict)
        assert torch.equal(torch.get_rng_state(), before)

    def test_prints_nothing(self, capsys):
        config, state_dict = hooked_parts()
        build_hooked(config, state_dict, dtype="bf16", processing="folded", tokenizer=word_tokenizer())
        assert capsys.readouterr() == ("", "")

    @pytest.mark.parametrize(("bos", "expected"), [(True, [0, 4, 5]), (False, [4, 5])], ids=["with BOS", "without"])
    def test_takes_a_tokenizer_made_in_memory_and_does_not_write_to_it(self, bos, expected):
        config, state_dict = hooked_parts()
        tokenizer = word_tokenizer(bos=bos)
        model = build_hooked(config, state_dict, tokenizer=tokenizer)
        assert model.to_tokens("the cat").tolist() == [expected]
        assert tokenizer.bos_token == ("<bos>" if bos else None)
        assert "add_bos_token" not in tokenizer.init_kwargs

    def test_without_a_name_there_is_no_identity(self):
        config, state_dict = hooked_parts()
        with pytest.raises(ValueError, match="carries no identity"):
            identity_of(build_hooked(config, state_dict))


class TestWhatDoesNotFit:
    def test_a_missing_and_an_unexpected_parameter_are_both_named(self):
        config, state_dict = hooked_parts()
        state_dict["blocks.0.attn.W_X"] = state_dict.pop("blocks.0.attn.W_Q")
        with pytest.raises(ValueError, match=r"missing blocks\.0\.attn\.W_Q; unexpected blocks\.0\.attn\.W_X"):
            build_hooked(config, state_dict)

    def test_a_buffer_is_unexpected(self):
        config, state_dict = hooked_parts()
        with pytest.raises(ValueError, match=r"missing none; unexpected blocks\.0\.attn\.IGNORE.*no buffers"):
            build_hooked(config, {**state_dict, "blocks.0.attn.IGNORE": torch.tensor(0.0)})

    def test_a_wrong_shape(self):
        config, state_dict = hooked_parts()
        with pytest.raises(ValueError, match=r"'embed.W_E' has shape \(13, 15\), the config asks for \(13, 16\)"):
            build_hooked(config, {**state_dict, "embed.W_E": torch.zeros(13, 15)})

    def test_a_setting_that_does_not_exist(self):
        config, state_dict = hooked_parts()
        with pytest.raises(ValueError, match="'n_layer' is no setting of HookedTransformerConfig; did you mean 'n_lay"):
            build_hooked({**config, "n_layer": 2}, state_dict)


class TestTheIdentityTellsWhatWasDone:
    def test_steps_with_nothing_to_act_on_stay_as_asked(self):
        config, state_dict = hooked_parts(attn_only=True, normalization_type=None)
        model = build_hooked(config, state_dict, name="m", processing="folded")
        assert str(identity_of(model).processing) == "folded"

    def test_centring_is_left_out_where_a_soft_cap_forbids_it(self):
        config, state_dict = hooked_parts(output_logits_soft_cap=5.0)
        model = build_hooked(config, state_dict, name="m", processing="folded")
        assert identity_of(model).processing == WeightProcessing(center_unembed=False)
        torch.testing.assert_close(log_probs(model), log_probs(build_hooked(config, state_dict)), atol=1e-5, rtol=0)

    def test_folding_is_left_out_where_a_shortformer_forbids_it(self):
        config, state_dict = hooked_parts(positional_embedding_type="shortformer")
        model = build_hooked(config, state_dict, name="m", processing="folded")
        assert str(identity_of(model).processing) == "fold_value_biases"
        torch.testing.assert_close(log_probs(model), log_probs(build_hooked(config, state_dict)), atol=1e-5, rtol=0)
