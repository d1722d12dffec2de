"""Activations as an experiment: undivided and of parts the same run, found again by who names the same root."""

from copy import deepcopy

import numpy as np
import pytest
import torch

from interp_lab.registry import load_result
from interp_lab.runs import RunError
from interp_lab.runs.parts import make_parts
from interp_lab.sae.activations import find_or_write_store, open_store, write_store
from interp_lab.sae.activations.divided import DividedStore
from interp_lab.sae.activations.manifest import describe
from interp_lab.sae.extraction import Extraction, ExtractionConfig
from tests.sae.activations.small import MLP, RESID, config, files, model


def asked(**changes):
    return ExtractionConfig(model="organism", device="cpu", activations=config(hooks=(RESID, MLP)), **changes)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "one"
    return Extraction(asked()).run(run_dir=folder), folder


def test_the_store_is_what_write_store_writes(run, tmp_path):
    write_store(model(), asked().activations, folder=tmp_path / "store")
    assert files(run[1] / "activations") == files(tmp_path / "store")


def test_lengths_are_means_of_documents(run):
    result, folder = run
    store = open_store(folder / "activations")
    labels = store.labels(np.arange(store.n_rows))
    lengths = store.activations(MLP, np.arange(store.n_rows)).norm(dim=1).numpy()
    first = labels.documents.numpy() == labels.documents.numpy()[0]
    assert result.norms[1, 0] == pytest.approx(lengths[first].mean())
    assert result.n_rows.sum() == 1000
    assert result.metrics()["n_rows"] == 1000


def test_the_result_is_read_back(run):
    again = load_result(run[1])
    assert again.tables()["hooks"].equals(run[0].tables()["hooks"])
    assert again.sections()[0].causal is False
    assert "1,000 tokens" in again.summary()


def test_of_parts_it_is_the_same_run(run, tmp_path):
    experiment = Extraction(asked())
    work = experiment.divided(model())
    parts = experiment.parts(work, model(), tmp_path / "parts")
    for number in reversed(range(work.n_parts)):
        make_parts(work, parts, [number])
    experiment.of_parts(parts).run(run_dir=tmp_path / "joined")
    for name in ("activations", "tables"):
        assert files(tmp_path / "joined" / name) == files(run[1] / name)
    assert (tmp_path / "joined" / "arrays.safetensors").read_bytes() == (run[1] / "arrays.safetensors").read_bytes()


def test_parts_of_another_config_are_not_taken(run, tmp_path):
    one, other = Extraction(asked()), Extraction(asked(seed=1))
    work = one.divided(model())
    assert one.parts(work, model(), tmp_path).key != other.parts(work, model(), tmp_path).key


def test_parts_of_a_text_that_was_changed_are_not_joined(tmp_path):
    path, own = tmp_path / "text.txt", {"n_tokens": 200, "text": {"source": str(tmp_path / "text.txt"), "length": 64}}
    experiment = Extraction(asked().overlaid({"activations": {**asked().activations.as_dict(), **own}}))
    path.write_text("the he a she " * 200)
    work = experiment.divided(model())
    parts = experiment.parts(work, model(), tmp_path / "parts")
    make_parts(work, parts, range(work.n_parts))
    path.write_text("a the he she " * 200)
    with pytest.raises(RunError, match="parts of other work"):
        experiment.of_parts(parts).run(run_dir=tmp_path / "joined")


def test_parts_that_were_made_without_the_fold_of_the_config_are_not_joined(tmp_path):
    experiment = Extraction(asked(fold="search"))
    work = experiment.divided(model())
    parts = experiment.parts(work, model(), tmp_path / "parts")
    make_parts(work, parts, range(work.n_parts))
    with pytest.raises(RunError, match="parts of other work"):
        experiment.of_parts(parts).run(run_dir=tmp_path / "joined")


def test_parts_of_a_model_that_was_trained_further_are_others(tmp_path):
    own, changed = Extraction(asked()), deepcopy(model())
    with torch.no_grad():
        changed.blocks[0].attn.W_Q += 0.01
    keys = {own.parts(DividedStore(model(), describe(model(), own.config.activations)), one, tmp_path).key
            for one in (model(), changed)}  # fmt: skip
    assert len(keys) == 2


def test_a_training_on_the_same_root_finds_it(tmp_path):
    experiment = Extraction(asked(root=tmp_path / "stores"))
    experiment.run()
    (folder,) = (tmp_path / "stores").iterdir()
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    find_or_write_store(model(), asked().activations, root=tmp_path / "stores")
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_without_a_place_it_says_so():
    with pytest.raises(ValueError, match="activations need a place"):
        Extraction(asked()).measure(model())
