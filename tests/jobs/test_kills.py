"""kill -9 of every process there is, one at a time: no orphan is left, and others go on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from interp_lab.jobs import Ended, executor, run_all
from tests.jobs.processes import family, living, parent_of, pids_of, shell, soon

ROOT = Path(__file__).parents[2]


@pytest.fixture
def workers():
    with executor("local", workers=2) as opened:
        yield opened


@pytest.fixture
def other(workers, tmp_path):
    """A job beside the one that is killed; it ends when the file `go` is there."""
    return workers.submit(shell("other", f"until [ -e {tmp_path}/go ]; do sleep 0.05; done; echo fine", tmp_path))


def goes_on(other, folder):
    (folder / "go").touch()
    return other.result(timeout=10).ended is Ended.DONE


def test_of_a_job(workers, other, tmp_path):
    future = workers.submit(family("it", tmp_path))
    job, child = pids_of("it", tmp_path)
    os.kill(job, signal.SIGKILL)
    outcome = future.result(timeout=5)
    assert (outcome.ended, outcome.reason) == (Ended.FAILED, "killed by signal 9 (SIGKILL)")
    assert soon(lambda: not living(child))
    assert goes_on(other, tmp_path)


def test_of_a_keeper(workers, other, tmp_path):
    future = workers.submit(family("it", tmp_path))
    pids = pids_of("it", tmp_path)
    os.kill(parent_of(pids[0]), signal.SIGKILL)
    outcome = future.result(timeout=5)
    assert (outcome.ended, outcome.reason) == (Ended.LOST, "its keeper died: killed by signal 9 (SIGKILL)")
    assert soon(lambda: not living(*pids))
    assert goes_on(other, tmp_path)


class TestOfTheNursery:
    def test_loses_what_runs_and_what_waits_goes_on_in_a_new_one(self, workers, tmp_path):
        running = [workers.submit(family(name, tmp_path)) for name in ("one", "two")]
        waiting = workers.submit(
            shell(
                "waiting",
                "echo $$ $PPID > waiting.pids; echo fine".replace("waiting.pids", f"{tmp_path}/waiting.pids"),
                tmp_path,
            )
        )
        pids = pids_of("one", tmp_path) + pids_of("two", tmp_path)
        keepers = [parent_of(pids[0]), parent_of(pids[2])]
        os.kill(parent_of(keepers[0]), signal.SIGKILL)
        for future in running:
            outcome = future.result(timeout=5)
            assert (outcome.ended, outcome.reason) == (Ended.LOST, "the nursery died: killed by signal 9 (SIGKILL)")
        assert waiting.result(timeout=5).ended is Ended.DONE
        assert soon(lambda: not living(*pids, *keepers))

    def test_costs_run_all_an_attempt(self, workers, tmp_path):
        once = f"[ -e {tmp_path}/seen ] && exit 0; touch {tmp_path}/seen; kill -9 $(ps -o ppid= -p $PPID); sleep 300"
        outcomes = run_all([shell("it", once, tmp_path)], workers, retries=1)
        assert outcomes["it"].ended is Ended.DONE


DRIVER = """
import sys
from pathlib import Path
from interp_lab.jobs import executor, run_all
from tests.jobs.processes import family

folder = Path(sys.argv[1])
with executor("local", workers=2) as workers:
    print("open", flush=True)
    run_all([family(name, folder) for name in ("one", "two", "three")], workers, retries=0)
"""


class TestOfTheDriver:
    @pytest.fixture
    def driver(self, tmp_path):
        command = [sys.executable, "-c", DRIVER, str(tmp_path)]
        with subprocess.Popen(command, cwd=ROOT, stdout=-1, stderr=-1, text=True) as driver:
            yield driver
            driver.kill()

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
    def test_leaves_nobody_however_it_goes(self, number, driver, tmp_path):
        pids = pids_of("one", tmp_path) + pids_of("two", tmp_path)
        keeper = parent_of(pids[0])
        everyone = [*pids, keeper, parent_of(pids[2]), nursery := parent_of(keeper)]
        assert parent_of(nursery) == driver.pid
        began = time.monotonic()
        driver.send_signal(number)
        assert soon(lambda: not living(*everyone))
        assert time.monotonic() - began < 5
        assert driver.wait(timeout=10) != 0
        assert not (tmp_path / "three.pids").exists()

    def test_and_of_the_nursery_at_once(self, driver, tmp_path):
        pids = pids_of("one", tmp_path) + pids_of("two", tmp_path)
        nursery = parent_of(parent_of(pids[0]))
        os.kill(driver.pid, signal.SIGSTOP)  # it cannot act on the death of the nursery
        os.kill(nursery, signal.SIGKILL)
        driver.kill()
        assert soon(lambda: not living(*pids, nursery))
