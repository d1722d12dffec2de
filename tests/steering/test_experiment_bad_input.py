from dataclasses import replace

import pytest
import torch

from interp_lab.config import RunRef
from interp_lab.directions import Directions
from interp_lab.identity import WeightProcessing
from interp_lab.models import identity_of, load_model
from interp_lab.steering.experiment import Steering
from tests.steering.small import small_config

HOOK = "blocks.2.hook_resid_post"


@pytest.fixture(scope="module")
def model():
    return load_model("organism", "cpu")


def steered_by(model, *, width=128, hook=HOOK, **identity):
    own = Directions(torch.ones(1, width), (hook,), replace(identity_of(model), **identity), "own", "own")
    return Steering(small_config(methods=[])).measure(model, directions={"own": own})


def test_layer_out_of_range(model):
    with pytest.raises(ValueError, match="layer 9 of 9 is out of range: the model has layers 0 to 3"):
        Steering(small_config(layers=[9])).measure(model)


def test_no_direction_at_all(model):
    with pytest.raises(ValueError, match="nothing to steer with"):
        Steering(small_config(methods=[])).measure(model)


def test_direction_of_another_model(model):
    with pytest.raises(ValueError, match=r"does not belong to this model \(name: gpt2"):
        steered_by(model, name="gpt2")


def test_direction_of_another_weight_processing(model):
    with pytest.raises(ValueError, match="load the model with processing='raw'"):
        steered_by(model, processing=WeightProcessing.named("raw"))


def test_direction_of_another_width(model):
    with pytest.raises(ValueError, match=r"have 64 entries, and activations at blocks\.2\.hook_resid_post have 128"):
        steered_by(model, width=64)


def test_direction_of_a_hook_point_that_is_not_there(model):
    with pytest.raises(ValueError, match=r"blocks\.7\.hook_resid_post"):
        steered_by(model, hook="blocks.7.hook_resid_post")


def test_run_that_is_not_there(model, tmp_path):
    reference = RunRef(run=tmp_path / "nothing", artefact="x")
    with pytest.raises(ValueError, match="nothing"):
        Steering(small_config(directions=[reference.as_dict()])).measure(model)


def test_unknown_trait(model):
    with pytest.raises(ValueError, match="unknown trait 'sentimant'; did you mean 'sentiment'"):
        Steering(small_config(trait="sentimant")).measure(model)


def test_unknown_capability(model):
    with pytest.raises(ValueError, match="fact"):
        Steering(small_config(capabilities=["fects"])).measure(model)


def test_more_continuations_than_openings_are_refused_before_anything_is_measured(model):
    with pytest.raises(ValueError, match=r"generated\.n_prompts=24, and .* have 1\d different openings"):
        Steering(small_config(generated={})).measure(model)


def test_file_without_reserved_lines(model, tmp_path):
    path = tmp_path / "own.jsonl"
    line = '{{"prompt": "the {0} was", "positive": " good", "negative": " bad"}}'
    path.write_text("\n".join(line.format(word) for word in ("film", "meal", "room")))
    with pytest.raises(ValueError, match="holds 3 ordinary lines"):
        Steering(small_config(trait=str(path))).measure(model)


def test_refused_run_leaves_its_folder_free(tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(ValueError, match="out of range"):
        Steering(small_config(layers=[9])).run(run_dir=folder)
    Steering(small_config(capabilities=[], n_held_out=None, coefficients=[1.0])).run(run_dir=folder)
    assert (folder / "directions" / "mean_difference.safetensors").is_file()
