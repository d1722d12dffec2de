"""Jobs forked from a nursery that has imported already: as good as processes started from nothing."""

import subprocess
import sys
import time

import pytest

from interp_lab.jobs import Ended, Job, executor

OBEDIENT = """
# Stands in for the command line: runs its argument as code, in a process that imported this module before the fork.
import os, random, stat, sys
import numpy.random
import interp_lab.cli.main as cli

print("noise while importing")
BORN_IN = os.getpid()
notes = []

def is_pipe(handle):
    try:
        return stat.S_ISFIFO(os.fstat(handle).st_mode)
    except OSError:
        return False

def open_pipes():
    return [handle for handle in range(64) if is_pipe(handle)]

def main():
    exec(sys.argv[1], globals())

cli.main = main
"""


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("modules")
    (folder / "obedient.py").write_text(OBEDIENT)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", str(folder))
        with executor("local", workers=1, threads=1, preload=("obedient",)) as opened:
            yield opened


@pytest.fixture
def run(workers, tmp_path):
    """Runs code in a forked job; returns its outcome and what it printed."""
    made = []

    def run(code, **options):
        job = Job("it", ("interp-lab", code), tmp_path / f"{len(made)}.log", **options)
        made.append(job)
        return workers.submit(job).result(timeout=30), job.log.read_text()

    return run


class TestForked:
    def test_is_a_process_of_its_own_in_which_imports_are_done(self, run):
        told = "print(os.getpid() != BORN_IN, os.getsid(0) == os.getpid(), sys.argv, sys.stdin.read())"
        outcome, printed = run(told)
        assert outcome == type(outcome)(Ended.DONE, 0, outcome.seconds)
        assert printed == f"True True {['interp-lab', told]} \n"

    def test_inherits_nothing_of_an_earlier_job(self, run):
        spoil = (
            "notes.append(1); os.environ['WANDB_NAME'] = 'x'; sys.modules['spoilt'] = 1; os.chdir('/'); print(notes)"
        )
        assert run(spoil)[1] == "[1]\n"
        again = "print(notes, 'WANDB_NAME' in os.environ, 'spoilt' in sys.modules, os.getcwd() == '/')"
        assert run(again)[1] == "[] False False False\n"

    def test_has_an_environment_of_its_own(self, run):
        told = "print(os.environ.get('WANDB_RUN_GROUP'), os.environ['OMP_NUM_THREADS'])"
        assert run(told, env={"WANDB_RUN_GROUP": "a"})[1] == "a 1\n"
        assert run(told)[1] == "None 1\n"

    def test_global_generators_differ_from_job_to_job(self, run):
        told = "print(numpy.random.random(), random.random())"
        first, second = run(told)[1].split(), run(told)[1].split()
        assert all(one != other for one, other in zip(first, second, strict=True))

    def test_handles_of_its_keepers_are_not_passed_on(self, run):
        assert run("print(open_pipes())")[1] == "[]\n"

    @pytest.mark.parametrize(
        ("code", "returncode", "reason"),
        [
            ("sys.exit(3)", 3, "exit code 3, and nothing in its log"),
            ("sys.exit('no such layer')", 1, "no such layer"),
            ("raise OSError(28, 'No space left on device')", 1, "OSError: [Errno 28] No space left on device"),
            ("os.kill(os.getpid(), 9)", -9, "killed by signal 9 (SIGKILL)"),
            ("import threading; threading.Thread(target=lambda: print('late')).start(); sys.exit(2)", 2, "late"),
            ("import atexit; atexit.register(print, 'at exit'); sys.exit(2)", 2, "at exit"),
        ],
        ids=["exit code", "words", "exception", "signal", "waits for its threads", "runs what it registered"],
    )
    def test_ends_like_any_process(self, code, returncode, reason, run):
        outcome, _ = run(code)
        assert (outcome.ended, outcome.returncode, outcome.reason) == (Ended.FAILED, returncode, reason)

    def test_prints_of_imported_modules_do_not_disturb(self, run):
        assert run("print('mine')")[1] == "mine\n"

    def test_a_variable_that_imports_read_makes_it_a_program(self, tmp_path, run):
        _, printed = run("print('not this')", env={"HF_HUB_OFFLINE": "0"})
        assert "No such command" in printed  # the real command line was given code


def test_a_module_that_is_not_there_is_told_by_every_forked_job(tmp_path):
    with executor("local", workers=1, preload=("interp_lab.nowhere",)) as workers:
        forked = workers.submit(Job("a", ("interp-lab", "list"), tmp_path / "a.log")).result(timeout=20)
        program = workers.submit(Job("b", ("true",), tmp_path / "b.log")).result(timeout=20)
    assert (forked.ended, program.ended) == (Ended.FAILED, Ended.DONE)
    assert forked.reason == "cannot import interp_lab.nowhere: No module named 'interp_lab.nowhere'"


def test_leaving_does_not_wait_for_imports(tmp_path, monkeypatch):
    (tmp_path / "endless.py").write_text("import time\ntime.sleep(300)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    began = time.monotonic()
    with executor("local", workers=1, preload=("endless",)) as workers:
        first, second = (workers.submit(Job(name, ("true",), tmp_path / name)) for name in ("first", "second"))
        workers.stop("first")
        assert first.result(timeout=5).reason == "stopped before it began"
    assert second.result(timeout=5).ended is Ended.STOPPED
    assert time.monotonic() - began < 5


def test_nothing_heavy_is_imported_by_the_driver():
    code = "import sys, interp_lab.jobs.nursery; print({'torch', 'numpy', 'pandas', 'ray', 'typer'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told == "set()\n"
