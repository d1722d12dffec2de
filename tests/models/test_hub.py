import socket
import time

import pytest
import torch

from interp_lab.identity import WeightProcessing
from interp_lab.models import build_hooked, hub, identity_of, load_model
from tests.models.fixtures import hooked_parts, word_tokenizer


@pytest.fixture
def fetched(monkeypatch):
    """Stands in for the download: records how TransformerLens is called, returns a small model."""
    calls = []

    def from_pretrained(official, **settings):
        calls.append((official, settings))
        model = build_hooked(*hooked_parts(output_logits_soft_cap=5.0), tokenizer=word_tokenizer())
        model.cfg.default_prepend_bos = True
        return model

    monkeypatch.setattr("transformer_lens.HookedTransformer.from_pretrained", from_pretrained)
    return calls


class TestHubNames:
    def test_are_loaded_by_transformer_lens_with_the_processing_spelt_out(self, fetched):
        model = load_model("gpt2-small", "cpu", dtype="bf16", processing="fold_ln+center_unembed")
        ((official, settings),) = fetched
        assert official.endswith("gpt2")
        assert settings == {
            "device": "cpu",
            "dtype": torch.bfloat16,
            "fold_ln": True,
            "center_writing_weights": False,
            "center_unembed": True,
            "fold_value_biases": False,
        }
        assert identity_of(model).name == "gpt2-small"
        assert identity_of(model).processing == WeightProcessing(True, False, False, False)  # the cap forbids centring
        assert not model.training

    def test_are_booted_on_the_bridge_and_processed_there(self, directories, monkeypatch):
        raw = load_model(directories["gpt2"], "cpu", processing="raw")

        def boot(official, *, device, dtype):
            from transformer_lens.model_bridge.sources import build_bridge_from_module
            from transformers import AutoModelForCausalLM

            original = AutoModelForCausalLM.from_pretrained(directories["gpt2"], attn_implementation="eager")
            return build_bridge_from_module(original, "GPT2LMHeadModel", hf_config=original.config)

        monkeypatch.setattr("transformer_lens.model_bridge.TransformerBridge.boot_transformers", boot)
        model = load_model("gpt2-small", "cpu", backend="bridge")
        tokens = torch.arange(9)[None]
        with torch.no_grad():
            expected = raw(tokens).log_softmax(-1)
            torch.testing.assert_close(model(tokens).log_softmax(-1), expected, atol=1e-5, rtol=0)
        assert torch.allclose(model.W_U.mean(-1), torch.zeros(32), atol=1e-5)

    @pytest.mark.parametrize(("bos", "expected"), [(True, [[0, 4, 5]]), (False, [[4, 5]])], ids=["defined", "absent"])
    def test_prepend_bos_only_if_the_tokenizer_defines_one(self, fetched, monkeypatch, bos, expected):
        model = load_model("gpt2-small", "cpu")
        if not bos:
            del model.tokenizer.init_kwargs["bos_token"]
        hub._settle(model)
        assert model.to_tokens("the cat").tolist() == expected


class TestWithoutANetwork:
    def test_the_error_comes_at_once_and_says_what_to_do(self, monkeypatch):
        def unreachable(address, timeout):
            assert timeout < 5
            raise OSError("Network is unreachable")

        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setattr("urllib.request.getproxies", dict)
        monkeypatch.setattr(socket, "create_connection", unreachable)
        with pytest.raises(ValueError, match=r"cannot reach https://.* to fetch 'gpt2-small'.*save_pretrained"):
            load_model("gpt2-small", "cpu")

    @pytest.mark.parametrize("backend", ["hooked", "bridge"])
    def test_and_in_offline_mode_what_is_not_cached_fails_at_once_too(self, backend, tmp_path, monkeypatch):
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
        begun = time.monotonic()
        with pytest.raises(ValueError, match=r"could not fetch 'pythia-70m' \(EleutherAI/pythia-70m\).*that directory"):
            load_model("pythia-70m", "cpu", backend=backend)
        assert time.monotonic() - begun < 10
