"""The one interface through which long work is launched, whatever runs it."""

import concurrent.futures
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager
from typing import Literal, Protocol, runtime_checkable

from interp_lab.jobs.job import Ended, Job, Outcome, n_cores
from interp_lab.jobs.local import LocalLauncher
from interp_lab.jobs.slots import Slots

Backend = Literal["local", "ray"]
FINAL = (Ended.DONE, Ended.STOPPED)
"""Ends after which a job is not tried again."""


@runtime_checkable
class Executor(Protocol):
    """Runs so many jobs at a time, in the order they came."""

    n_workers: int

    def submit(self, job: Job) -> Future[Outcome]:
        """Queue a job; the future holds its outcome, whatever became of it, and no exception."""
        ...

    def stop(self, name: str) -> None:
        """End a job, as STOPPED; nothing happens if it has ended."""
        ...


@contextmanager
def executor(
    backend: Backend,
    *,
    workers: int,
    threads: int | None = None,
    address: str | None = None,
    preload: Sequence[str] = (),
) -> Generator[Executor]:
    """Open an executor; what still runs or waits at the end of the block is stopped, and gone before it is left.

    Args:
        workers: jobs at a time.
        threads: per job; by default the cores of this machine are shared out, and on a cluster that is there
            already (`address`) it is one.
        address: of a Ray cluster; without it Ray is started here, for the length of the block.
        preload: modules that every `interp-lab` job needs, imported once (on Ray: once per worker) and forked from.

    Raises: ValueError, for a number of workers or threads below 1, or an address where there is none to be had;
        RuntimeError, if the system or a missing package cannot serve the backend.
    """
    if workers < 1 or (threads is not None and threads < 1):
        raise ValueError(f"workers={workers}, threads={threads}: both must be at least 1 (threads may be left out)")
    each = threads or (1 if address else max(1, n_cores() // workers))
    if backend == "local":
        if address is not None:
            raise ValueError(
                f"address={address!r} is that of a Ray cluster; the backend is local: leave one of them out"
            )
        launcher = LocalLauncher(threads=each, preload=preload)
    else:
        from interp_lab.jobs.ray import RayLauncher

        launcher = RayLauncher(address, workers=workers, threads=each, preload=preload)
    with closing(Slots(launcher, n_workers=workers)) as slots:
        yield slots


def run_all(
    jobs: Iterable[Job],
    executor: Executor,
    *,
    retries: int,
    progress: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> dict[str, Outcome]:
    """Run jobs to their ends, and return the last outcome of each by name, in the order given.

    A job that failed, timed out or was lost is queued again, behind the others, at most `retries` times.

    Args:
        progress: told `(ended for good, all, which and how)`, from the calling thread.

    Raises: ValueError, if two jobs share a name.
    """
    given = list(jobs)
    by_name = {job.name: job for job in given}
    if len(by_name) < len(given):
        twice = [name for name, n in Counter(job.name for job in given).items() if n > 1]
        raise ValueError(f"several jobs are named {', '.join(twice)}; outcomes are told apart by name: vary it")
    left = dict.fromkeys(by_name, retries)
    outcomes: dict[str, Outcome] = {}
    running = {executor.submit(job): job for job in given}
    while running:
        for future in concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED).done:
            job, outcome = running.pop(future), future.result()
            if outcome.ended in FINAL or left[job.name] == 0:
                outcomes[job.name] = outcome
                progress(len(outcomes), len(given), f"{job.name} {outcome.ended.value}")
            else:
                left[job.name] -= 1
                running[executor.submit(job)] = job
    return {name: outcomes[name] for name in by_name}
