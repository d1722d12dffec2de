import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from interp_lab.identity import WeightProcessing
from interp_lab.models import identity_of, load_model
from tests.models.fixtures import (
    SHAPES,
    hugging_face_log_probs,
    hugging_face_model,
    random_tokens,
    save_directory,
    word_tokenizer,
)

BACKENDS = ("hooked", "bridge")


def divergence(model, directory):
    """The largest difference of a log-probability, in shares of the largest log-probability.

    In float32 it is 1e-6 at most, by a factor of three more or less from one processor to another.
    """
    tokens = random_tokens()
    with torch.no_grad():
        predicted, expected = model(tokens).log_softmax(-1), hugging_face_log_probs(directory, tokens)
    return ((predicted - expected).abs().max() / expected.abs().max()).item()


class TestADirectoryPredictsWhatHuggingFacePredicts:
    @pytest.mark.parametrize("backend", BACKENDS)
    @pytest.mark.parametrize("processing", ["folded", "raw"])
    @pytest.mark.parametrize("shape", SHAPES)
    def test_to_1e_5(self, directories, shape, processing, backend):
        model = load_model(directories[shape], "cpu", processing=processing, backend=backend)
        assert divergence(model, directories[shape]) < 1e-5
        assert not model.training

    @pytest.mark.parametrize("shape", SHAPES)
    def test_and_both_backends_hold_the_same_residual_stream(self, directories, shape):
        tokens, name = random_tokens(), "blocks.1.hook_resid_post"
        caches = [
            load_model(directories[shape], "cpu", backend=backend).run_with_cache(tokens, names_filter=name)[1][name]
            for backend in BACKENDS
        ]
        torch.testing.assert_close(*caches, atol=1e-4, rtol=1e-5)

    @pytest.mark.parametrize("backend", BACKENDS)
    def test_step_by_step(self, directories, backend):
        one_step = WeightProcessing(fold_ln=False, center_writing_weights=False, fold_value_biases=False)
        model = load_model(directories["gpt2"], "cpu", processing=one_step, backend=backend)
        assert divergence(model, directories["gpt2"]) < 1e-5
        with torch.no_grad():
            logits = model(random_tokens())
        torch.testing.assert_close(logits.mean(-1), torch.zeros(logits.shape[:2]), atol=1e-5, rtol=0)

    @pytest.mark.parametrize("backend", BACKENDS)
    def test_in_half_precision_up_to_rounding(self, directories, backend):
        model = load_model(directories["llama"], "cpu", dtype="bf16", processing="raw", backend=backend)
        assert model.cfg.dtype is torch.bfloat16
        assert next(iter(model.parameters())).dtype is torch.bfloat16
        assert divergence(model, directories["llama"]) < 0.05

    @pytest.mark.parametrize("backend", BACKENDS)
    def test_whatever_its_path_is_called(self, directories, tmp_path, backend):
        misleading = tmp_path / "llama-7b" / "gemma-2-bert-t5-wav2vec2"
        shutil.copytree(directories["gpt2"], misleading)
        assert divergence(load_model(str(misleading), "cpu", backend=backend), directories["gpt2"]) < 1e-5

    def test_although_transformers_5_leaves_out_n_ctx(self, directories):
        assert "n_ctx" not in json.loads((directories["gpt2"] / "config.json").read_text())
        assert load_model(directories["gpt2"], "cpu").cfg.n_ctx == 24

    def test_but_not_from_a_temporary_folder_that_transformer_lens_misreads(self, directories, tmp_path, monkeypatch):
        (tmp_path / "llama").mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "llama"))
        with pytest.raises(ValueError, match=r"contains 'llama'.*TMPDIR"):
            load_model(directories["gpt2"], "cpu")


class TestAConversionThatWouldBeSilentlyWrongIsRefused:
    """Every config here loads in TransformerLens 3.9 without a word and predicts something else."""

    @pytest.mark.parametrize(
        ("shape", "settings", "wrong", "right"),
        [
            ("llama", {"attention_bias": True}, "hooked", "bridge"),
            ("llama", {"rope_scaling": {"rope_type": "linear", "factor": 4.0}}, "hooked", "bridge"),
            ("gpt2", {"scale_attn_weights": False}, "bridge", "hooked"),
        ],
        ids=["attention biases", "linear rotary scaling", "unscaled attention"],
    )
    def test_and_the_other_backend_named(self, tmp_path, shape, settings, wrong, right):
        directory = save_directory(tmp_path / "odd", shape, **settings)
        with pytest.raises(ValueError, match=f"does not predict what the original predicts.*backend='{right}'"):
            load_model(directory, "cpu", backend=wrong)
        assert divergence(load_model(directory, "cpu", backend=right), directory) < 1e-5

    def test_and_so_is_a_config_that_the_converter_stumbles_over(self, tmp_path):
        directory = save_directory(tmp_path / "odd", "gpt2", n_inner=50)
        with pytest.raises(ValueError, match=r"GPT2LMHeadModel.*cannot convert.*backend='bridge'"):
            load_model(directory, "cpu")


class TestTokenizer:
    @pytest.mark.parametrize("backend", BACKENDS)
    def test_a_directory_without_one_reads_tokens_only(self, directories, backend):
        assert load_model(directories["gpt2"], "cpu", backend=backend).tokenizer is None

    @pytest.mark.parametrize("backend", BACKENDS)
    @pytest.mark.parametrize(
        ("shape", "bos", "expected"),
        [
            ("gpt2", True, [0, 4, 5]),
            ("llama", True, [0, 4, 5]),
            ("neox", True, [4, 5]),
            ("gpt2", False, [4, 5]),
        ],
        ids=["GPT-2 has one", "so has Llama", "NeoX was trained without", "the tokenizer defines none"],
    )
    def test_text_starts_with_bos_where_the_model_was_trained_so(self, tmp_path, shape, bos, expected, backend):
        directory = save_directory(tmp_path / "model", shape, tokenizer=word_tokenizer(bos=bos))
        model = load_model(directory, "cpu", backend=backend)
        assert model.to_tokens("the cat").tolist() == [expected]
        assert model.to_tokens("the cat", prepend_bos=False).tolist() == [[4, 5]]

    def test_pad_and_bos_stay_distinct(self, tmp_path):
        directory = save_directory(tmp_path / "model", "gpt2", tokenizer=word_tokenizer())
        tokenizer = load_model(directory, "cpu").tokenizer
        assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id) == (0, 1, 2)


class TestIdentity:
    @pytest.mark.parametrize("backend", BACKENDS)
    def test_says_where_it_came_from_and_what_was_done(self, directories, backend):
        identity = identity_of(load_model(str(directories["qwen2"]), "cpu", processing="raw", backend=backend))
        assert (identity.name, str(identity.processing)) == (str(directories["qwen2"]), "raw")
        assert (identity.n_layers, identity.d_model, identity.d_vocab) == (2, 32, 40)


class TestAPathThatIsNoModelDirectory:
    def test_a_file(self, directories):
        with pytest.raises(ValueError, match="is a file, not a model directory"):
            load_model(directories["gpt2"] / "config.json")

    def test_an_empty_directory(self, tmp_path):
        with pytest.raises(ValueError, match=r"it has no config\.json; give a directory that save_pretrained wrote"):
            load_model(tmp_path)

    def test_no_weights(self, directories, tmp_path):
        shutil.copy(directories["gpt2"] / "config.json", tmp_path)
        with pytest.raises(ValueError, match=r"it has no weights \(no model\.safetensors\)"):
            load_model(tmp_path)

    @pytest.mark.parametrize(
        ("config", "message"),
        [
            ('{"model_type": "gtp2"}', r"unknown architecture: model_type is 'gtp2'; did you mean 'gpt2'"),
            ("{}", "unknown architecture: model_type is None"),
            ("[1]", "unknown architecture: model_type is None"),
            ("{", "is not valid JSON"),
            ('{"model_type": "bert", "architectures": ["BertForMaskedLM"]}', "BertForMaskedLM, which is no causal"),
        ],
        ids=["misspelt", "absent", "a list", "broken", "a masked model"],
    )
    def test_an_architecture_that_is_none(self, directories, tmp_path, config, message):
        shutil.copy(directories["gpt2"] / "model.safetensors", tmp_path)
        (tmp_path / "config.json").write_text(config)
        with pytest.raises(ValueError, match=message):
            load_model(tmp_path)

    @pytest.mark.parametrize("backend", BACKENDS)
    def test_weights_that_are_incomplete(self, directories, tmp_path, backend):
        shutil.copytree(directories["llama"], tmp_path, dirs_exist_ok=True)
        weights = load_file(tmp_path / "model.safetensors")
        del weights["model.layers.1.mlp.up_proj.weight"]
        save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(ValueError, match=r"incomplete: model\.layers\.1\.mlp\.up_proj\.weight missing"):
            load_model(tmp_path, backend=backend)

    def test_a_step_that_the_architecture_does_not_admit_on_the_bridge(self, tmp_path):
        from transformers import Gemma2Config, Gemma2ForCausalLM

        plain = hugging_face_model("llama").config
        shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
        config = Gemma2Config(**shape, head_dim=8, intermediate_size=48, vocab_size=plain.vocab_size)
        Gemma2ForCausalLM(config).save_pretrained(tmp_path)
        with pytest.raises(ValueError, match="cannot apply center_unembed without changing") as refusal:
            load_model(tmp_path, "cpu", backend="bridge")
        allowed = str(refusal.value).split("processing='")[1].split("'")[0]
        assert str(identity_of(load_model(tmp_path, "cpu", backend="bridge", processing=allowed)).processing) == allowed
