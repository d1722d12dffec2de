"""The model at work in a thread of its own: a bounded queue, batches of what can be decoded together."""

import logging
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal

from interp_lab.apps.serve.batch import Batch, together
from interp_lab.apps.serve.config import ServeConfig
from interp_lab.apps.serve.job import Failed, Job
from interp_lab.apps.serve.meters import Meters
from interp_lab.apps.serve.refused import RefusedError
from interp_lab.apps.serve.watchlist import Watchlist
from interp_lab.production.monitors import EventLog
from interp_lab.types import HookedModel

State = Literal["loading", "ready", "stopping", "failed"]
FAILURES = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, OSError, RuntimeError, MemoryError)
"""What loading and decoding may raise; the latter costs the requests of its batch, and not the service."""
STOPPING = Failed(503, "stopping", "the service is being stopped; ask another one, or later")
FAILED = Failed(500, "model_failed", "the model failed on this request or one beside it; the service's log says more")
_LOG = logging.getLogger("interp_lab.serve")


@dataclass(frozen=True)
class Loaded:
    """What a service answers with."""

    model: HookedModel
    name: str
    watchlist: Watchlist


class Engine:
    """A queue, and a thread that empties it; `start` loads the model, `submit` asks, `close` ends."""

    def __init__(self, load: Callable[[], Loaded], config: ServeConfig, meters: Meters) -> None:
        self.config, self.meters = config, meters
        self.state: State = "loading"
        self.loaded: Loaded | None = None
        self.error: BaseException | None = None
        """Why it has failed."""
        self._load = load
        self._waiting: list[Job] = []
        self._running: list[Job] = []
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="interp-lab serve", daemon=True)

    def start(self) -> None:
        """Load the model, and then answer, in the background."""
        self._thread.start()

    @property
    def n_waiting(self) -> int:
        """Requests in the queue."""
        return len(self._waiting)

    def require_loaded(self) -> Loaded:
        """Return the model and its monitors.

        Raises: RefusedError, while it is being loaded.
        """
        if self.loaded is None:
            raise RefusedError(503, "loading", "the model is being loaded", retry_after=5)
        return self.loaded

    def require_ready(self) -> Loaded:
        """Return the model and its monitors.

        Raises: RefusedError, while it is being loaded, once it is to stop, or if the queue is full.
        """
        loaded = self.require_loaded()
        if self.state != "ready":
            raise RefusedError(STOPPING.status, STOPPING.code, STOPPING.message, retry_after=5)
        if len(self._waiting) >= self.config.queue_size:
            raise self._full()
        return loaded

    def submit(self, job: Job) -> None:
        """Put a request at the end of the queue.

        Raises: RefusedError, as `require_ready`.
        """
        with self._changed:
            self.require_ready()
            self._waiting.append(job)
            self.meters.waiting.set(len(self._waiting))
            self._changed.notify_all()

    def forget(self, job: Job) -> None:
        """Give a request up, wherever it is: in the queue it makes room, in a batch its row ends."""
        job.gone = True
        with self._changed:
            self._waiting = [one for one in self._waiting if one is not job]
            self.meters.waiting.set(len(self._waiting))

    def refuse(self) -> None:
        """Take no more requests; those that are there go on."""
        if self.state in ("loading", "ready"):
            self.state = "stopping"

    def abort(self) -> None:
        """Take no more requests, and tell those that are there that they are not answered."""
        self.refuse()
        for job in [*self._waiting, *self._running]:
            job.tell(STOPPING)
            self.forget(job)

    def close(self, *, within: float = 10.0) -> None:
        """End the thread; what it still has is given up."""
        self.abort()
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(within)

    def _full(self) -> RefusedError:
        n = self.config.queue_size
        return RefusedError(503, "queue_full", f"{n} requests are waiting, and there is no more room", retry_after=1)

    def _work(self) -> None:
        try:
            with ExitStack() as stack:
                log = None if self.config.log is None else stack.enter_context(_log(self.config))
                if not self._loads():
                    return
                while batch := self._next():
                    self._decode(batch, log)
        finally:
            if error := sys.exception():  # it goes on; nobody may wait for a thread that has ended
                self._fail(error)

    def _loads(self) -> bool:
        try:
            self.loaded = self._load()
        except FAILURES as error:
            self._fail(error)
            return False
        if self.state == "loading":
            self.state = "ready"
        return True

    def _fail(self, error: BaseException) -> None:
        self.error, self.state = error, "failed"
        for job in [*self._waiting, *self._running]:
            job.tell(FAILED)

    def _next(self) -> list[Job]:
        """Wait for requests, and take those out of the queue that are decoded next; none once all is to end."""
        assert self.loaded is not None, "the model is loaded first"
        with self._changed:
            self._running = []
            while not self._waiting and not self._closed:  # everyone may leave while it waits for more
                self._changed.wait()
                self._wait_for_more()
            if self._closed:
                return []
            self._running = together(self.loaded.model, self._waiting, at_most=self.config.max_batch)
            self._waiting = [one for one in self._waiting if one not in self._running]
            self.meters.waiting.set(len(self._waiting))
            return self._running

    def _wait_for_more(self) -> None:
        until = time.monotonic() + self.config.batch_wait_ms / 1000
        while 0 < len(self._waiting) < self.config.max_batch and not self._closed:
            left = until - time.monotonic()
            if left <= 0 or not self._changed.wait(left):
                return

    def _decode(self, jobs: list[Job], log: EventLog | None) -> None:
        assert self.loaded is not None, "the model is loaded first"
        now = time.monotonic()
        self.meters.rows.observe(len(jobs))
        for job in jobs:
            self.meters.waited.observe(now - job.arrived)
        try:
            bank = self.loaded.watchlist.bank(jobs[0].watchers)
            for n_tokens in Batch(self.loaded.model, jobs, bank, log=log).run():
                self.meters.generated.inc(n_tokens)
        except FAILURES:
            _LOG.exception("the model failed on requests %s", ", ".join(job.id for job in jobs))
            for job in jobs:
                job.tell(FAILED)


def _log(config: ServeConfig) -> EventLog:
    assert config.log is not None, "asked for where there is one"
    return EventLog(
        config.log, max_bytes=config.log_max_bytes, n_kept=config.log_files, keep_prompts=config.keep_prompts
    )
