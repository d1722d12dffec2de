"""`interp-lab sweep` as a user meets it; what it is made of is tested in tests/sweeps."""

import io
import os
import re
import signal
from pathlib import Path

import pytest
from rich.console import Console

from interp_lab import registry
from interp_lab.cli import sweep_table
from interp_lab.cli.folders import new_folder
from interp_lab.cli.main import main
from interp_lab.cli.sweep_table import Watcher, shown, values_text
from interp_lab.jobs import Ended, Outcome
from interp_lab.sweeps import driver
from interp_lab.sweeps.trial import Trial
from interp_lab.wandb_bridge import sweeps as bridge
from tests.sweeps.carrying_out import Inside, carried_out_by, inside
from tests.sweeps.cheap import ENTRY, PRELOAD, executions, write_sweep
from tests.sweeps.processes import running_in, until


@pytest.fixture(autouse=True)
def _cheap(monkeypatch):
    monkeypatch.setitem(registry.EXPERIMENTS, "cheap", ENTRY)


def call(*arguments) -> int:
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    assert isinstance(stopped.value.code, int | None)
    return stopped.value.code or 0


class TestSweep:
    def test_tells_a_line_per_trial_and_where_the_page_is(self, tmp_path, monkeypatch, capsys):
        inside(monkeypatch)
        kinds = {"kind": {"values": ["fails", "good"]}, "x": {"values": [0.1, 0.3]}}
        file = write_sweep(tmp_path, method="grid", run_cap=None, parameters=kinds)
        out = tmp_path / "out"
        assert call("sweep", file, "--out", out, "--retries", "0", "--held-out-seeds", "2", "--workers", "1") == 0
        printed = capsys.readouterr().out.splitlines()
        assert re.fullmatch(r"trial 0 \(kind=fails x=0.1\) failed: error: x is wrong \[today\] \(.* s\)", printed[0])
        assert re.fullmatch(
            r"trial 3 \(kind=good x=0.3\) complete: loss 0 \(.* s\); best so far: trial 3, 0", printed[3]
        )
        assert sum(line.startswith("held-out run") for line in printed) == 5
        assert printed[-1] == f"its page: interp-lab report {out}/result --out {out}/sweep.html"
        command = printed[-1].removeprefix("its page: interp-lab ").split()
        assert call(*command) == 0
        assert "cheap ones" in (out / "sweep.html").read_text()

    def test_fails_if_every_trial_does(self, tmp_path, monkeypatch, capsys):
        inside(monkeypatch)
        file = write_sweep(tmp_path, parameters={"kind": {"value": "fails"}})
        assert call("sweep", file, "--out", tmp_path / "out", "--retries", "0", "--no-held-out") == 1
        assert "error: none of 4 trials ran to its end; 4 of them: error: x is wrong" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"]
    )
    def test_that_is_stopped_says_how_to_go_on(self, tmp_path, monkeypatch, capsys, number, code):
        class Stopping(Inside):
            def submit(self, job):
                os.kill(os.getpid(), number)
                return super().submit(job)

        carried_out_by(monkeypatch, Stopping())
        file, out = write_sweep(tmp_path, run_cap=2), tmp_path / "out"
        assert call("sweep", file, "--out", out, "--no-held-out") == code
        assert f"stopped; the same command with --out {out} --resume goes on" in capsys.readouterr().out
        monkeypatch.setattr(driver, "save_result", lambda *given: None)
        inside(monkeypatch)
        assert call("sweep", file, "--out", out, "--no-held-out", "--resume") == 0
        assert {ends for _, ends in executions(tmp_path / "count.txt").values()} == {1}

    def test_compares_a_replay_and_fails_if_it_differs(self, tmp_path, monkeypatch, capsys):
        inside(monkeypatch)
        monkeypatch.setattr(driver, "save_result", lambda *given: None)
        file, out = write_sweep(tmp_path, run_cap=2), tmp_path / "out"
        assert call("sweep", file, "--out", out, "--no-held-out") == 0
        assert call("sweep", "--replay", out, "--out", tmp_path / "again") == 0
        assert "2 of 2 trials came out the same to the bit" in capsys.readouterr().out
        inside(monkeypatch, Outcome(Ended.FAILED, 1, 0.1, "error: boom"))
        assert call("sweep", "--replay", out, "--out", tmp_path / "third", "--retries", "0") == 1

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ([], "name one sweep: a FILE, or --replay FOLDER"),
            (["FILE", "--replay", "there"], "name one sweep: a FILE, or --replay FOLDER"),
            (["FILE", "--resume"], "--resume goes on with the sweep in --out"),
            (["--replay", "there", "--backend", "wandb"], "--replay mean nothing to W&B"),
            (
                ["FILE", "--backend", "wandb", "--out", "x", "--resume", "--time-limit", "9", "--no-held-out"],
                "--resume, --no-held-out, --time-limit mean nothing to W&B",
            ),
            (
                [
                    "FILE",
                    "--backend",
                    "wandb",
                    "--seed",
                    "0",
                    "--retries",
                    "2",
                    "--held-out-seeds",
                    "3",
                    "--wandb",
                    "off",
                ],
                "--retries, --seed, --held-out-seeds, --wandb mean nothing to W&B",
            ),
        ],
    )
    def test_refuses_what_makes_no_sense(self, tmp_path, capsys, given, said):
        file = write_sweep(tmp_path)
        assert call("sweep", *(file if word == "FILE" else word for word in given)) == 2
        assert said in " ".join(capsys.readouterr().err.replace("│", " ").split())

    def test_on_a_server_needs_one_and_names_the_way_without(self, tmp_path, monkeypatch, capsys):
        monkeypatch.setenv("WANDB_MODE", "offline")
        command = ["interp-lab", "run", str(tmp_path / "cheap.yaml"), "--wandb=auto", "${args}"]
        file = write_sweep(tmp_path, command=command)
        assert call("sweep", file, "--backend", "wandb", "--out", tmp_path / "out") == 1
        assert "--backend local" in capsys.readouterr().err

    def test_on_a_server_that_is_stopped_names_the_agent_that_goes_on(self, tmp_path, monkeypatch, capsys):
        """The same command would create another sweep."""

        def interrupted(*given, **more):
            raise KeyboardInterrupt

        monkeypatch.setattr(bridge, "create_sweep", lambda raw: "anna/lab/abcd1234")
        monkeypatch.setattr(bridge, "run_agents", interrupted)
        file = write_sweep(tmp_path)
        assert call("sweep", file, "--backend", "wandb", "--out", tmp_path / "out") == 130
        assert capsys.readouterr().out.splitlines()[-1] == "stopped; wandb agent anna/lab/abcd1234 goes on"

    def test_that_is_to_resume_nothing_leaves_no_folder_if_it_cannot_begin(self, tmp_path, capsys):
        file = write_sweep(tmp_path, run_cap=None)
        assert call("sweep", file, "--out", tmp_path / "out", "--resume") == 1
        assert "say how many trials: --trials N" in capsys.readouterr().err
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize(
        ("method", "given", "n"), [("grid", [], 3), ("grid", ["--trials", "2"], 2), ("random", [], 4)]
    )
    def test_tells_of_how_many_trials_there_are_to_be(self, tmp_path, monkeypatch, method, given, n):
        """Not of how many were proposed by now."""
        asked = []
        monkeypatch.setattr(sweep_table, "Watcher", lambda *given, **more: asked.append(given) or Watcher(*given))
        inside(monkeypatch)
        cap = None if method == "grid" else 4
        file = write_sweep(tmp_path, method=method, run_cap=cap, parameters={"x": {"values": [0.1, 0.2, 0.3]}})
        assert call("sweep", file, "--out", tmp_path / "out", "--no-held-out", *given) == 0
        assert [one[2] for one in asked] == [n]

    def test_interrupted_for_real_leaves_nothing_running(self, tmp_path, monkeypatch):
        """The driver has a nursery and two trials; Ctrl-C at its terminal reaches the driver's process group."""
        monkeypatch.setattr(driver, "_PRELOAD", PRELOAD)
        monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
        file = write_sweep(tmp_path, base={"seconds": 60.0})
        pid = os.fork()
        if pid == 0:
            code = 3
            try:
                os.setpgid(0, 0)
                main(["sweep", str(file), "--out", str(tmp_path / "out"), "--no-held-out", "--workers", "2"])
            except SystemExit as leaving:
                code = leaving.code
            finally:
                os._exit(code if isinstance(code, int) else 4)
        until(lambda: len(executions(tmp_path / "count.txt")) == 2)
        os.killpg(pid, signal.SIGINT)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
        with pytest.raises(ProcessLookupError):
            os.killpg(pid, 0)
        assert {ends for _, ends in executions(tmp_path / "count.txt").values()} == {0}
        assert not running_in(tmp_path)


def trial(number, state="complete", metric=None, **more):
    return Trial(number, {"optim.lr": 0.5, "layers": [0, 1]}, state, metric, **more)


class TestTable:
    def drawn(self, watcher, trials, progress):
        watcher.console = Console(width=100, height=30, record=True, file=io.StringIO())
        watcher.console.print(watcher.table(trials, progress))
        return watcher.console.export_text()

    def test_shows_state_progress_metric_and_the_best_so_far(self):
        trials = [
            trial(0, metric=0.25, seconds=3.21, attempts=1), trial(1, "failed", reason="no [data] here", attempts=3),
            trial(2, "running", attempts=2), trial(3, "running", attempts=0), trial(4, "stopped early", 0.5),
        ]  # fmt: skip
        text = self.drawn(Watcher("loss", "minimize", 9), trials, {2: "step 300"})
        lines = [" ".join(line.split()) for line in text.splitlines()]
        assert "0 lr=0.5 layers=[0,1] complete 0.25 3.2" in lines
        assert "1 lr=0.5 layers=[0,1] failed (start 3) no [data] here" in lines
        assert "2 lr=0.5 layers=[0,1] running (start 2) step 300" in lines
        assert "3 lr=0.5 layers=[0,1] waiting" in lines
        assert "3 of 9 trials ended, 1 failed; best so far: trial 0, loss 0.25" in lines

    def test_leaves_out_old_trials_before_it_leaves_out_the_best_or_the_running(self):
        trials = [trial(0, metric=1.0), trial(1, "running"), *(trial(number, metric=2.0) for number in range(2, 50))]
        found = shown(trials, trials[0], {1: ""}, room=5)
        assert [one.number for one in found] == [0, 1, 47, 48, 49]

    def test_names_values_by_the_last_part_of_their_key_unless_two_are_alike(self):
        assert values_text({"optim.lr": 1e-5, "n": 3}) == "lr=1e-05 n=3"
        assert values_text({"a.lr": 0.5, "b.lr": "x y"}) == "a.lr=0.5 b.lr=xy"

    def test_is_drawn_where_there_is_a_terminal(self, monkeypatch):
        console = Console(force_terminal=True, width=90, file=io.StringIO(), record=True)
        monkeypatch.setattr(sweep_table, "console", console)
        with sweep_table.watching("loss", goal="minimize", n_trials=1) as watcher:
            watcher.show([trial(0, metric=0.25)], {})
        assert "1 of 1 trials ended; best so far: trial 0" in console.export_text()


class TestNewFolder:
    def test_has_the_run_id_of_w_and_b_in_its_name(self, tmp_path, monkeypatch, capsys):
        write_sweep(tmp_path)
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("WANDB_RUN_ID", raising=False)
        assert re.fullmatch(r"out/cheap-\d{8}-\d{6}", str(new_folder(Path("cheap.yaml"))))
        monkeypatch.setenv("WANDB_RUN_ID", "a1b2c3")
        assert call("run", "cheap.yaml") == 0
        (made,) = (tmp_path / "out").iterdir()
        assert re.fullmatch(r"cheap-\d{8}-\d{6}-a1b2c3", made.name)
