"""Trials that fail, hang, fall behind, or are cut off; sweeps here end before their result."""

from unittest.mock import create_autospec

import pytest

from interp_lab import registry
from interp_lab.jobs import Ended, Outcome
from interp_lab.sweeps import driver, work
from interp_lab.sweeps.result import SweepResult
from interp_lab.sweeps.space import SweepError
from interp_lab.sweeps.trial import read_trials, trial_of
from tests.sweeps.carrying_out import Staged, carried_out_by, events, inside, sweep
from tests.sweeps.cheap import ENTRY, executions

EARLY = {"type": "hyperband", "min_iter": 2, "eta": 2}


@pytest.fixture(autouse=True)
def _cheap(monkeypatch):
    monkeypatch.setitem(registry.EXPERIMENTS, "cheap", ENTRY)
    monkeypatch.setattr(work, "POLL", 0.02)
    monkeypatch.setattr(SweepResult, "of", lambda *given, **more: create_autospec(SweepResult, instance=True))
    monkeypatch.setattr(driver, "save_result", lambda result, folder: None)


class TestTrials:
    def test_are_made_anew_only_if_something_happened(self, tmp_path, monkeypatch):
        """Of ten thousand, making all twice a second would take half a core from the trials."""
        inside(monkeypatch)
        made, seen = [], []
        monkeypatch.setattr(work, "trial_of", lambda entry, folder: made.append(entry) or trial_of(entry, folder))
        sweep(tmp_path, run_cap=6, watch=lambda trials, progress: seen.append(list(trials)))
        assert len(made) <= 2 * 6, "open, and closed"
        assert seen[-1] == read_trials(tmp_path / "out")


class TestFailures:
    def test_are_retried_so_often_and_then_told(self, tmp_path, monkeypatch):
        inside(monkeypatch)
        kinds = {"kind": {"values": ["good", "fails", "crashes once"]}}
        sweep(tmp_path, method="grid", run_cap=None, parameters=kinds, settings={"retries": 1})
        good, bad, crashed = read_trials(tmp_path / "out")
        assert (good.state, good.attempts) == ("complete", 1)
        assert (bad.state, bad.attempts, bad.reason) == ("failed", 2, "error: x is wrong [today]")
        assert (crashed.state, crashed.attempts, crashed.reason) == ("complete", 2, "")

    def test_get_new_attempts_when_more_retries_are_allowed(self, tmp_path, monkeypatch):
        workers = inside(monkeypatch)
        kinds = {"kind": {"values": ["good", "crashes once", "nan"]}}
        sweep(tmp_path, method="grid", run_cap=None, parameters=kinds, settings={"retries": 0})
        assert [trial.state for trial in read_trials(tmp_path / "out")] == ["complete", "failed", "failed"]
        sweep(tmp_path, method="grid", run_cap=None, parameters=kinds, settings={"retries": 1}, resume=True)
        assert [trial.state for trial in read_trials(tmp_path / "out")] == ["complete", "complete", "failed"]
        assert [job.name for job in workers.jobs] == ["0000", "0001", "0002", "0001"]

    def test_of_all_trials_are_told_with_the_commonest_reason(self, tmp_path, monkeypatch):
        kinds = {"kind": {"values": ["fails", "nan"]}, "depth": {"values": [1, 2]}, "seed": {"values": [0]}}
        inside(monkeypatch, Outcome(Ended.FAILED, -9, 0.1, "killed by signal 9"))
        with pytest.raises(SweepError, match=r"none of 4 trials.*; 2 of them: its metric loss is nan.*0001.log"):
            sweep(tmp_path, method="grid", run_cap=None, parameters=kinds, settings={"retries": 0})

    def test_a_metric_that_is_no_number_fails_its_trial_at_once(self, tmp_path, monkeypatch):
        inside(monkeypatch)
        sweep(tmp_path, method="grid", run_cap=None, parameters={"kind": {"values": ["nan", "good"]}})
        bad = read_trials(tmp_path / "out")[0]
        assert (bad.state, bad.attempts, bad.reason) == ("failed", 1, "its metric loss is nan")

    def test_a_trial_without_the_metric_is_left_out_by_who_goes_on_and_the_next_is_told_of(self, tmp_path, monkeypatch):
        """The first may be one of few that have nothing to measure; that must not be the end of the sweep."""
        workers = inside(monkeypatch)
        for number in range(2):
            with pytest.raises(SweepError, match=f"trial {number} ended without .* --resume goes on without it"):
                sweep(tmp_path, metric={"name": "los"}, resume=True, run_cap=3)
        assert [(one.state, one.reason) for one in read_trials(tmp_path / "out")] == [
            ("failed", "it ended without the metric los"), ("running", ""),
        ]  # fmt: skip
        assert [job.name for job in workers.jobs] == ["0000", "0001"], "and nothing is run twice"
        assert [end["trial"] for end in events(tmp_path, "ended")] == [0, 1]

    def test_a_metric_that_trials_do_not_have_stops_the_sweep_after_one(self, tmp_path, monkeypatch):
        workers = inside(monkeypatch)
        with pytest.raises(SweepError, match=r"without the sweep's metric 'los'.*did you mean 'loss'"):
            sweep(tmp_path, metric={"name": "los", "goal": "minimize"})
        assert len(workers.jobs) == 1

    def test_an_exit_without_a_result_is_one(self, tmp_path, monkeypatch):
        inside(monkeypatch, Outcome(Ended.DONE, 0, 0.1))
        sweep(tmp_path, settings={"retries": 0})
        assert "ended without a result in" in read_trials(tmp_path / "out")[0].reason

    def test_hanging_counts_as_one(self, tmp_path, monkeypatch):
        late = Outcome(Ended.TIMED_OUT, -9, 2.0, "no end after 2 s")
        inside(monkeypatch, late, late)
        sweep(tmp_path, settings={"retries": 1, "time_limit": 2.0})
        hung = read_trials(tmp_path / "out")[0]
        assert (hung.state, hung.attempts, hung.seconds, hung.reason) == ("failed", 2, 2.0, "no end after 2 s")

    def test_losing_a_worker_is_not_the_trials_fault_but_not_for_ever(self, tmp_path, monkeypatch):
        lost = Outcome(Ended.LOST, None, 0.1, "node lost")
        inside(monkeypatch, *[lost] * 3)
        sweep(tmp_path, settings={"retries": 0})
        assert (read_trials(tmp_path / "out")[0].state, read_trials(tmp_path / "out")[0].attempts) == ("complete", 4)
        stopped = Outcome(Ended.STOPPED, None, 0.1, "stopped by its node")
        inside(monkeypatch, *([stopped, lost] * work.MAX_LOSSES)[-work.MAX_LOSSES - 1 :])
        (tmp_path / "second").mkdir()
        sweep(tmp_path / "second", settings={"retries": 0})
        assert read_trials(tmp_path / "second/out")[0].reason == "node lost"

    def test_a_full_disk_stops_the_sweep_and_costs_no_trial_a_retry(self, tmp_path, monkeypatch):
        kinds = {"kind": {"values": ["good"]}, "depth": {"values": [1, 2]}}
        full = Outcome(Ended.FAILED, 1, 0.1, "error: [Errno 28] No space left on device: 'arrays.safetensors'")
        for resume in (False, True):
            inside(monkeypatch, full)
            with pytest.raises(SweepError, match=r"trial 0: .*No space left.*make room.*--resume"):
                sweep(tmp_path, method="grid", run_cap=None, parameters=kinds, settings={"retries": 0}, resume=resume)
        inside(monkeypatch)
        sweep(tmp_path, method="grid", run_cap=None, parameters=kinds, settings={"retries": 0}, resume=True)
        assert [(trial.state, trial.attempts) for trial in read_trials(tmp_path / "out")] == [
            ("complete", 3), ("complete", 1)
        ]  # fmt: skip


class TestEarlyTermination:
    def test_stops_what_has_fallen_behind_and_keeps_its_last_value(self, tmp_path, monkeypatch):
        told = []
        carried_out_by(monkeypatch, Staged(([3.0, 2.0], True), ([3.0, 1.5], True), ([3.0, 9.0, 8.0], False)))
        sweep(tmp_path, run_cap=3, early_terminate=EARLY, watch=lambda trials, progress: told.append(progress))
        stopped = read_trials(tmp_path / "out")[2]
        assert (stopped.state, stopped.metric, stopped.reason) == (
            "stopped early",
            8.0,
            "worse than others after 3 values",
        )
        assert {2: "step 2"} in told
        assert '"state":2,"value":8.0' in (tmp_path / "out/search.journal").read_text(), "PRUNED, to Optuna"

    def test_lets_the_others_go_on(self, tmp_path, monkeypatch):
        carried_out_by(monkeypatch, Staged(([3.0, 2.0], True), ([9.0], True), ([3.0, 1.0], True)))
        sweep(tmp_path, run_cap=3, early_terminate=EARLY)
        assert [trial.state for trial in read_trials(tmp_path / "out")] == ["complete"] * 3


def test_a_trial_that_ended_while_its_driver_died_is_not_launched_again(tmp_path, monkeypatch):
    inside(monkeypatch)
    sweep(tmp_path, run_cap=1)
    ledger = tmp_path / "out/attempts.jsonl"
    ledger.write_bytes(b"".join(ledger.read_bytes().splitlines(keepends=True)[:2]))  # proposed and started
    workers = inside(monkeypatch)
    sweep(tmp_path, run_cap=1, resume=True)
    assert workers.jobs == []
    assert read_trials(tmp_path / "out")[0].state == "complete"


class TestCutShort:
    """The ledger after a kill at any moment: it is cut behind every line, and the sweep goes on from there."""

    def test_behind_any_line_loses_and_repeats_no_finished_trial(self, tmp_path, monkeypatch):
        kinds = {"kind": {"values": ["good", "fails", "nan"]}}
        inside(monkeypatch)
        sweep(tmp_path, method="grid", run_cap=None, parameters=kinds, settings={"retries": 1})
        ledger, counted = tmp_path / "out/attempts.jsonl", tmp_path / "count.txt"
        lines = ledger.read_bytes().splitlines(keepends=True)
        whole = [(one.values, one.state, one.metrics, one.reason) for one in read_trials(tmp_path / "out")]
        done = {name: ends for name, (_, ends) in executions(counted).items()}
        assert len(lines) > 12
        for n in range(len(lines)):
            ledger.write_bytes(b"".join(lines[:n]) + lines[n][:10])
            sweep(tmp_path, method="grid", run_cap=None, parameters=kinds, settings={"retries": 1}, resume=True)
            again = [(one.values, one.state, one.metrics, one.reason) for one in read_trials(tmp_path / "out")]
            assert repr(again) == repr(whole)
        assert {name: ends for name, (_, ends) in executions(counted).items()} == done
