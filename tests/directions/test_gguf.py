"""Control vectors as repeng writes and reads them; `repeng.gguf` was written by it, see `record_repeng.py`."""

import struct
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from interp_lab.directions import from_gguf, to_gguf
from interp_lab.directions.gguf_file import read_gguf, write_gguf
from interp_lab.identity import WeightProcessing
from interp_lab.runs.tensors import TensorFileError
from tests.directions.planted import HOOKS, MODEL, directions

RECORDED = Path(__file__).with_name("repeng.gguf")
VECTORS = {2: [0.5, -1.25, 3.0], 1: [1e-3, 0.1, -7.0]}
RAW = replace(MODEL, processing=WeightProcessing.named("raw"))


class TestContainer:
    def test_reads_what_the_package_gguf_wrote(self):
        fields, tensors = read_gguf(RECORDED)
        assert fields == {
            "general.architecture": "controlvector",
            "controlvector.model_hint": "tiny",
            "controlvector.layer_count": 2,
        }
        assert {name: tensor.tolist() for name, tensor in tensors.items()} == {
            f"direction.{layer}": torch.tensor(vector).tolist() for layer, vector in VECTORS.items()
        }

    def test_writes_the_same_bytes_as_the_package_gguf(self, tmp_path):
        fields = {"general.architecture": "controlvector", "controlvector.model_hint": "tiny"}
        tensors = {f"direction.{layer}": torch.tensor(vector) for layer, vector in VECTORS.items()}
        write_gguf(tmp_path / "ours.gguf", {**fields, "controlvector.layer_count": 2}, tensors)
        assert (tmp_path / "ours.gguf").read_bytes() == RECORDED.read_bytes()

    @pytest.mark.parametrize("n", [1, 7, 8, 9, 100])
    def test_vectors_of_any_length_come_back_bit_by_bit(self, tmp_path, n):
        tensors = {
            name: torch.randn(shape, generator=torch.Generator().manual_seed(n))
            for name, shape in (("a", (n,)), ("b", (2, n)), ("c", ()))
        }
        write_gguf(tmp_path / "x.gguf", {"größe": "ein Wörtchen"}, tensors)
        fields, again = read_gguf(tmp_path / "x.gguf")
        assert fields == {"größe": "ein Wörtchen"}
        assert all(torch.equal(again[name], tensor) for name, tensor in tensors.items())

    def test_reads_every_kind_of_field_and_other_alignments(self, tmp_path):
        kinds = {
            0: ("B", 7), 1: ("b", -7), 2: ("H", 7), 3: ("h", -7), 5: ("i", -7), 6: ("f", 0.5), 7: ("?", True),
            10: ("Q", 7), 11: ("q", -7), 12: ("d", 0.1),
        }  # fmt: skip
        path, body = tmp_path / "x.gguf", b""
        for kind, (letter, value) in kinds.items():
            body += struct.pack(f"<Q2sI{letter}", 2, f"{kind:02}".encode(), kind, value)
        body += struct.pack("<Q4sIIQ2h", 4, b"list", 9, 3, 2, -1, 5)
        body += struct.pack("<Q17sII", 17, b"general.alignment", 4, 64)
        body += struct.pack("<Q1sIQIQ", 1, b"v", 1, 2, 1, 64)  # two float16, one alignment into the data
        head = b"GGUF" + struct.pack("<IQQ", 3, 1, len(kinds) + 2)
        data = head + body
        data += b"\0" * (-len(data) % 64) + b"\1" * 64 + struct.pack("<2e", 1.5, -2.0)
        path.write_bytes(data)
        fields, tensors = read_gguf(path)
        assert tensors["v"].tolist() == [1.5, -2.0]
        assert fields["list"] == [-1, 5]
        assert all(fields[f"{kind:02}"] == value for kind, (_, value) in kinds.items())

    @pytest.mark.parametrize("length", [0, 3, 10, 40, 60, 120, 200, 260, -1])
    def test_a_file_that_is_cut_off_is_refused_wherever_it_ends(self, tmp_path, length):
        path, whole = tmp_path / "cut.gguf", RECORDED.read_bytes()
        path.write_bytes(whole[: len(whole) - 21 if length < 0 else length])
        with pytest.raises(TensorFileError, match=r"cut\.gguf is no GGUF file"):
            read_gguf(path)

    @pytest.mark.parametrize(
        ("at", "value", "message"),
        [
            (0, b"GGML", "does not begin with GGUF"),
            (4, struct.pack("<I", 9), "version is 9"),
            (8, b"\xff" * 8, r"requires|goes on"),
        ],
        ids=["another format", "another version", "absurd counts"],
    )
    def test_a_damaged_header_is_refused(self, tmp_path, at, value, message):
        path, whole = tmp_path / "damaged.gguf", RECORDED.read_bytes()
        path.write_bytes(whole[:at] + value + whole[at + len(value) :])
        with pytest.raises(TensorFileError, match=message):
            read_gguf(path)

    def test_quantised_tensors_are_refused_by_name(self, tmp_path):
        whole = RECORDED.read_bytes()
        described = whole.index(b"direction.2") + len(b"direction.2") + 4 + 8
        path = tmp_path / "quantised.gguf"
        path.write_bytes(whole[:described] + struct.pack("<I", 8) + whole[described + 4 :])
        with pytest.raises(TensorFileError, match=r"'direction.2' is quantised"):
            read_gguf(path)


class TestControlVectors:
    def test_repengs_layer_n_is_the_output_of_our_layer_n(self):
        found = from_gguf(RECORDED, model=RAW)
        assert found.hooks == ("blocks.1.hook_resid_post", "blocks.2.hook_resid_post")
        assert found.at("blocks.2.hook_resid_post").vector.tolist() == VECTORS[2]
        assert (found.model, found.name, found.about["model_hint"]) == (RAW, "repeng", "tiny")
        assert from_gguf(RECORDED, model=RAW, hooks=["blocks.2.hook_resid_post"]).hooks == ("blocks.2.hook_resid_post",)

    def test_round_trip_bit_by_bit_with_all_that_is_known(self, tmp_path):
        own = directions([[1 / 3, -2.0, 1e-7], [0.1, 0.2, 0.3]], about={"contrast": "x", "n": [1, 2]})
        to_gguf(own, tmp_path / "own.gguf")
        again = from_gguf(tmp_path / "own.gguf", model=MODEL)
        assert replace(again, vectors=own.vectors) == own
        assert torch.equal(again.vectors, own.vectors)

    def test_the_hint_is_the_models_name_or_what_is_given(self, tmp_path):
        for hint, written in ((None, "tiny"), ("llama", "llama")):
            to_gguf(directions([[1.0, 0.0, 0.0]]), tmp_path / "own.gguf", model_hint=hint)
            assert read_gguf(tmp_path / "own.gguf")[0]["controlvector.model_hint"] == written

    def test_vectors_of_unprocessed_weights_are_refused_for_centred_ones(self):
        with pytest.raises(ValueError, match=r"centres what is written.*load it with processing='raw'"):
            from_gguf(RECORDED, model=MODEL)

    def test_our_own_know_their_model(self, tmp_path):
        to_gguf(directions([[1.0, 0.0, 0.0]]), tmp_path / "own.gguf")
        with pytest.raises(ValueError, match=r"own.gguf does not belong to this model \(processing"):
            from_gguf(tmp_path / "own.gguf", model=RAW)

    @pytest.mark.parametrize(
        "model", [replace(RAW, n_layers=2), replace(RAW, d_model=4)], ids=["too few layers", "another width"]
    )
    def test_another_shape_of_model_is_refused(self, model):
        with pytest.raises(TensorFileError, match=r"vectors of shape \[\(3,\)\] for layers \[1, 2\]"):
            from_gguf(RECORDED, model=model)

    def test_other_hook_points_have_no_place_in_the_layout(self, tmp_path):
        own = directions([[1.0, 0.0, 0.0]], hooks=("blocks.0.hook_resid_pre",))
        with pytest.raises(ValueError, match=r"acts on the output of layers.*'blocks.0.hook_resid_pre'"):
            to_gguf(own, tmp_path / "own.gguf")
        with pytest.raises(ValueError, match="have none at"):
            from_gguf(RECORDED, model=RAW, hooks=HOOKS[:1])

    @pytest.mark.parametrize(
        ("fields", "names"),
        [
            ({"general.architecture": "llama", "controlvector.model_hint": "x"}, ["direction.1"]),
            ({"general.architecture": "controlvector"}, ["direction.1"]),
            ({"general.architecture": "controlvector", "controlvector.model_hint": "x"}, ["direction.one"]),
        ],
        ids=["a model", "no hint", "no directions"],
    )
    def test_files_of_something_else_are_refused(self, tmp_path, fields, names):
        write_gguf(tmp_path / "x.gguf", fields, {name: torch.ones(3) for name in names})
        with pytest.raises(TensorFileError, match=r"is no control vector|holds vectors of shape"):
            from_gguf(tmp_path / "x.gguf", model=RAW)

    def test_a_missing_file(self, tmp_path):
        with pytest.raises(TensorFileError, match="cannot be read"):
            from_gguf(tmp_path / "none.gguf", model=RAW)
