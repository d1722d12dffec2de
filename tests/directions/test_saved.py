import json
import math

import pytest
import torch
from safetensors.torch import save_file

from interp_lab.directions import Directions, directions_of, load_directions, provenance_of, save_directions
from interp_lab.experiment import provenance
from interp_lab.identity import ModelIdentity, WeightProcessing
from interp_lab.runs.tensors import TensorFileError
from tests.directions.planted import MODEL, directions, drawn


def same(one: Directions, other: Directions) -> bool:
    parts = ("hooks", "model", "method", "name", "about")
    equal = all(getattr(one, part) == getattr(other, part) for part in parts)
    return equal and torch.equal(one.vectors, other.vectors) and one.vectors.dtype == other.vectors.dtype


@pytest.mark.parametrize("method", ["mean_difference", "pca"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_what_is_saved_is_read_again_bit_by_bit(tmp_path, method, dtype):
    own = directions_of(drawn(), method)
    own = Directions(own.vectors.to(dtype) / 3, own.hooks, own.model, own.method, own.name, own.about)
    save_directions(own, tmp_path / "own.safetensors")
    again = load_directions(tmp_path / "own.safetensors")
    assert same(again, own)
    save_directions(again, tmp_path / "again.safetensors", made=provenance_of(tmp_path / "own.safetensors"))
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "own.safetensors").read_bytes()


def test_the_processing_of_the_weights_is_kept(tmp_path):
    raw = ModelIdentity("tiny", WeightProcessing.named("raw"), 4, 3, 10)
    save_directions(directions([[1.0, 0.0, 0.0]], model=raw), tmp_path / "raw.safetensors")
    assert str(load_directions(tmp_path / "raw.safetensors").model.processing) == "raw"


def test_where_they_came_from_is_kept(tmp_path):
    own, path = directions([[1.0, 0.0, 0.0]], about={"seed": 5}), tmp_path / "own.safetensors"
    save_directions(own, path)
    assert (provenance_of(path).seed, provenance_of(path).model, provenance_of(path).dtype) == (5, MODEL, "float32")
    assert "torch" in provenance_of(path).versions
    made = provenance("steering", MODEL, seed=7, device="cpu", dtype="float32")
    save_directions(own, path, made=made)
    assert provenance_of(path) == made


def test_provenance_of_another_model_is_refused(tmp_path):
    other = provenance("steering", ModelIdentity("other", WeightProcessing(), 4, 3, 10), seed=0, device="cpu", dtype="")
    with pytest.raises(ValueError, match="the provenance of 'written' does not belong to this model"):
        save_directions(directions([[1.0, 0.0, 0.0]]), tmp_path / "own.safetensors", made=other)


def test_what_json_has_no_form_for_is_refused(tmp_path):
    with pytest.raises(ValueError, match="what is known about 'written' cannot be written"):
        save_directions(directions([[1.0, 0.0, 0.0]], about={"model": object()}), tmp_path / "own.safetensors")
    assert not list(tmp_path.iterdir())


def header(**changes):
    plain = {
        "hooks": ["blocks.0.hook_resid_post"], "method": "m", "name": "n", "about": {}, "model": MODEL.as_dict(),
    }  # fmt: skip
    given = {"format": "interp_lab directions 1", "directions": json.dumps(plain), "provenance": "{}"}
    return {name: value for name, value in {**given, **changes}.items() if value is not None}


VECTORS = {"vectors": torch.ones(1, 3)}


@pytest.mark.parametrize(
    ("tensors", "told", "message"),
    [
        (VECTORS, header(format="interp_lab probe 1"), "is no directions file: its format is 'interp_lab probe 1'"),
        (VECTORS, header(directions=None), "does not say its directions"),
        (VECTORS, header(directions="{"), "does not say its directions"),
        (VECTORS, header(directions="{}"), "does not say all of its directions"),
        (VECTORS, header(directions="[1]"), "does not say its directions"),
        ({"other": torch.ones(1, 3)}, header(), "holds no vectors"),
    ],
    ids=["a probe", "no directions", "damaged", "no model", "a list", "no vectors"],
)
def test_other_files_are_refused_by_name(tmp_path, tensors, told, message):
    path = tmp_path / "foreign.safetensors"
    save_file(tensors, path, told)
    with pytest.raises(TensorFileError, match=f"foreign.safetensors .*{message}|foreign.safetensors {message}"):
        load_directions(path)


def test_damaged_vectors_are_refused(tmp_path):
    path = tmp_path / "foreign.safetensors"
    save_file({"vectors": torch.tensor([[1.0, math.nan, 0.0]])}, path, header())
    with pytest.raises(ValueError, match="holds NaN or inf"):
        load_directions(path)


@pytest.mark.parametrize("content", [None, b"", b"\0" * 20], ids=["missing", "empty", "zeros"])
def test_files_that_cannot_be_read(tmp_path, content):
    path = tmp_path / "foreign.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TensorFileError, match=r"no readable directions file.*save_directions"):
        load_directions(path)
