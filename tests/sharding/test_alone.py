"""A folder of a map has one driver; what a killed one held is free (tests/runs/test_lock.py kills one)."""

import os
from concurrent.futures import Future

import pytest

from interp_lab.cli.main import main
from interp_lab.jobs import Ended, Outcome
from interp_lab.runs import RunError
from interp_lab.runs.lock import held
from interp_lab.sharding import map_parts
from tests.sharding.test_driver import CONFIG


class Meeting:
    """Carries out nothing: while the driver that calls it is at work, another one begins, and says what it got."""

    n_workers = 1

    def __init__(self, another):
        self.another = another
        self.met = []

    def submit(self, job):
        with pytest.raises(RunError) as refused:
            self.another()
        self.met.append((job.name, str(refused.value)))
        future: Future[Outcome] = Future()
        future.set_result(Outcome(Ended.FAILED, 1, 0.0, "never begun"))
        return future

    def stop(self, name):
        raise AssertionError(f"{name} is stopped")


def test_a_second_driver_is_refused_while_the_first_is_at_work_and_no_longer(tmp_path):
    def drive(jobs):
        return map_parts(["patch.yaml"], tmp_path / "map", jobs, retries=0)

    for _ in range(2):  # the first leaves the folder free
        first = Meeting(lambda: drive(Meeting(None)))
        with pytest.raises(RuntimeError, match=r"plan \(never begun"):
            drive(first)
        [(job, said)] = first.met
        assert job == "plan"
        assert f"another driver (process {os.getpid()}) is at work in {tmp_path / 'map'}; wait for it" in said


def test_the_command_says_so(tmp_path, capsys):
    (tmp_path / "patch.yaml").write_text(CONFIG)
    with held(tmp_path / "map"), pytest.raises(SystemExit) as leaving:
        main(["map", str(tmp_path / "patch.yaml"), "--out", str(tmp_path / "map"), "--workers", "1"])
    assert leaving.value.code == 1
    assert f"another driver (process {os.getpid()}) is at work" in " ".join(capsys.readouterr().err.split())
