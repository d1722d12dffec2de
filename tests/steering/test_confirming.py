"""A setting found on one fold is tested on the other, with the very direction that was made."""

import re

import numpy as np
import pytest

from interp_lab.config import ConfigError, RunRef
from interp_lab.directions import from_run
from interp_lab.hypotheses import OWN_RUN, with_own_run
from interp_lab.models import load_model
from interp_lab.registry import load_result
from interp_lab.steering.experiment import Steering
from tests.steering.small import small_config


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("steering") / "search"


@pytest.fixture(scope="module")
def searched(folder):
    return Steering(small_config(fold="search", n_held_out=None, coefficients=[-1.0, 0.5, 1.0])).run(run_dir=folder)


def stated(searched, folder, **values):
    return searched.config.overlaid({**with_own_run(searched.confirmation().config, folder), **values})


@pytest.fixture(scope="module")
def confirmed(searched, folder, tmp_path_factory):
    where = tmp_path_factory.mktemp("steering") / "test"
    return Steering(stated(searched, folder, fold="held_out", n_held_out=16)).run(run_dir=where)


def test_other_examples_make_the_very_same_sentences(searched, confirmed):
    found = searched.confirmation()
    assert found.config["made_in"]["run"] == OWN_RUN
    assert found.statements
    assert set(found.statements) == {claim.statement for claim in confirmed.claims()}
    assert set(found.statements) == set(found.components) == set(found.uncertain)
    assert not any(re.search(r"\d%|\d\.\d\d", statement) for statement in found.statements)


def test_only_what_is_stated_is_measured(searched, confirmed):
    assert len(confirmed.settings) == len(searched.leading) == len(confirmed.leading)
    named = {confirmed.named(setting) for setting in confirmed.leading.values()}
    assert named == set(searched.confirmation().config["chosen"].values())
    said = " ".join(one.title + one.suggests + one.does_not_show for one in confirmed.sections())
    assert "stated in advance" in said
    assert not any(words in said for words in ("that chose it", "chosen from", "moves it farthest"))


def test_the_direction_is_not_made_again(searched, confirmed):
    assert confirmed.lengths == searched.lengths


def test_on_the_same_examples_its_numbers_are_those_of_the_search(searched, folder):
    found = Steering(stated(searched, folder)).measure(load_model("organism"))
    for sign, setting in searched.leading.items():
        assert np.allclose(found.changes(found.leading[sign]), searched.changes(setting), atol=1e-5)
        one, other = (result.evidence[sign][0] for result in (found, searched))
        assert one.p_adjusted == pytest.approx(other.p_adjusted)


def test_it_comes_back_from_its_folder(searched, folder):
    again = load_result(folder)
    assert again.confirmation() == searched.confirmation()
    assert [row.name for row in again.components()] == ["direction of sentiment at 2"] * 2


def test_an_unknown_setting_is_refused_with_the_nearest():
    config = small_config(chosen={"positive": "add +1 mean_difference at 3, last"})
    with pytest.raises(
        ValueError, match=r"no such setting of the grid; did you mean 'add \+1 mean_difference at 2, last'"
    ):
        Steering(config).measure(load_model("organism"))


def test_a_setting_moves_to_one_side():
    with pytest.raises(ConfigError, match="for both sides"):
        small_config(chosen={"positive": "one", "negative": "one"})


def test_directions_of_a_run_that_steered_elsewhere_are_refused(searched, folder):
    assert from_run(RunRef(run=folder, artefact="mean_difference"), load_model("organism")).hooks
    config = small_config(layers=[1], made_in={"run": str(folder), "artefact": "directions"})
    with pytest.raises(ValueError, match=r"not at blocks\.1\.hook_resid_post"):
        Steering(config).measure(load_model("organism"))
