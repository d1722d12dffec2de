"""Many jobs to their ends, with an executor that answers from a script."""

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from interp_lab.jobs import Ended, Executor, Job, Outcome, run_all


class Scripted:
    """Answers a job's attempts with the ends that it was given, one after the other."""

    n_workers = 1

    def __init__(self, **ends: list[Ended]) -> None:
        self.left: dict[str, Iterator[Ended]] = {name: iter(given) for name, given in ends.items()}
        self.asked: list[str] = []

    def submit(self, job: Job) -> Future[Outcome]:
        self.asked.append(job.name)
        future: Future[Outcome] = Future()
        future.set_result(Outcome(next(self.left[job.name]), None, 0.0, f"attempt {self.asked.count(job.name)}"))
        return future

    def stop(self, name: str) -> None:
        raise AssertionError("nobody asked for that")


def jobs(*names):
    return [Job(name, ("true",), Path(f"{name}.log")) for name in names]


def test_tries_again_what_failed_so_often_and_no_more():
    failing = [Ended.FAILED, Ended.TIMED_OUT, Ended.LOST, Ended.DONE]
    executor = Scripted(well=[Ended.DONE], stopped=[Ended.STOPPED], third=failing[1:], never=failing)
    assert isinstance(executor, Executor)
    told = []
    names = ("never", "third", "well", "stopped")
    outcomes = run_all(jobs(*names), executor, retries=2, progress=lambda *news: told.append(news))
    assert {name: (one.ended, one.reason) for name, one in outcomes.items()} == {
        "never": (Ended.LOST, "attempt 3"),
        "third": (Ended.DONE, "attempt 3"),
        "well": (Ended.DONE, "attempt 1"),
        "stopped": (Ended.STOPPED, "attempt 1"),
    }
    assert tuple(outcomes) == names
    assert [news[:2] for news in told] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert sorted(news[2] for news in told) == ["never lost", "stopped stopped", "third done", "well done"]


def test_no_retries_is_one_attempt():
    executor = Scripted(it=[Ended.FAILED])
    assert run_all(jobs("it"), executor, retries=0)["it"].reason == "attempt 1"
    assert executor.asked == ["it"]


def test_nothing_to_do():
    assert run_all([], Scripted(), retries=3) == {}


def test_names_must_differ():
    with pytest.raises(ValueError, match="several jobs are named b"):
        run_all(jobs("a", "b", "b"), Scripted(), retries=0)
