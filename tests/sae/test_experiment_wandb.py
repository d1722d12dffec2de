"""A training that is tracked with W&B: rows under stable names, config flat, autoencoders as artifacts."""

from pathlib import Path

import pytest

from interp_lab.runs import Trackers, read_run
from interp_lab.wandb_bridge import start_run, tracking
from interp_lab.wandb_bridge.reader import wait_until_finished
from tests.sae.trainings import BRIEF, HOOK, NAMES, Killed, Killer, small, training
from tests.wandb_bridge.conftest import offline_runs, wandb_home

__all__ = ["offline_runs", "wandb_home"]
FILES = ["cfg.json", "interp_lab.json", "sae_weights.safetensors", "sparsity.safetensors"]


def check(run, result):
    assert run.config == small(**BRIEF).flat()
    assert run.config["training.saes.topk.learning_rate"] == 3e-3
    assert run.config["grids.topk.architecture.k"] == [4, 8]
    losses = [row["topk-k_4/loss"] for row in run.rows() if "topk-k_4/loss" in row]
    assert losses == result.curves.of("topk-k_4", "loss").tolist()
    assert [row["step"] for row in run.rows() if "topk-k_4/loss" in row] == list(range(3, 31, 3))
    assert run.summary["topk-k_4.r2"] == result.metrics()["topk-k_4.r2"]
    assert run.summary["topk-k_4.dead_share"] == result.metrics()["topk-k_4.dead_share"]
    saes = {artifact.name: sorted(artifact.paths) for artifact in run.artifacts if artifact.type == "sae"}
    assert saes == {f"organism-{HOOK}-{name}": FILES for name in NAMES}
    tables = {name.removesuffix(".nrows") for row in run.history for name in row if name.endswith(".nrows")}
    assert tables == {*result.tables(), *(f"density {name}" for name in NAMES)}


def test_offline_and_the_same_in_the_folder(wandb_home, offline_runs):
    folder = wandb_home / "run"
    with tracking("offline", small(**BRIEF), directory=folder) as tracker:
        result = training(**BRIEF).run(tracker, folder)
    (run,) = offline_runs()
    check(run, result)
    assert run.exit_code == 0


def test_a_run_that_somebody_else_opened_is_neither_renamed_nor_finished(wandb_home, offline_runs):
    import wandb

    wandb_home.mkdir()
    with wandb.init(mode="offline", dir=wandb_home, project="mine", name="mine") as mine:
        tracker = start_run(small(**BRIEF), directory=wandb_home, mode="offline")
        result = training(**BRIEF).run(tracker, wandb_home / "run")
        tracker.finish()
        assert wandb.run is mine
        mine.log({"after": 1})
    assert wait_until_finished(Path(mine.dir).parent)
    (run,) = offline_runs()
    check(run, result)
    assert (run.project, run.name) == ("mine", "mine")
    assert run.rows()[-1] == {"after": 1}


def test_a_training_that_is_resumed_is_a_second_run_that_begins_where_the_first_was_kept(wandb_home, offline_runs):
    folder = wandb_home / "run"

    def attempt(*others, resume):
        with tracking("offline", brief.config, directory=folder) as tracker:
            assert tracker is not None
            brief.run(Trackers((tracker, *others)), folder, resume=resume)

    brief = training(**BRIEF)
    with pytest.raises(Killed):
        attempt(Killer(9), resume=False)
    attempt(resume=True)
    first, second = offline_runs()
    assert [row["step"] for row in second.rows() if "batch/loss" in row] == list(range(9, 31, 3))
    assert first.run_id != second.run_id
    assert first.group == second.group == f"run {read_run(folder).record.created}"
