"""A direction of another run, steered with in one fold: from config to provenance."""

import pytest

from interp_lab.config import RunRef
from interp_lab.folds import FoldError
from interp_lab.models import identity_of, load_model
from interp_lab.steering import Steering
from tests.directions.planted import directions
from tests.steering.small import small_config

SMALLEST = {"n_held_out": None, "capabilities": [], "coefficients": [1.0], "n_orthogonal": 2, "n_contrast": 16}


@pytest.fixture(scope="module")
def made_in(tmp_path_factory):
    """Makes a direction by a run in a fold; returns its name, as a config has it."""
    root = tmp_path_factory.mktemp("runs")

    def make(fold):
        if not (root / fold).is_dir():
            Steering(small_config(**SMALLEST, fold=fold)).run(run_dir=root / fold)
        return RunRef(run=root / fold, artefact="mean_difference").as_dict()

    return make


@pytest.mark.parametrize("fold", ["held_out", "search"])
def test_of_all_examples_is_refused_in_either_fold(made_in, tmp_path, fold):
    config = small_config(**SMALLEST, fold=fold, methods=[], directions=[made_in("all")])
    said = rf"artefact 'mean_difference' of the run in .*all was made in fold 'all', and fold '{fold}' is in force"
    with pytest.raises(FoldError, match=said):
        Steering(config).run(run_dir=tmp_path / "run")
    assert not list((tmp_path / "run").iterdir())  # free for the corrected call


def test_of_the_search_is_measured_on_what_it_never_read(made_in, tmp_path):
    config = small_config(**SMALLEST, fold="held_out", methods=[], directions=[made_in("search")])
    found = Steering(config).run(run_dir=tmp_path / "run")
    assert found.plan.directions == ("search/mean_difference",)
    assert (found.provenance.fold, found.provenance.beyond_fold) == ("held_out", ())


def test_one_that_is_given_in_memory_is_said_in_provenance():
    model = load_model("organism", device="cpu")
    own = directions([[1.0] + [0.0] * 127], hooks=("blocks.2.hook_resid_post",), model=identity_of(model))
    found = Steering(small_config(**SMALLEST, fold="search", methods=[])).measure(model, directions={"mine": own})
    assert found.provenance.beyond_fold == ("the direction 'mine', given in memory",)
