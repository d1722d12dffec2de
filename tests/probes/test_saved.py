from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from interp_lab.experiment import provenance
from interp_lab.identity import ModelIdentity, WeightProcessing
from interp_lab.linear import LinearReadout
from interp_lab.probes.saved import TrainedProbe, load_probe
from interp_lab.types import Scorer

MODEL = ModelIdentity("organism", WeightProcessing(), 4, 3, 10)
HOOK = "blocks.1.hook_resid_post"


def probe(n_classes=2):
    weights = torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    shape = () if n_classes == 2 else (n_classes,)
    return TrainedProbe(
        label="grammar/truth/is_true",
        values=("False", "True", "maybe")[:n_classes],
        kind="ridge",
        sites=("0.hook_resid_post", "1.hook_resid_post"),
        hooks=("blocks.0.hook_resid_post", HOOK),
        readout=LinearReadout(weights.expand(*shape, 2, 3), torch.zeros(*shape, 2) + 0.5, tuple(range(n_classes))),
        model=MODEL,
        provenance=provenance("probes", MODEL, seed=0, device="cpu", dtype="float32"),
    )


def scores(found, activations=None, **changed):
    given = {"site": "1.hook_resid_post", "model": MODEL, "hook": HOOK} | changed
    return found.scores(torch.tensor([[1.0, 1.0, 1.0]]) if activations is None else activations, **given)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_what_is_saved_is_read_again(tmp_path, n_classes):
    own = probe(n_classes)
    own.save(tmp_path / "truth.safetensors")
    again = load_probe(tmp_path / "truth.safetensors")
    assert replace(again, readout=own.readout) == own
    assert torch.equal(scores(again), scores(own))
    assert again.provenance.model == MODEL


def test_scores_by_hand():
    assert scores(probe()).tolist() == [2.5]
    assert scores(probe(3)).tolist() == [[2.5]] * 3


def test_the_direction_is_that_of_its_site_and_knows_its_model():
    direction = probe().direction("1.hook_resid_post")
    assert direction.vector.tolist() == [0.0, 2.0, 0.0]
    assert (direction.hook, direction.model, direction.method) == (
        HOOK, MODEL, "ridge probe of grammar/truth/is_true (True)",
    )  # fmt: skip


def test_it_scores_tokens():
    scorer = probe().scorer("1.hook_resid_post")
    assert isinstance(scorer, Scorer)
    assert scorer(torch.ones(2, 4, 3)).tolist() == [[2.5] * 4] * 2


class TestRefusals:
    @pytest.mark.parametrize(
        ("changed", "told"),
        [
            (
                {"model": replace(MODEL, name="gpt2")},
                "does not belong to this model.*name: organism, not the model's gpt2",
            ),
            (
                {"model": replace(MODEL, processing=WeightProcessing.named("raw"))},
                "processing: folded, not the model's raw.*load the model with processing='folded'",
            ),
            (
                {"hook": "blocks.0.hook_resid_post"},
                "was fitted at 'blocks.1.hook_resid_post', and these activations are",
            ),
            ({"site": "2.hook_resid_post"}, "was not fitted at '2.hook_resid_post'; did you mean"),
            ({"activations": torch.tensor([[1.0, float("nan"), 1.0]])}, "hold NaN or inf"),
        ],
        ids=["model", "processing", "hook", "site", "NaN"],
    )
    def test_activations_of_something_else(self, changed, told):
        with pytest.raises(ValueError, match=told):
            scores(probe(), **changed)

    def test_three_classes_have_no_direction(self):
        with pytest.raises(ValueError, match="3 classes and no one direction"):
            probe(3).direction("1.hook_resid_post")

    def test_files_that_are_no_probe(self, tmp_path):
        (tmp_path / "text").write_text("hello")
        with pytest.raises(ValueError, match="is no readable probe"):
            load_probe(tmp_path / "text")
        with pytest.raises(ValueError, match="is no readable probe"):
            load_probe(tmp_path / "missing")
        save_file({"weights": torch.zeros(2)}, tmp_path / "other")
        with pytest.raises(ValueError, match="is no probe: its format is"):
            load_probe(tmp_path / "other")
