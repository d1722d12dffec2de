"""Weights lie in memory as they are multiplied: no forward pass copies one, and nothing else changes."""

import copy

import pytest
import torch
from safetensors.torch import load, save
from torch.utils._python_dispatch import TorchDispatchMode

from interp_lab.models import build_hooked, load_model
from interp_lab.models.layout import store_as_multiplied_, stored_in
from interp_lab.organisms.bundled import read_bundle, write_bundled
from interp_lab.runs.formats import decode_arrays, encode_arrays
from tests.models.fixtures import SHAPES, hooked_parts, word_ids

KINDS = {
    "standard": {},
    "attention only": {"attn_only": True},
    "rotary": {"positional_embedding_type": "rotary"},
    "gated": {"normalization_type": "RMS", "final_rms": True, "gated_mlp": True, "act_fn": "silu"},
    "grouped queries": {"n_key_value_heads": 2},
}
PROCESSING = ("raw", "folded")


class CopiedWeights(TorchDispatchMode):
    """Notes which matrices of a model are copied while it runs; position embeddings are no matrix that multiplies."""

    def __init__(self, model):
        super().__init__()
        weights = [(name, weight) for name, weight in model.named_parameters() if name != "pos_embed.W_pos"]
        self.names = {weight.untyped_storage().data_ptr(): name for name, weight in weights}
        self.found = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func in (torch.ops.aten.clone.default, torch.ops.aten._to_copy.default):
            self.found |= {self.names.get(args[0].untyped_storage().data_ptr())} - {None}
        return func(*args, **(kwargs or {}))


def copied(model, tokens=None):
    tokens = word_ids() if tokens is None else tokens
    with torch.no_grad(), CopiedWeights(model) as watched:
        model(tokens)
    return watched.found


def logits(model):
    with torch.no_grad():
        return model(word_ids())


@pytest.fixture(params=KINDS)
def parts(request):
    return hooked_parts(**KINDS[request.param])


class TestStoredIn:
    def test_by_hand(self):
        weight = torch.tensor([[1, 2, 3], [4, 5, 6]])
        stored = stored_in(weight, (1, 0))
        assert torch.equal(stored, weight)
        assert stored.stride() == (1, 2)
        assert stored.as_strided((6,), (1,)).tolist() == [1, 4, 2, 5, 3, 6]

    @pytest.mark.parametrize("order", [(0, 2, 1), (2, 0, 1), (1, 2, 0)])
    def test_in_that_order_there_is_nothing_left_to_copy(self, order):
        weight = torch.arange(24).view(2, 3, 4)
        stored = stored_in(weight, order)
        assert torch.equal(stored, weight)
        assert stored.permute(order).contiguous().data_ptr() == stored.data_ptr()
        assert weight.permute(order).contiguous().data_ptr() != weight.data_ptr()


class TestForward:
    @pytest.mark.parametrize("processing", PROCESSING)
    def test_copies_no_weight(self, parts, processing):
        plain = build_hooked(*parts, processing=processing, for_training=True)
        assert {"unembed.W_U", "blocks.0.attn.W_Q", "blocks.1.attn.W_O"} <= copied(plain)
        assert copied(build_hooked(*parts, processing=processing)) == set()

    @pytest.mark.parametrize("processing", PROCESSING)
    def test_gives_the_same_bits(self, parts, processing):
        plain, stored = (build_hooked(*parts, processing=processing, for_training=bare) for bare in (True, False))
        assert torch.equal(logits(stored), logits(plain))
        for (name, weight), (other, expected) in zip(stored.named_parameters(), plain.named_parameters(), strict=True):
            assert (name, weight.shape) == (other, expected.shape)
            assert torch.equal(weight, expected)

    @pytest.mark.parametrize("setting", ["use_attn_result", "use_split_qkv_input", "use_attn_in", "use_hook_mlp_in"])
    def test_gives_the_same_with_hooks_that_split_heads(self, setting):
        parts = hooked_parts()
        plain, stored = (build_hooked(*parts, for_training=bare) for bare in (True, False))
        for model in (plain, stored):
            getattr(model, f"set_{setting}")(True)
        torch.testing.assert_close(logits(stored), logits(plain), atol=1e-6, rtol=1e-6)

    def test_gives_the_same_gradients(self):
        parts = hooked_parts()
        plain, stored = (build_hooked(*parts, for_training=bare) for bare in (True, False))
        for model in (plain, stored):
            model(word_ids(), return_type="loss").backward()
        for weight, expected in zip(stored.parameters(), plain.parameters(), strict=True):
            torch.testing.assert_close(weight.grad, expected.grad, atol=1e-6, rtol=1e-5)


class TestEveryWayToLoad:
    @pytest.mark.parametrize("name", ["organism-attn", "compiled/induction", "compiled/linear"])
    def test_models_of_the_package(self, name):
        assert copied(load_model(name, "cpu"), torch.tensor([[0, 1, 2, 1]])) == set()

    @pytest.mark.parametrize("shape", SHAPES)
    def test_directories(self, directories, shape):
        assert copied(load_model(directories[shape], "cpu"), torch.tensor([[0, 1, 2, 1]])) == set()

    def test_the_hub(self, monkeypatch):
        def from_pretrained(official, **settings):
            return build_hooked(*hooked_parts(), for_training=True)

        monkeypatch.setattr("transformer_lens.HookedTransformer.from_pretrained", from_pretrained)
        monkeypatch.setattr("interp_lab.models.hub._require_reachable", lambda name: None)
        assert copied(load_model("gpt2-small", "cpu")) == set()

    def test_half_precision(self):
        assert copied(build_hooked(*hooked_parts(), dtype="bfloat16")) == set()

    def test_unless_they_are_to_be_trained(self, parts):
        assert all(weight.is_contiguous() for weight in build_hooked(*parts, for_training=True).parameters())


class TestTheLayoutStays:
    def test_in_a_copy(self):
        assert copied(copy.deepcopy(build_hooked(*hooked_parts()))) == set()

    def test_in_another_dtype(self):
        model = build_hooked(*hooked_parts())
        model.to(torch.float64, print_details=False)
        assert copied(model) == set()

    def test_when_a_state_dict_is_loaded(self):
        model, other = build_hooked(*hooked_parts()), build_hooked(*hooked_parts(), for_training=True)
        with torch.no_grad():
            for weight in other.parameters():
                weight.mul_(1.25)
        model.load_state_dict(other.state_dict())
        assert copied(model) == set()
        assert torch.equal(logits(model), logits(other))

    def test_and_doing_it_twice_changes_nothing(self):
        model = build_hooked(*hooked_parts())
        strides = [weight.stride() for weight in model.parameters()]
        store_as_multiplied_(model)
        assert [weight.stride() for weight in model.parameters()] == strides


class TestSaving:
    def test_safetensors_refuses_the_layout_and_takes_contiguous_tensors(self, parts):
        weights = dict(build_hooked(*parts).named_parameters())
        with pytest.raises(ValueError, match="non contiguous"):
            save(weights)
        reloaded = load(save({name: weight.detach().contiguous() for name, weight in weights.items()}))
        assert all(torch.equal(reloaded[name], weight) for name, weight in weights.items())

    def test_a_bundle_holds_the_weights_of_the_model_it_was_written_from(self, parts, tmp_path):
        config, state_dict = parts
        halves = {name: value.half().float() for name, value in state_dict.items()}
        weights = dict(build_hooked(config, halves).named_parameters())
        write_bundled(tmp_path / "kept", config, weights)
        reloaded = read_bundle(tmp_path / "kept").state_dict
        assert reloaded.keys() == halves.keys()
        assert all(torch.equal(reloaded[name], value) for name, value in halves.items())

    def test_arrays_of_a_run_hold_them_too(self, parts):
        arrays = {name: weight.detach().numpy() for name, weight in build_hooked(*parts).named_parameters()}
        reloaded = decode_arrays(encode_arrays(arrays))
        assert all((reloaded[name] == array).all() for name, array in arrays.items())
