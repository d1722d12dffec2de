import shutil

import pytest
import torch

from interp_lab.hooks import read_only_hooks
from interp_lab.models import (
    build_hooked,
    identity_of,
    is_bridge,
    known_models,
    load,
    load_model,
    n_heads,
    n_key_value_heads,
)
from interp_lab.organisms.bundled import BundledModel, bundled_names
from interp_lab.organisms.compiled import compile_model, compiled_names
from tests.models.fixtures import hooked_parts, random_tokens, word_ids, word_tokenizer


@pytest.fixture
def bundled(tmp_path, monkeypatch):
    """A bundled model named `organism-test`, with a tokenizer."""
    config, state_dict = hooked_parts(attn_only=True)
    word_tokenizer().save_pretrained(tmp_path / "tokenizer")
    model = BundledModel("organism-test", config, state_dict, tmp_path / "tokenizer")
    monkeypatch.setattr("interp_lab.organisms.bundled.bundled_names", lambda: ("organism-test",))
    monkeypatch.setattr("interp_lab.organisms.bundled.read_bundled", {"organism-test": model}.__getitem__)
    return model


@pytest.fixture
def hub_calls(monkeypatch):
    """Records what would be fetched from the hub."""
    calls = []

    def fetch(official, **settings):
        calls.append((official, settings))
        return build_hooked(*hooked_parts())

    monkeypatch.setattr("interp_lab.models.load.load_from_hub", fetch)
    return calls


class TestCompiledModels:
    @pytest.mark.parametrize("name", compiled_names())
    @pytest.mark.parametrize("processing", ["raw", "folded"])
    def test_are_the_same_on_both_backends(self, name, processing):
        tokens = random_tokens() % 24
        hooked, bridge = (load_model(name, "cpu", processing=processing, backend=way) for way in ("hooked", "bridge"))
        with torch.no_grad():
            torch.testing.assert_close(bridge(tokens), hooked(tokens), atol=1e-5, rtol=0)
        assert is_bridge(bridge)
        assert read_only_hooks(bridge) == {}
        assert identity_of(bridge) == identity_of(hooked)
        assert (identity_of(hooked).name, str(identity_of(hooked).processing)) == (name, processing)

    def test_carry_the_weights_as_written_when_raw(self):
        name = compiled_names()[0]
        written = compile_model(name).state_dict
        loaded = dict(load_model(name, "cpu", processing="raw").named_parameters())
        assert all(torch.equal(loaded[key], weight) for key, weight in written.items())


class TestBundledModels:
    @pytest.mark.parametrize("backend", ["hooked", "bridge"])
    def test_come_with_tokenizer_and_identity(self, bundled, backend):
        model = load_model("organism-test", "cpu", backend=backend)
        assert model.to_tokens("the cat").tolist() == [[0, 4, 5]]
        assert identity_of(model).name == "organism-test"
        raw = build_hooked(bundled.config, bundled.state_dict)
        with torch.no_grad():
            expected = raw(word_ids()).log_softmax(-1)
            torch.testing.assert_close(model(word_ids()).log_softmax(-1), expected, atol=1e-5, rtol=0)

    @pytest.mark.parametrize("name", bundled_names())
    @pytest.mark.parametrize("backend", ["hooked", "bridge"])
    def test_that_ship_with_the_package_load(self, name, backend):
        model = load_model(name, "cpu", backend=backend)
        assert identity_of(model).name == name


class TestUntrainedModels:
    @pytest.mark.parametrize("backend", ["hooked", "bridge"])
    def test_have_the_shape_and_the_tokenizer_and_random_weights_by_a_seed(self, bundled, backend):
        trained = load_model("organism-test", "cpu", backend=backend)
        first, again, other = (
            load_model(name, "cpu", backend=backend)
            for name in ("untrained/organism-test", "untrained@0/organism-test", "untrained@1/organism-test")
        )
        tokens = word_ids()
        with torch.no_grad():
            assert torch.equal(first(tokens), again(tokens))
            assert not torch.allclose(first(tokens), other(tokens))
            assert first(tokens).shape == trained(tokens).shape
        assert first.to_tokens("the cat").tolist() == trained.to_tokens("the cat").tolist()
        assert identity_of(other).name == "untrained@1/organism-test"
        assert identity_of(other).processing == identity_of(trained).processing

    def test_of_an_unknown_model_there_is_none(self, bundled):
        with pytest.raises(ValueError, match="unknown model 'organism-tset'; did you mean 'organism-test'"):
            load_model("untrained/organism-tset", "cpu")


class TestWhereANameIsLookedUp:
    def test_bundled_names_come_before_directories(self, bundled, directories, tmp_path, monkeypatch):
        shutil.copytree(directories["gpt2"], tmp_path / "organism-test")
        monkeypatch.chdir(tmp_path)
        assert load_model("organism-test", "cpu").cfg.attn_only
        assert not load_model(tmp_path / "organism-test", "cpu").cfg.attn_only

    def test_directories_come_before_the_hub(self, directories, tmp_path, monkeypatch, hub_calls):
        shutil.copytree(directories["gpt2"], tmp_path / "gpt2")
        monkeypatch.chdir(tmp_path)
        assert identity_of(load_model("gpt2", "cpu")).d_model == 32
        assert hub_calls == []

    def test_a_home_directory_is_expanded(self, directories, tmp_path, monkeypatch):
        shutil.copytree(directories["gpt2"], tmp_path / "model")
        monkeypatch.setenv("HOME", str(tmp_path))
        assert identity_of(load_model("~/model", "cpu")).name == "~/model"

    @pytest.mark.parametrize("name", ["gpt2-small", "gpt2", "GPT2"])
    def test_aliases_come_down_to_one_hub_name(self, name, hub_calls):
        load_model(name, "cpu", processing="raw", dtype="bf16", backend="bridge")
        ((official, settings),) = hub_calls
        assert official == "gpt2"
        assert settings["name"] == name
        assert (settings["backend"], settings["device"], settings["dtype"]) == ("bridge", "cpu", torch.bfloat16)
        assert str(settings["processing"]) == "raw"

    def test_known_models_need_no_network(self, bundled):
        assert known_models() == {"bundled": ("organism-test",), "compiled": compiled_names()}


class TestWhatIsNoModel:
    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("organism-tset", "did you mean 'organism-test'"),
            ("compiled/inducton", "did you mean 'compiled/induction'"),
            ("gpt2-smal", "did you mean 'gpt2-small'"),
            ("EleutherAI/pythia-71m", "did you mean 'eleutherai/pythia-70m'"),
        ],
    )
    def test_an_unknown_name_gets_the_nearest(self, bundled, name, hint):
        with pytest.raises(ValueError, match=f"unknown model '{name}'; {hint}") as refusal:
            load_model(name)
        for listed in ("Bundled: organism-test", "compiled/induction", "from the hub", "or a directory with config"):
            assert listed in str(refusal.value)

    @pytest.mark.parametrize("name", ["t5-small", "bert-base-uncased"])
    def test_a_hub_model_that_is_no_decoder_is_unknown(self, name):
        with pytest.raises(ValueError, match="unknown model"):
            load_model(name)

    @pytest.mark.parametrize("path", ["./missing", "/no/such/place", "~/missing"])
    def test_a_path_that_does_not_exist_is_not_taken_for_a_name(self, path):
        with pytest.raises(ValueError, match=r"no model directory at .*(holds config\.json|does not exist either)"):
            load_model(path)

    def test_a_misspelt_path_gets_its_nearest_neighbour(self, directories):
        with pytest.raises(ValueError, match="did you mean 'tiny-gpt2'"):
            load_model(directories["gpt2"].parent / "tiny-gtp2")

    def test_an_unknown_backend(self):
        with pytest.raises(ValueError, match="unknown backend 'hook'; did you mean 'hooked'"):
            load.require_backend("hook")

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"dtype": "float8"}, "unknown dtype"),
            ({"device": "cdua"}, "device 'cdua' is not available"),
            ({"processing": "floded"}, "unknown weight processing 'floded'; did you mean 'folded'"),
        ],
        ids=["dtype", "device", "processing"],
    )
    def test_settings_are_checked_before_anything_is_read(self, wrong, message, tmp_path):
        with pytest.raises(ValueError, match=message):
            load_model(tmp_path, **wrong)


class TestShape:
    @pytest.mark.parametrize("backend", ["hooked", "bridge"])
    @pytest.mark.parametrize(("shape", "kv_heads"), [("gpt2", 4), ("llama", 2)], ids=["one to one", "grouped"])
    def test_heads_read_the_same_on_both_backends(self, directories, shape, kv_heads, backend):
        model = load_model(directories[shape], "cpu", backend=backend)
        assert (n_heads(model), n_key_value_heads(model)) == (4, kv_heads)
