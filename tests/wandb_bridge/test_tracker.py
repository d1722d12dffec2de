import gc
import json
import logging
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import wandb

from interp_lab.config import Config
from interp_lab.wandb_bridge import start_run
from interp_lab.wandb_bridge.tracker import artifact_name, plain_table


class Optimiser(Config):
    lr: float = 1e-3


class Training(Config):
    seed: int = 7
    layers: tuple[int, ...] = (0, 1)
    note: str | None = None
    optim: Optimiser = Optimiser()


FLAT = {"seed": 7, "layers": [0, 1], "note": None, "optim.lr": 1e-3}


def open_offline(home: Path):
    return start_run(Training(), directory=home, mode="offline", project="heads", name="first")


class TestOfflineRun:
    def test_is_read_back_as_it_was_logged(self, wandb_home, offline_runs):
        rows = [{"loss": 1 / (step + 1), "val/acc": step, "step": step} for step in range(40)]
        tracker = open_offline(wandb_home)
        for row in rows:
            tracker.log({name: value for name, value in row.items() if name != "step"}, step=row["step"])
        tracker.log({"best": 0.025})
        tracker.finish()
        (run,) = offline_runs()
        assert run.rows() == [*rows, {"best": 0.025}]
        assert run.config == FLAT
        assert {key: run.summary[key] for key in ("loss", "val/acc", "best")} == {
            "loss": 1 / 40, "val/acc": 39, "best": 0.025,
        }  # fmt: skip
        assert (run.project, run.name, run.exit_code) == ("heads", "first", 0)
        assert run.run_id in str(tracker.status.directory)

    def test_keeps_rows_whose_step_goes_back_or_repeats(self, wandb_home, offline_runs):
        tracker = open_offline(wandb_home)
        steps = [5, 3, 3, 10, 0]
        for nth, step in enumerate(steps):
            tracker.log({"nth": nth}, step=step)
        tracker.finish()
        assert offline_runs()[0].rows() == [{"nth": nth, "step": step} for nth, step in enumerate(steps)]

    def test_tells_wandb_once_to_draw_a_metric_over_our_step(self, wandb_home, monkeypatch):
        tracker = open_offline(wandb_home)
        drawn = []
        monkeypatch.setattr(wandb.run, "define_metric", lambda name, step_metric: drawn.append((name, step_metric)))
        tracker.log({"best": 1})
        for step in range(2):
            tracker.log({"loss": 1, "a*b": 2}, step=step)
        tracker.log({"accuracy": 1}, step=2)
        assert drawn == [("loss", "step"), ("accuracy", "step")], "a name with * would be a pattern, and refused"
        assert tracker.status.mode == "offline"

    def test_keeps_numbers_that_are_not_finite(self, wandb_home, offline_runs):
        tracker = open_offline(wandb_home)
        tracker.log({"a": float("nan"), "b": float("inf"), "c": np.float32(0.5)})
        tracker.finish()
        (row,) = offline_runs()[0].rows()
        assert math.isnan(row["a"])
        assert (row["b"], row["c"]) == (math.inf, 0.5)

    def test_refuses_what_is_no_number(self, wandb_home):
        tracker = open_offline(wandb_home)
        with pytest.raises(ValueError, match=r"metric 'loss' is .*not one number"):
            tracker.log({"loss": np.zeros(2)})
        assert tracker.status.mode == "offline", "a caller's mistake is no failure of W&B"

    def test_holds_tables(self, wandb_home, offline_runs):
        table = pd.DataFrame({"head": ["0.1", "1.0"], "score": [0.5, np.nan]})
        tracker = open_offline(wandb_home)
        tracker.log_table("heads", table)
        tracker.finish()
        row = offline_runs()[0].rows()[0]
        assert row["heads.nrows"] == 2
        stored = json.loads((tracker.status.directory / "files" / row["heads.path"]).read_text())
        assert stored == {"columns": ["head", "score"], "data": [["0.1", 0.5], ["1.0", None]]}
        (artifact,) = offline_runs()[0].artifacts
        assert (artifact.type, artifact.paths) == ("run_table", ("heads.table.json",))

    def test_holds_folders_of_files(self, wandb_home, offline_runs, tmp_path):
        folder = tmp_path / "made" / "deep"
        folder.mkdir(parents=True)
        (folder.parent / "cfg.json").write_text("{}")
        (folder / "weights.bin").write_bytes(b"123")
        tracker = open_offline(wandb_home)
        tracker.log_artefact("k_8 lr=1e-3/\u00e9", folder.parent, kind="sae")
        tracker.log({"after": 1})
        tracker.finish()
        (run,) = offline_runs()
        (artifact,) = run.artifacts
        assert (artifact.type, artifact.name) == ("sae", "k_8-lr-1e-3--")
        assert artifact_name("x" * 200 + "/end") == "x" * 124 + "-end", "its end tells it apart"
        assert sorted(artifact.paths) == ["cfg.json", "deep/weights.bin"]
        assert run.rows() == [{"after": 1}], "it is no row"

    def test_a_folder_that_is_not_there_is_the_callers_mistake(self, wandb_home, tmp_path):
        tracker = open_offline(wandb_home)
        with pytest.raises(ValueError, match=r"there is no folder .*absent to log as artefact 'first'"):
            tracker.log_artefact("first", tmp_path / "absent", kind="sae")
        assert tracker.status.mode == "offline"

    def test_a_second_run_starts_afresh(self, wandb_home, offline_runs):
        for value in (1, 2):
            tracker = open_offline(wandb_home)
            tracker.log({"value": value})
            tracker.finish()
        assert [run.rows() for run in offline_runs()] == [[{"value": 1}], [{"value": 2}]]

    def test_finishing_twice_and_logging_after_it_do_nothing(self, wandb_home, offline_runs):
        tracker = open_offline(wandb_home)
        tracker.finish()
        tracker.finish(exit_code=3)
        tracker.log({"late": 1})
        assert (offline_runs()[0].exit_code, offline_runs()[0].rows()) == (0, [])


class TestPlainTable:
    def test_has_text_columns_no_index_and_none_for_what_is_missing(self):
        table = pd.DataFrame(
            {0: pd.array([1, None], dtype="Int64"), "t": ["x", None], "f": [np.nan, np.inf]},
            index=pd.Index(["a", "b"], name="head"),
        )
        plain = plain_table(table)
        assert plain.columns.tolist() == ["head", "0", "t", "f"]
        assert plain.to_numpy().tolist() == [["a", 1, "x", None], ["b", None, None, np.inf]]


class TestFailure:
    def test_of_a_server_is_told_once_and_never_raised(self, wandb_home, said, monkeypatch):
        tracker = open_offline(wandb_home)
        n_calls = 0

        def fail(*args, **kwargs):
            nonlocal n_calls
            n_calls += 1
            raise wandb.errors.CommError("server gone")

        monkeypatch.setattr(wandb.run, "log", fail)
        for step in range(3):
            tracker.log({"loss": 1}, step=step)
        tracker.log_table("heads", pd.DataFrame({"a": [1]}))
        tracker.log_artefact("first", wandb_home, kind="sae")
        assert n_calls == 1, "a dead W&B is not asked again"
        assert said() == [(logging.WARNING, "W&B takes no more (server gone); the work goes on without it")]
        assert (tracker.status.mode, tracker.status.reason) == ("off", "server gone")
        tracker.finish()
        assert wandb.run is None

    def test_of_the_background_process_does_not_reach_this_run_or_the_next(self, wandb_home, said):
        tracker = open_offline(wandb_home)
        tracker.log({"loss": 1})
        kill_background_process()
        tracker.log({"loss": 2})
        tracker.finish()
        assert tracker.status.mode == "off"
        assert len(said()) == 1
        following = open_offline(wandb_home)
        assert not following.status.attached
        following.log({"loss": 3})
        following.finish()
        assert following.status.mode == "offline"

    def test_a_run_that_somebody_else_finished_does_no_harm(self, wandb_home):
        tracker = open_offline(wandb_home)
        wandb.finish()  # as SAE Lens' runner does
        tracker.log({"loss": 1})
        tracker.finish()
        assert "finished" in tracker.status.reason


def kill_background_process() -> None:
    """Kill W&B's own process, which nobody but W&B has a handle of."""
    started = [thing for thing in gc.get_objects() if type(thing) is subprocess.Popen]
    running = [process for process in started if "wandb-core" in str(process.args) and process.poll() is None]
    assert running, "no background process: nothing to kill"
    for process in running:
        process.kill()
        process.wait()


class TestAttached:
    def test_to_a_users_run_it_logs_and_leaves_it_open(self, wandb_home, offline_runs):
        wandb_home.mkdir()
        mine = wandb.init(mode="offline", dir=wandb_home, project="mine", config={"seed": 1, "own": 2})
        mine.log({"before": 1})
        tracker = start_run(Training(), directory=wandb_home / "elsewhere", mode="auto", project="heads")
        assert tracker.status.attached
        assert tracker.status.mode == "offline"
        tracker.log({"loss": 0.5}, step=3)
        (wandb_home / "made").mkdir()
        (wandb_home / "made" / "cfg.json").write_text("{}")
        tracker.log_artefact("first", wandb_home / "made", kind="sae")
        tracker.finish()
        mine.log({"after": 1})
        mine.finish()
        wandb.teardown()  # which writes the rest to disk
        (run,) = offline_runs()
        assert run.rows() == [{"before": 1}, {"loss": 0.5, "step": 3}, {"after": 1}]
        assert run.config == {**FLAT, "seed": 1, "own": 2}, "what the user set stays"
        assert run.project == "mine"
        assert [(artifact.type, artifact.name) for artifact in run.artifacts] == [("sae", "first")]
        assert not (wandb_home / "elsewhere").exists()


LOGS_AND_WAITS = """
import sys, time
from pathlib import Path
from interp_lab.config import Config
from interp_lab.wandb_bridge import start_run
tracker = start_run(Config(), directory=Path(sys.argv[1]), mode="offline")
for step in range(20):
    tracker.log({"loss": 1.0}, step=step)
time.sleep(2)
print("logged", flush=True)
time.sleep(60)
"""


def test_killing_the_process_loses_nothing_that_is_two_seconds_old(wandb_home, offline_runs):
    command = [sys.executable, "-c", LOGS_AND_WAITS, str(wandb_home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "logged\n"
        (run,) = offline_runs()
        os.kill(process.pid, signal.SIGKILL)
    assert [row["step"] for row in run.rows()] == list(range(20))
    assert run.exit_code is None, "it was killed"
