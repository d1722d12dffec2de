"""A service on a tiny model: in this process, or listening on this machine; and decoding that waits to be let on."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from starlette.testclient import TestClient

from interp_lab.apps.serve import (
    Engine,
    Guard,
    Loaded,
    Meters,
    ServeConfig,
    Service,
    WatchEntry,
    Watchlist,
    address_of,
    listening,
    serve_app,
)
from interp_lab.apps.serve import batch as batches
from interp_lab.models import declare_identity
from interp_lab.production.monitors import Monitor
from tests.decoding.kinds import model_of

HOOK = "blocks.0.hook_resid_post"
HOST = "testserver"


@cache
def tiny():
    model = model_of("rotary", n_ctx=48)
    declare_identity(model, name="tiny", processing="raw")
    return model


def weights(seed: int) -> torch.Tensor:
    return torch.randn(16, generator=torch.Generator().manual_seed(seed))


def entry(name: str, **changes: Any) -> WatchEntry:
    return WatchEntry.from_mapping({"name": name, "file": "unused", "reads": "all+bos", **changes})


def watchlist(*entries: WatchEntry) -> Watchlist:
    """Monitors of random directions, as their entries say."""
    monitors = [Monitor(one.name, HOOK, weights(nth), **one.settings) for nth, one in enumerate(entries)]
    return Watchlist.loaded(entries, monitors, tiny())


MONITORS = watchlist(
    entry("plain", over="mean"),
    entry("watchful", threshold=1.0, action="flag", route="a person", response={"coefficient": -40.0, "layer": 1}),
)


def until(holds: Callable[[], bool], *, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came to hold"
        time.sleep(0.005)


@contextmanager
def engine_of(
    monitors: Watchlist | None = None, model: Any = None, load: Callable[[], Loaded] | None = None, **settings: Any
) -> Iterator[Engine]:
    found = Loaded(tiny() if model is None else model, "tiny", Watchlist() if monitors is None else monitors)
    made = Engine(load or (lambda: found), ServeConfig(**{"batch_wait_ms": 0, **settings}), Meters())
    made.start()
    if load is None:
        until(lambda: made.state != "loading")
    try:
        yield made
    finally:
        made.close()


@dataclass
class Client:
    """Asks a service in this process; every request in a thread of its own, if asked so."""

    engine: Engine
    http: TestClient
    pool: ThreadPoolExecutor

    def post(self, path: str = "/v1/generate", **body: Any) -> Any:
        return self.http.post(path, json=body)

    def later(self, path: str = "/v1/generate", **body: Any) -> "Future[Any]":
        return self.pool.submit(self.post, path, **body)

    def queued(self, *bodies: dict[str, Any]) -> list["Future[Any]"]:
        """Ask, one after the other, each as soon as the one before is in the queue."""
        found = []
        for body in bodies:
            n = self.engine.n_waiting
            found.append(self.later(**body))
            until(lambda n=n: self.engine.n_waiting == n + 1)
        return found

    def occupied(self, **changes: Any) -> "Future[Any]":
        """Ask something that the service is at, while what follows waits in the queue; for use with a shut gate."""
        found = self.later(**{"prompt": [1], "max_new_tokens": 2, "stop_tokens": [], **changes})
        until(lambda: bool(self.engine._running))
        return found


@contextmanager
def client(
    monitors: Watchlist | None = None, *, hosts: set[str] | None = None, token: str | None = None, **settings: Any
) -> Iterator[Client]:
    with engine_of(monitors, **settings) as engine, ThreadPoolExecutor(24) as pool:
        guard = Guard(
            serve_app(engine, has_token=token is not None), engine.config, engine.meters, hosts=hosts, token=token
        )
        yield Client(engine, TestClient(guard, raise_server_exceptions=False), pool)


class Gate:
    """What stands before every step of a decoding, while it is shut."""

    def __init__(self) -> None:
        self._steps = threading.Semaphore(0)
        self.is_open = False

    def let(self, n_steps: int) -> None:
        self._steps.release(n_steps)

    def open(self) -> None:
        self.is_open = True
        self.let(1000)

    def put_before(self, monkeypatch) -> "Gate":
        def gated(*given: Any, **named: Any) -> Iterator[Any]:
            steps = iter(decoding(*given, **named))
            while True:
                if not self.is_open:
                    self._steps.acquire()
                try:
                    yield next(steps)
                except StopIteration:
                    return

        decoding = batches.stream
        monkeypatch.setattr(batches, "stream", gated)
        return self


def events_of(text: str) -> list[tuple[str, dict[str, Any]]]:
    """Names and data of server-sent events."""
    found = []
    for block in text.strip().split("\n\n"):
        name, data = block.split("\n")
        assert name.startswith("event: ")
        assert data.startswith("data: ")
        found.append((name[7:], json.loads(data[6:])))
    return found


@dataclass
class Running:
    """A service that listens on this machine."""

    engine: Engine
    server: Service
    url: str
    thread: threading.Thread


@contextmanager
def running(monitors: Watchlist | None = None, **settings: Any) -> Iterator[Running]:
    with engine_of(monitors, **settings) as engine:
        listener = listening("127.0.0.1", None, token=None)
        url = address_of(listener)
        server = Service(engine, listener, token=None)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
        thread.start()
        until(lambda: server.started)
        try:
            yield Running(engine, server, url, thread)
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive()


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
