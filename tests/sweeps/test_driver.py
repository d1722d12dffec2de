"""Sweeps from file to result, and the folder that they are in."""

import os

import pytest

from interp_lab import registry
from interp_lab.registry import load_result
from interp_lab.sweeps import driver
from interp_lab.sweeps.definition import read_definition
from interp_lab.sweeps.space import SweepError
from interp_lab.sweeps.trial import read_trials
from tests.sweeps.carrying_out import events, inside, sweep
from tests.sweeps.cheap import ENTRY, write_sweep

DEPTHS = {"depth": {"values": [1, 2, 3, 4]}}


@pytest.fixture(autouse=True)
def _cheap(monkeypatch):
    monkeypatch.setitem(registry.EXPERIMENTS, "cheap", ENTRY)


class TestASweep:
    def test_ends_in_a_result_with_the_best_of_its_trials(self, tmp_path, monkeypatch):
        inside(monkeypatch)
        sweep(tmp_path, run_cap=4)
        trials = read_trials(tmp_path / "out")
        best = min(trials, key=lambda trial: trial.metric)
        assert [trial.metric for trial in trials] == [(trial.values["x"] - 0.3) ** 2 for trial in trials]
        assert load_result(tmp_path / "out/result").metrics()["best"] == best.metric
        assert {path.name for path in (tmp_path / "out").iterdir()} >= {
            "sweep.yaml", "base.yaml", "settings.json", "search.journal", "attempts.jsonl", "trials", "result"
        }  # fmt: skip

    def test_gives_trials_the_agents_command_line_on_a_copy_of_the_config(self, tmp_path, monkeypatch):
        workers = inside(monkeypatch)
        sweep(tmp_path, method="grid", run_cap=3, parameters=DEPTHS, settings={"time_limit": 9.0})
        job, out = workers.jobs[2], tmp_path / "out"
        given = ("--fold=search", "--depth=3", "--out", str(out / "trials/0002"), "--resume", "--wandb", "off")
        assert job.argv == ("interp-lab", "run", str(out / "base.yaml"), *given)
        assert job.env == {"WANDB_RUN_GROUP": "cheap ones", "WANDB_MODE": "disabled"}
        assert (job.name, job.log, job.time_limit) == ("0002", out / "trials/0002.log", 9.0)
        assert (out / "base.yaml").read_bytes() == (tmp_path / "cheap.yaml").read_bytes()

    def test_measures_the_winner_again_on_the_fold_that_trials_did_not_see(self, tmp_path, monkeypatch):
        workers = inside(monkeypatch)
        sweep(tmp_path, settings={"held_out": True, "held_out_seeds": 2})
        again = [job for job in workers.jobs if "held_out" in str(job.log)]
        assert sum("--fold=held_out" in job.argv for job in again) == 4, "winner and base, two seeds each"
        assert "held_out.shrinkage" in load_result(tmp_path / "out/result").metrics()

    def test_tells_the_watcher(self, tmp_path, monkeypatch):
        seen = []
        inside(monkeypatch)
        sweep(tmp_path, watch=lambda trials, progress: seen.append([trial.state for trial in trials]))
        assert seen[-1] == ["complete"] * 2


class TestFolder:
    def test_is_not_shared_by_two_drivers(self, tmp_path, monkeypatch):
        inside(monkeypatch)

        def another(trials, progress):
            with pytest.raises(SweepError, match=rf"another driver \(process {os.getpid()}\) is at work"):
                sweep(tmp_path, resume=True)

        sweep(tmp_path, watch=another)
        assert len(events(tmp_path, "closed")) == 2

    def test_that_holds_a_sweep_is_gone_on_with_only_when_asked(self, tmp_path, monkeypatch):
        workers = inside(monkeypatch)
        sweep(tmp_path)
        with pytest.raises(SweepError, match="already holds a sweep; go on with it by --resume"):
            sweep(tmp_path)
        sweep(tmp_path, resume=True)
        assert len(workers.jobs) == 2, "nothing was left to do"

    def test_that_holds_something_else_is_refused(self, tmp_path, monkeypatch):
        inside(monkeypatch)
        (tmp_path / "out").mkdir()
        (tmp_path / "out/thesis.tex").touch()
        with pytest.raises(SweepError, match=r"not empty and holds no sweep .it has thesis.tex"):
            sweep(tmp_path, resume=True)

    @pytest.mark.parametrize(
        ("change", "named"),
        [
            ({"parameters": {"x": {"min": -2.0, "max": 1.0}}}, r"parameters.x: .*-1.0.* -> .*-2.0.*"),
            ({"base": {"depth": 3}}, "depth: None -> 3"),
            ({"settings": {"seed": 5}}, "seed: 0 -> 5"),
            ({"metric": {"name": "loss", "goal": "maximize"}}, "metric.goal: 'minimize' -> 'maximize'"),
        ],
        ids=["parameters", "config", "seed", "goal"],
    )
    def test_is_refused_to_another_sweep_with_what_differs(self, tmp_path, monkeypatch, change, named):
        inside(monkeypatch)
        sweep(tmp_path)
        with pytest.raises(SweepError, match=f"another sweep .{named}.; go on with the old values"):
            sweep(tmp_path, resume=True, **change)

    def test_takes_more_trials_than_were_asked_for_first(self, tmp_path, monkeypatch):
        workers = inside(monkeypatch)
        sweep(tmp_path)
        sweep(tmp_path, settings={"n_trials": 3}, resume=True)
        assert [job.name for job in workers.jobs] == ["0000", "0001", "0002"]
        assert load_result(tmp_path / "out/result").metrics()["n_trials"] == 3
        sweep(tmp_path, resume=True)
        assert len(workers.jobs) == 3, "the three that were last asked for, not the two of run_cap"

    def test_of_a_driver_killed_while_it_began_is_begun_anew(self, tmp_path, monkeypatch):
        inside(monkeypatch)
        (tmp_path / "out").mkdir()
        (tmp_path / "out/sweep.yaml").write_text("method: gri")
        sweep(tmp_path, resume=True)
        assert (tmp_path / "out/sweep.yaml").read_bytes() == (tmp_path / "sweep.yaml").read_bytes()


class TestFolds:
    def test_trials_must_leave_something_for_the_winner(self, tmp_path):
        command = ["interp-lab", "run", str(tmp_path / "cheap.yaml"), "${args}"]
        with pytest.raises(SweepError, match=r"fold 'search'.*--fold=search.*--no-held-out"):
            sweep(tmp_path, command=command, settings={"held_out": True})
        assert not (tmp_path / "out").exists()

    def test_may_be_set_by_config_or_sweep(self, tmp_path):
        command = ["interp-lab", "run", str(tmp_path / "cheap.yaml"), "${args}"]
        for change in ({"base": {"fold": "search"}}, {"parameters": {"fold": {"value": "search"}}}):
            driver.require_search_fold(read_definition(write_sweep(tmp_path, command=command, **change)))
