"""Driver, nursery and trials are processes here, and die by the system's own signals."""

import os
import signal
import time
from pathlib import Path
from unittest.mock import create_autospec

import pytest

from interp_lab import registry
from interp_lab.sweeps import driver, work
from interp_lab.sweeps.result import SweepResult
from interp_lab.sweeps.trial import final_metrics, read_trials
from tests.sweeps.carrying_out import events, sweep
from tests.sweeps.cheap import ENTRY, PRELOAD, executions
from tests.sweeps.processes import drive, nursery_of, until


@pytest.fixture(autouse=True)
def _cheap(monkeypatch):
    monkeypatch.setitem(registry.EXPERIMENTS, "cheap", ENTRY)
    monkeypatch.setattr(driver, "_PRELOAD", PRELOAD)
    monkeypatch.setattr(work, "POLL", 0.02)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setattr(SweepResult, "of", lambda *given, **more: create_autospec(SweepResult, instance=True))
    monkeypatch.setattr(driver, "save_result", lambda result, folder: None)


class TestKills:
    """By signal 9. Every begin and every end is counted."""

    def test_lose_and_repeat_no_finished_trial(self, tmp_path):
        counted = tmp_path / "count.txt"
        options = {
            "method": "grid", "parameters": {"kind": {"values": ["dies once", "good", "hangs"]}}, "run_cap": None,
            "base": {"seconds": 0.5}, "settings": {"workers": 2, "retries": 1, "time_limit": 3.5},
        }  # fmt: skip

        driver_ = drive(tmp_path, **options)
        done = tmp_path / "out/trials/0001"
        until(lambda: final_metrics(done) is not None and executions(counted)["0000"] == (2, 0))
        os.kill(driver_, signal.SIGKILL)  # 0000 has died once and was begun again, 0001 is done, 0002 hangs
        os.waitpid(driver_, 0)
        cut = executions(counted)
        time.sleep(2.5)  # the second attempt at 0000 takes 2.0
        assert executions(counted) == cut, "what ran has died with its driver"

        killed = []

        def kill_nursery(trials, progress):
            if not killed and executions(counted)["0000"] == (3, 0):
                killed.append(nursery_of(os.getpid()))
                os.kill(killed[0], signal.SIGKILL)

        sweep(tmp_path, resume=True, watch=kill_nursery, **options)
        hows = [[end["how"] for end in events(tmp_path, "ended") if end["trial"] == number] for number in range(3)]
        assert hows[0] == ["failed", "lost", "done"]
        assert hows[1] == ["done"]
        assert hows[2][-2:] == ["timed out", "timed out"]
        found = executions(counted)
        assert found["0000"] == (4, 1), "one that died, one cut off, one lost, one that ended"
        assert found["0001"] == (1, 1)
        assert [trial.state for trial in read_trials(tmp_path / "out")] == ["complete", "complete", "failed"]
