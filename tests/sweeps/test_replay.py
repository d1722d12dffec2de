import json
import math
from unittest.mock import create_autospec

import pytest

from interp_lab import registry
from interp_lab.jobs import Ended, Outcome
from interp_lab.sweeps import driver
from interp_lab.sweeps.replay import replay
from interp_lab.sweeps.result import SweepResult
from interp_lab.sweeps.settings import SweepSettings
from interp_lab.sweeps.space import SweepError
from tests.sweeps.carrying_out import inside, sweep
from tests.sweeps.cheap import ENTRY

SETTINGS = SweepSettings(retries=0)
KINDS = {"kind": {"values": ["fails", "good"]}, "x": {"values": [0.1, 0.7]}}


@pytest.fixture(autouse=True)
def _cheap(monkeypatch):
    monkeypatch.setitem(registry.EXPERIMENTS, "cheap", ENTRY)
    monkeypatch.setattr(SweepResult, "of", lambda *given, **more: create_autospec(SweepResult, instance=True))
    monkeypatch.setattr(driver, "save_result", lambda result, folder: None)


@pytest.fixture
def swept(tmp_path, monkeypatch):
    """The folder of a sweep whose trials 0 and 1 failed, and the workers."""
    workers = inside(monkeypatch)
    sweep(tmp_path, method="grid", run_cap=None, parameters=KINDS, settings={"retries": 0, "seed": 7})
    (tmp_path / "cheap.yaml").unlink()
    workers.jobs.clear()
    return tmp_path / "out", workers


def test_runs_what_was_complete_again_from_the_folder_alone(swept, tmp_path):
    folder, workers = swept
    found = replay(folder, SETTINGS, tmp_path / "again")
    assert found.is_same
    assert [one.now.number for one in found.trials] == [2, 3]
    assert [one.now.folder for one in found.trials] == [tmp_path / f"again/trials/000{number}" for number in (2, 3)]
    assert [job.argv[2] for job in workers.jobs] == [str(tmp_path / "again/base.yaml")] * 2
    assert found.summary().splitlines() == [
        "2 of 2 trials came out the same to the bit (6 metrics compared)",
        "not run again, for they have no result to compare: 0 (failed), 1 (failed)",
        "the runs on held-out examples were not repeated: those follow from the trials and the seed",
    ]


def test_takes_the_threads_of_the_sweep_for_sums_depend_on_them(swept, tmp_path):
    folder, _ = swept
    stored = json.loads((folder / "settings.json").read_text())
    (folder / "settings.json").write_text(json.dumps({**stored, "threads": 7}))
    replay(folder, SETTINGS, tmp_path / "again")
    assert json.loads((tmp_path / "again/settings.json").read_text())["threads"] == 7


def test_can_be_gone_on_with_and_repeated_in_turn(swept, tmp_path):
    folder, workers = swept
    first = replay(folder, SETTINGS, tmp_path / "again")
    assert replay(folder, SETTINGS, tmp_path / "again", resume=True) == first
    assert len(workers.jobs) == 2
    assert replay(tmp_path / "again", SETTINGS, tmp_path / "third").is_same


def test_notices_a_last_bit(swept, tmp_path):
    folder, _ = swept
    ledger = folder / "attempts.jsonl"
    events = [json.loads(line) for line in ledger.read_text().splitlines()]
    recorded = next(event for event in events if event["event"] == "closed" and event["trial"] == 3)["metrics"]
    truth = recorded["loss"]
    recorded["loss"] = math.nextafter(truth, 1.0)
    ledger.write_text("".join(json.dumps(event) + "\n" for event in events))
    found = replay(folder, SETTINGS, tmp_path / "again")
    assert not found.is_same
    assert [one.differing for one in found.trials] == [{}, {"loss": (recorded["loss"], truth)}]
    assert f"trial 3: loss {recorded['loss']!r} then, {truth!r} now" in found.summary()


def test_tells_of_a_trial_that_fails_now(swept, tmp_path, monkeypatch):
    folder, _ = swept
    inside(monkeypatch, Outcome(Ended.FAILED, 1, 0.1, "error: out of memory"))
    found = replay(folder, SETTINGS, tmp_path / "again")
    assert "trial 2: complete then, failed now (error: out of memory)" in found.summary()


def test_needs_a_sweep(tmp_path):
    with pytest.raises(SweepError, match=r"holds no sweep: it has no settings.json"):
        replay(tmp_path, SETTINGS, tmp_path / "again")
