"""Models in the package: read whole, in half precision, by their right name."""

import json
import math

import pytest
import torch
from safetensors.torch import load_file

from interp_lab.organisms.bundled import WEIGHTS, bundled_names, read_bundle, read_bundled, write_bundled

CONFIG = {"n_layers": 1, "d_model": 4, "d_vocab": 11, "seed": 3, "device": "cpu", "dtype": "float32", "d_mlp": None}


class TestWriteBundled:
    def test_round_trip_is_the_nearest_half_precision_number(self, tmp_path):
        weights = {"embed.W_E": torch.tensor([1.0, 1 + 2**-12, math.pi])}
        write_bundled(tmp_path / "tiny", CONFIG, weights)
        found = read_bundle(tmp_path / "tiny").state_dict["embed.W_E"]
        assert found.dtype == torch.float32
        assert found.tolist() == [1.0, 1.0, 3.140625]  # eleven bits of precision

    def test_a_second_round_trip_changes_nothing(self, tmp_path):
        weights = {"embed.W_E": torch.randn(20, 4, generator=torch.Generator().manual_seed(0))}
        write_bundled(tmp_path / "once", CONFIG, weights)
        once = read_bundle(tmp_path / "once").state_dict
        write_bundled(tmp_path / "twice", CONFIG, once)
        assert torch.equal(read_bundle(tmp_path / "twice").state_dict["embed.W_E"], once["embed.W_E"])

    def test_leaves_out_what_the_builder_decides(self, tmp_path):
        write_bundled(tmp_path / "tiny", CONFIG, {"embed.W_E": torch.zeros(2)})
        assert read_bundle(tmp_path / "tiny").config == {"n_layers": 1, "d_model": 4, "d_vocab": 11}

    def test_leaves_nothing_unfinished_behind(self, tmp_path):
        write_bundled(tmp_path / "tiny", CONFIG, {"embed.W_E": torch.zeros(2)})
        assert sorted(path.name for path in (tmp_path / "tiny").iterdir()) == ["config.json", "model.safetensors"]

    @pytest.mark.parametrize("value", [math.nan, math.inf, 70_000.0])
    def test_refuses_what_half_precision_cannot_hold(self, tmp_path, value):
        with pytest.raises(ValueError, match=r"embed\.W_E: NaN, inf or a magnitude above 65504"):
            write_bundled(tmp_path, CONFIG, {"embed.W_E": torch.tensor([1.0, value])})

    def test_refuses_a_config_that_is_not_data(self, tmp_path):
        with pytest.raises(ValueError, match="must be plain data"):
            write_bundled(tmp_path, CONFIG | {"act_fn": print}, {})


class TestReadBundled:
    def test_names_are_the_folders_of_the_package(self):
        assert "organism-attn" in bundled_names()
        assert bundled_names() == tuple(sorted(bundled_names()))

    def test_an_unknown_name_brings_up_the_nearest(self):
        with pytest.raises(ValueError, match="no bundled model 'organism-atn'; did you mean 'organism-attn'"):
            read_bundled("organism-atn")

    def test_a_folder_without_weights_says_what_is_missing(self, tmp_path):
        (tmp_path / "config.json").write_text("{}")
        with pytest.raises(ValueError, match=r"holds no bundled model \(model\.safetensors missing\)"):
            read_bundle(tmp_path)

    def test_a_tokenizer_folder_is_found_if_there_is_one(self, tmp_path):
        write_bundled(tmp_path, CONFIG, {})
        assert read_bundle(tmp_path).tokenizer_dir is None
        (tmp_path / "tokenizer").mkdir()
        assert read_bundle(tmp_path).tokenizer_dir == tmp_path / "tokenizer"


class TestOrganismAttn:
    def test_is_two_layers_of_attention_only(self):
        config = read_bundled("organism-attn").config
        assert config["n_layers"] == 2
        assert config["attn_only"] is True
        assert config["positional_embedding_type"] == "standard"
        assert config["d_vocab"] == 181

    def test_is_stored_in_half_precision_and_small(self):
        path = WEIGHTS / "organism-attn" / "model.safetensors"
        assert {value.dtype for value in load_file(path).values()} == {torch.float16}
        assert path.stat().st_size < 1_000_000

    def test_config_is_json_without_settings_of_the_machine(self):
        config = json.loads((WEIGHTS / "organism-attn" / "config.json").read_text("utf-8"))
        assert not {"seed", "device", "dtype"} & config.keys()
