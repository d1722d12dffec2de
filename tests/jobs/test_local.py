"""Jobs on this machine: how they end, what is kept of them, and what they may take for granted."""

import fcntl
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from interp_lab.jobs import Ended, Job, executor, n_cores
from tests.jobs.processes import family, living, pids_of, shell, soon


@pytest.fixture(scope="module")
def workers():
    with executor("local", workers=2, threads=3) as opened:
        yield opened


def run(workers, job):
    return workers.submit(job).result(timeout=60)


def told_by_hasty(job, patch):
    """What a nursery that waits less long tells of a job."""
    hasty = f"from interp_lab.jobs import keeper, nursery; keeper.{patch}; nursery.main()"
    with subprocess.Popen([sys.executable, "-c", hasty], stdin=-1, stdout=-1, text=True) as nursery:
        nursery.stdin.write(json.dumps({"start": job.as_dict()}) + "\n")
        nursery.stdin.flush()
        told = []
        while "ended" not in (told or [{}])[-1]:
            told.append(json.loads(nursery.stdout.readline()))
        nursery.stdin.close()
    assert "ready" in told[0]
    return told[1:]


class TestEnds:
    @pytest.mark.parametrize(
        ("command", "ended", "returncode", "reason"),
        [
            ("echo all is well; echo really >&2", Ended.DONE, 0, ""),
            ("echo begun; echo 'error: no such layer' >&2; echo; exit 3", Ended.FAILED, 3, "error: no such layer"),
            ("printf 'half\\rwhole \\033[31mred\\033[0m'; exit 1", Ended.FAILED, 1, "whole red"),
            ("exit 4", Ended.FAILED, 4, "exit code 4, and nothing in its log"),
            ("echo begun; kill -9 $$", Ended.FAILED, -9, "killed by signal 9 (SIGKILL)"),
        ],
        ids=["done", "says why", "progress bars and colours", "says nothing", "killed"],
    )
    def test_are_told_with_their_reason(self, command, ended, returncode, reason, workers, tmp_path):
        outcome = run(workers, shell("it", command, tmp_path))
        assert (outcome.ended, outcome.returncode, outcome.reason) == (ended, returncode, reason)

    def test_a_program_that_is_not_there(self, workers, tmp_path):
        outcome = run(workers, Job("it", ("no-such-program",), tmp_path / "log"))
        assert (outcome.ended, outcome.reason) == (
            Ended.FAILED,
            "cannot start no-such-program: No such file or directory",
        )

    def test_time_limit_ends_all_that_it_started(self, workers, tmp_path):
        outcome = run(workers, family("slow", tmp_path, time_limit=0.4))
        assert (outcome.ended, outcome.reason) == (Ended.TIMED_OUT, "not done after 0.4 s")
        assert 0.4 < outcome.seconds < 3
        assert soon(lambda: not living(*pids_of("slow", tmp_path)))

    def test_one_that_will_not_go_is_killed_after_a_grace(self, tmp_path):
        deaf = shell("deaf", "trap '' TERM; sleep 300 & sleep 300", tmp_path, time_limit=0.2)
        born, ended = told_by_hasty(deaf, "GRACE = 0.4")
        assert (ended["ended"], ended["returncode"], ended["reason"]) == ("timed out", -9, "not done after 0.2 s")
        assert 0.6 < ended["seconds"] < 3
        assert not living(born["pid"])

    def test_one_that_is_done_leaves_nobody_behind(self, workers, tmp_path):
        assert (
            run(workers, shell("parent", f"sleep 300 & echo $$ $! > {tmp_path}/parent.pids", tmp_path)).ended
            is Ended.DONE
        )
        assert soon(lambda: not living(*pids_of("parent", tmp_path)))

    def test_stopping(self, workers, tmp_path):
        futures = [workers.submit(family(name, tmp_path)) for name in ("one", "two", "queued")]
        pids = pids_of("one", tmp_path) + pids_of("two", tmp_path)
        for name in ("queued", "one", "two", "nobody"):
            workers.stop(name)
        one, two, queued = [future.result(timeout=10) for future in futures]
        assert (one.ended, two.ended, queued.ended) == (Ended.STOPPED,) * 3
        assert (one.returncode, queued.returncode) == (-15, None)
        assert soon(lambda: not living(*pids))
        assert not (tmp_path / "queued.log").exists()

    def test_leaving_the_block_stops_what_runs_and_what_waits(self, tmp_path):
        with executor("local", workers=1) as closing:
            running, waiting = (closing.submit(family(name, tmp_path)) for name in ("running", "waiting"))
            pids = pids_of("running", tmp_path)
        assert living(*pids) == []
        assert (running.result().ended, waiting.result().ended) == (Ended.STOPPED, Ended.STOPPED)
        with pytest.raises(RuntimeError, match="closed"):
            closing.submit(family("late", tmp_path))


class TestQueue:
    def test_runs_so_many_at_a_time_in_order(self, workers, tmp_path):
        note = "echo + {0} >> {1}; sleep 0.15; echo - {0} >> {1}"
        futures = [workers.submit(shell(str(n), note.format(n, tmp_path / "notes"), tmp_path)) for n in range(5)]
        assert all(future.result(timeout=20).ended is Ended.DONE for future in futures)
        notes = [line.split() for line in (tmp_path / "notes").read_text().splitlines()]
        at_a_time = [sum(1 if sign == "+" else -1 for sign, _ in notes[: n + 1]) for n in range(len(notes))]
        assert max(at_a_time) == 2
        begun = [int(name) for sign, name in notes if sign == "+"]
        assert all(abs(name - place) <= 1 for place, name in enumerate(begun))  # two that start together may swap

    def test_refuses_a_second_of_the_same_name(self, workers, tmp_path):
        future = workers.submit(shell("same", "sleep 0.2", tmp_path))
        with pytest.raises(ValueError, match="'same' is there already"):
            workers.submit(shell("same", "true", tmp_path))
        future.result(timeout=10)
        assert run(workers, shell("same", "true", tmp_path)).ended is Ended.DONE

    @pytest.mark.parametrize("asked", [{"workers": 0}, {"workers": 1, "threads": 0}, {"workers": 1, "address": "auto"}])
    def test_refuses_what_cannot_be(self, asked):
        with pytest.raises(ValueError, match=r"at least 1|address"), executor("local", **asked):
            pass


class TestSurroundings:
    def test_the_log_gets_both_streams_in_order_and_is_appended_to(self, workers, tmp_path):
        command = (sys.executable, "-c", "import sys; print('out'); print('err', file=sys.stderr); print('out again')")
        job = Job("it", command, tmp_path / "new" / "folder" / "log")
        run(workers, job)
        run(workers, job)
        assert job.log.read_text() == "out\nerr\nout again\n" * 2

    def test_environment_is_the_drivers_and_the_jobs_own(self, tmp_path, monkeypatch):
        monkeypatch.setenv("OF_THE_DRIVER", "kept")
        with executor("local", workers=2, threads=3) as workers:
            told = [
                shell(name, "echo $OF_THE_DRIVER-$OWN-$OMP_NUM_THREADS-$PYTHONHASHSEED", tmp_path, env=env)
                for name, env in (("a", {"OWN": "a", "PYTHONHASHSEED": "1"}), ("b", {"OWN": "b"}), ("c", {}))
            ]
            for future in [workers.submit(job) for job in told]:
                future.result(timeout=20)
        assert [job.log.read_text() for job in told] == ["kept-a-3-1\n", "kept-b-3-\n", "kept--3-\n"]

    def test_cores_are_shared_out(self, tmp_path):
        with executor("local", workers=1) as workers:
            workers.submit(shell("it", "echo $OMP_NUM_THREADS", tmp_path)).result(timeout=20)
        assert (tmp_path / "it.log").read_text() == f"{n_cores()}\n"

    def test_the_programs_of_this_python_come_first(self, workers, tmp_path):
        run(workers, Job("it", ("python", "-c", "import sys; print(sys.executable)"), tmp_path / "log"))
        assert Path((tmp_path / "log").read_text().strip()).samefile(sys.executable)

    def test_nothing_is_read_from_the_terminal(self, workers, tmp_path):
        assert run(workers, shell("it", "cat; read answer", tmp_path, time_limit=5.0)).ended is Ended.FAILED

    def test_handles_of_its_keepers_are_not_passed_on(self, workers, tmp_path):
        if not Path("/proc/self/fd").is_dir():
            pytest.skip("only Linux lists them")
        code = (
            "import os; print(sorted(n for n in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{n}')))"
        )
        run(workers, Job("it", (sys.executable, "-c", code), tmp_path / "log"))
        assert (tmp_path / "log").read_text() == "['0', '1', '2']\n"


class TestLock:
    def test_waits_for_an_orphan_to_let_go(self, workers, tmp_path):
        lock = tmp_path / "lock"
        with lock.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            future = workers.submit(shell("again", "echo begun", tmp_path, lock=lock))
            time.sleep(0.4)
            assert not future.done()
            assert (tmp_path / "again.log").read_text() == ""
        outcome = future.result(timeout=10)
        assert (outcome.ended, (tmp_path / "again.log").read_text()) == (Ended.DONE, "begun\n")
        assert outcome.seconds > 0.3

    def test_is_held_for_as_long_as_it_runs(self, workers, tmp_path):
        lock = tmp_path / "lock"
        future = workers.submit(family("it", tmp_path, lock=lock))
        pids_of("it", tmp_path)
        with lock.open("w") as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        workers.stop("it")
        future.result(timeout=10)
        with lock.open("w") as other:
            assert soon(lambda: _locks(other))

    def test_waiting_can_be_stopped(self, workers, tmp_path):
        lock = tmp_path / "lock"
        with lock.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            future = workers.submit(shell("again", "echo begun", tmp_path, lock=lock))
            assert soon((tmp_path / "again.log").exists)
            workers.stop("again")
            assert future.result(timeout=5).reason == "stopped before it began"

    def test_one_that_is_never_let_go_is_a_failure(self, tmp_path):
        lock = tmp_path / "lock"
        with lock.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            told = told_by_hasty(shell("again", "echo begun", tmp_path, lock=lock), "PATIENCE = 0.3")
        assert told[-1]["ended"] == "failed"
        assert told[-1]["reason"] == f"could not start: another process holds {lock}; end it, then try again"


def _locks(handle) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class TestFullDisk:
    def test_a_file_that_grew_too_large_is_a_failure_with_its_reason(self, workers, tmp_path):
        code = f"open({str(tmp_path / 'large')!r}, 'wb').write(bytes(1 << 20))"
        limited = f'ulimit -f 8; exec {sys.executable} -c "{code}"'
        outcome = run(workers, shell("it", limited, tmp_path))
        assert (outcome.ended, outcome.reason) == (Ended.FAILED, "OSError: [Errno 27] File too large")

    def test_a_log_that_takes_nothing(self, workers, tmp_path):
        if not (full := Path("/dev/full")).exists():
            pytest.skip("no device that is always full")
        outcome = run(workers, Job("it", (sys.executable, "-c", "print('lost words')"), full))
        assert (outcome.ended, outcome.reason) == (Ended.FAILED, "exit code 1, and nothing in its log")

    def test_a_disk_without_space_is_named(self, workers, tmp_path):
        disk = tmp_path / "disk"
        disk.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", disk], capture_output=True).returncode:
            pytest.skip("only root can mount")
        try:
            job = Job("it", ("sh", "-c", f"head -c 99999 /dev/zero > {disk}/all || exit 5"), disk / "it.log")
            outcome = run(workers, job)
        finally:
            subprocess.run(["umount", "-l", disk], check=True)
        assert (outcome.ended, outcome.returncode) == (Ended.FAILED, 5)
        assert outcome.reason == f"exit code 5, and nothing in its log; no space left in {disk}"

    def test_a_folder_that_cannot_be_made(self, workers, tmp_path):
        (tmp_path / "file").write_text("")
        outcome = run(workers, Job("it", ("true",), tmp_path / "file" / "log"))
        assert outcome.ended is Ended.FAILED
        assert outcome.reason.startswith("could not start: [Errno")
