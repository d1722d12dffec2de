"""Jobs on a Ray cluster: the same, each kept by a nursery of the worker that took it.

Ray says where a job runs, and runs it again elsewhere if the node or the worker is lost; all else (sessions, locks,
time limits, logs) is what it is on one machine. The package must be installed on every node, at the same version, and
the folders that jobs write to must be shared by the nodes.
"""

import contextlib
import functools
import logging
import os
import queue
import signal
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

from interp_lab.jobs.job import Ended, Ending, Job, Outcome
from interp_lab.jobs.local import LocalLauncher

try:
    import ray
    from ray.exceptions import RayError, RayTaskError, TaskCancelledError
except ModuleNotFoundError as error:
    raise RuntimeError(
        "the backend ray needs the package ray: pip install 'interp_lab[ray]', or take the local backend"
    ) from error

LOSSES = 3
"""Nodes or workers that a job may lose before it ends as LOST."""
CARRIED = ("WANDB_", "HF_", "TRANSFORMERS_")
"""Variables of the driver that jobs see on any node; the rest (paths, devices) is a node's own."""
_GLANCE = 0.2
"""Seconds within which a worker notices that its job was cancelled."""
_STORE = 100_000_000
"""Bytes of the object store of a Ray started here: nothing but outcomes goes through it."""


class RayLauncher:
    """Starts jobs as tasks of a cluster, or of a Ray started here for the purpose."""

    def __init__(self, address: str | None, *, workers: int, threads: int, preload: Sequence[str]) -> None:
        """Connect, or start Ray with as many cores as the workers take.

        Args:
            address: of a cluster, such as `auto`; `None` starts Ray on this machine.
            threads: cores that a job asks the cluster for, and threads that it has.

        Raises: ValueError, if the cluster cannot hold a single job; ConnectionError, if there is none at the address.
        """
        self._was_connected = ray.is_initialized()
        if not self._was_connected:
            _connect(address, n_cpus=workers * threads)
        if (there := ray.cluster_resources().get("CPU", 0)) < threads:
            ray.shutdown()
            raise ValueError(f"threads={threads}, but the cluster has {there:g} cores; ask for fewer threads per job")
        carried = {key: value for key, value in os.environ.items() if key.startswith(CARRIED)}
        remote: Any = ray.remote  # its stubs know no functions with keyword arguments
        task = remote(run_here).options(num_cpus=threads, max_retries=LOSSES, name="interp_lab job")
        self._submit: Callable[[Job], Any] = lambda job: task.remote(
            job, threads=threads, preload=tuple(preload), env=carried, folder=str(Path.cwd())
        )
        self._running: dict[str, Any] = {}
        self._stopped: set[str] = set()

    def start(self, job: Job, ended: Ending) -> None:
        """Hand a job to the cluster, which queues it until cores are free."""
        reference = self._submit(Job.from_dict(job.as_dict()))
        self._running[job.name] = reference
        reference.future().add_done_callback(partial(self._ended, job.name, ended))

    def stop(self, name: str) -> None:
        """Cancel a job; its worker ends it."""
        reference = self._running.get(name)
        if reference is not None:
            self._stopped.add(name)
            ray.cancel(reference, force=False)

    def close(self) -> None:
        """Disconnect, which ends what still runs; stop Ray if it was started here."""
        if not self._was_connected:
            ray.shutdown()

    def _ended(self, name: str, ended: Ending, future: "Future[Outcome]") -> None:
        was_stopped = name in self._stopped
        del self._running[name]
        self._stopped.discard(name)
        ended(_outcome(future, was_stopped=was_stopped))


def run_here(job: Job, *, threads: int, preload: tuple[str, ...], env: Mapping[str, str], folder: str) -> Outcome:
    """Run a job in the nursery of this worker process; cancelled, it ends the job first."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a cluster begun in the background: none could cancel
        signal.signal(signal.SIGINT, signal.default_int_handler)
    answer: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
    nursery = _nursery_here(threads, preload, tuple(env.items()), folder)
    nursery.start(job, answer.put)
    try:
        while True:
            with contextlib.suppress(queue.Empty):
                return answer.get(timeout=_GLANCE)  # for ever would be too long: Ray cancels between instructions
    except KeyboardInterrupt:
        nursery.stop(job.name)
        answer.get()
        raise


@functools.cache
def _nursery_here(
    threads: int, preload: tuple[str, ...], env: tuple[tuple[str, str], ...], folder: str
) -> LocalLauncher:
    """Start this worker's nursery, once; it goes when the worker goes."""
    os.chdir(folder)
    return LocalLauncher(threads=threads, preload=preload, env=dict(env))


def _connect(address: str | None, *, n_cpus: int) -> None:
    # Jobs choose their devices by CUDA_VISIBLE_DEVICES, which Ray would empty for tasks that ask it for no GPU. This
    # reaches the nodes that are started here; those of a cluster need it where they are started (docs/scaling.md).
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if address is None:
        ray.init(
            num_cpus=n_cpus,
            include_dashboard=False,
            object_store_memory=_STORE,
            logging_level=logging.ERROR,
            log_to_driver=False,
        )
    else:
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)


def _outcome(future: "Future[Outcome]", *, was_stopped: bool) -> Outcome:
    """Read what a task came to, or what Ray says of it."""
    error = future.exception()
    if error is None:
        return future.result()
    if was_stopped or isinstance(error, TaskCancelledError):
        return Outcome(Ended.STOPPED, None, 0.0, "stopped")
    told = str(error).strip().splitlines() or [type(error).__name__]
    if not isinstance(error, RayError):  # raised here, in a callback, it would leave the driver waiting for ever
        return Outcome(Ended.FAILED, None, 0.0, f"Ray could not run it: {told[0]}")
    if isinstance(error, RayTaskError):
        return Outcome(Ended.FAILED, None, 0.0, f"the worker could not start it: {told[-1]}")
    return Outcome(Ended.LOST, None, 0.0, f"node or worker lost {LOSSES + 1} times: {told[0]}")
