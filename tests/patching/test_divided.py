"""Sweeps made one by one, by whoever: the run of one process, bit by bit."""

import numpy as np
import pytest

from interp_lab.models import load_model
from interp_lab.patching import Patching, PatchingConfig
from interp_lab.patching.changes import PATCHES, TO_CHOOSE
from interp_lab.runs import RunError
from interp_lab.runs.parts import make_parts

CONFIG = PatchingConfig(
    model="compiled/induction", task="compiled/induction", sites=("resid_pre", "z"), n_pairs=24, n_held_out=None,
    sites_at_once=5, device="cpu",
)  # fmt: skip


@pytest.fixture(scope="module")
def model():
    return load_model("compiled/induction", "cpu")


@pytest.fixture(scope="module")
def made(model, tmp_path_factory):
    experiment = Patching(CONFIG)
    work = experiment.divided(model)
    parts = experiment.parts(work, model, tmp_path_factory.mktemp("parts"))
    for numbers in (range(1, work.n_parts, 2), range(0, work.n_parts, 2)):  # two processes, each every second one
        make_parts(experiment.divided(model), parts, numbers)
    return parts


def test_every_site_is_swept_once_for_each_patch_and_split(model):
    work = Patching(CONFIG).divided(model)
    swept = [(one.split, one.patch, site) for one in work.sweeps for site in one.sites]
    assert len(set(swept)) == len(swept) == (len(TO_CHOOSE) + len(PATCHES)) * work.n_sites
    assert max(len(one.sites) for one in work.sweeps) == 5


def test_joined_it_is_the_run_of_one_process(model, made):
    whole, joined = Patching(CONFIG).measure(model), Patching(CONFIG).of_parts(made).measure(model)
    assert whole.arrays().keys() == joined.arrays().keys()
    for name, value in whole.arrays().items():
        np.testing.assert_array_equal(value, joined.arrays()[name], err_msg=name)


def test_all_sites_at_once_give_the_same_but_for_rounding(model, made):
    whole = Patching(CONFIG.overlaid({"sites_at_once": None})).measure(model)
    joined = Patching(CONFIG).of_parts(made).measure(model)
    np.testing.assert_allclose(whole.report.changes, joined.report.changes, atol=1e-5)
    assert whole.chosen.tolist() == joined.chosen.tolist()


def test_joining_sweeps_nothing_but_the_chosen_sets(model, made, monkeypatch):
    monkeypatch.setattr("interp_lab.patching.divided.sweep", lambda *_, **__: pytest.fail("swept again"))
    Patching(CONFIG).of_parts(made).measure(model)


def test_a_missing_sweep_is_named(model, made, tmp_path):
    experiment = Patching(CONFIG)
    work = experiment.divided(model)
    parts = experiment.parts(work, model, tmp_path)
    make_parts(work, parts, range(work.n_parts - 1))
    with pytest.raises(RunError, match=f"part {work.n_parts - 1} of {work.n_parts} is not in"):
        experiment.of_parts(parts).measure(model)


def test_sweeps_of_other_pairs_are_not_joined(model, tmp_path):
    """Made without the fold of the config, say, or of a file that was changed since."""
    experiment = Patching(CONFIG.overlaid({"fold": "search"}))
    work = experiment.divided(model)
    parts = experiment.parts(work, model, tmp_path)
    make_parts(work, parts, [0])
    with pytest.raises(RunError, match="parts of other work"):
        experiment.of_parts(parts).measure(model)


def test_a_metric_of_ones_own_has_no_parts(model, made):
    with pytest.raises(ValueError, match="give no metric, no codecs"):
        Patching(CONFIG).of_parts(made).measure(model, metric=lambda model, pairs: pytest.fail("asked"))
