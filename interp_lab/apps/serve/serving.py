"""The server: where it listens, who may ask it, and how it ends."""

import asyncio
import errno
import ipaddress
import os
import signal
import socket
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import uvicorn

from interp_lab.apps.serve.app import serve_app
from interp_lab.apps.serve.engine import Engine
from interp_lab.apps.serve.guard import Guard

TOKEN_VARIABLE = "INTERP_LAB_SERVE_TOKEN"
"""Holds the token where no file does."""
SHORTEST = 16
"""Characters of a token."""
_FLUSH_S = 3
"""For answers that were told of the end to go out (seconds)."""


def read_token(file: Path | None, environment: Mapping[str, str]) -> str | None:
    """Return the token that requests must bear; `None` if none was given.

    Raises: ValueError, if it is short or no plain word, or if others may read the file; OSError, if it cannot be read.
    """
    if file is not None and os.name == "posix" and file.stat().st_mode & 0o077:
        raise ValueError(f"others may read the token in {file}; keep it to yourself, with: chmod 600 {file}")
    given = file.read_text("utf-8").strip() if file is not None else environment.get(TOKEN_VARIABLE)
    if given is None:
        return None
    if len(given) < SHORTEST or not given.isascii() or not given.isprintable() or " " in given:
        raise ValueError(
            f"the token has {len(given)} characters; use {SHORTEST} or more of plain ASCII without blanks, such as "
            "`openssl rand -hex 24` makes"
        )
    return given


def is_loopback(host: str) -> bool:
    """Whether only this machine can ask at an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def listening(host: str, port: int | None, *, token: str | None) -> socket.socket:
    """Return a socket that listens.

    Args:
        port: a free one by default.

    Raises: ValueError, for an address that others can reach without a token, one that this machine has not, or a port
        that is taken or not for everyone to use.
    """
    if token is None and not is_loopback(host):
        raise ValueError(
            f"at {host} others can reach this service, and it has no token; give one with --token-file or in "
            f"{TOKEN_VARIABLE}, or leave --host away"
        )
    found = None
    try:
        [(family, kind, _, _, address), *_] = socket.getaddrinfo(host, port or 0, type=socket.SOCK_STREAM)
        found = socket.socket(family, kind)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen()
    except OSError as error:
        if found is not None:
            found.close()
        raise ValueError(_why(host, port, error)) from error
    return found


def _why(host: str, port: int | None, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is taken; leave --port away, and a free one is taken"
    if error.errno == errno.EACCES:
        return f"port {port} may not be used; leave --port away, and a free one is taken"
    return f"--host {host} is no address of this machine ({error.strerror}); leave it away for this machine alone"


def address_of(listener: socket.socket) -> str:
    """Return where the service answers."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def hosts_of(listener: socket.socket) -> set[str]:
    """Return the names under which a service on this machine's own interface answers."""
    host, port = listener.getsockname()[:2]
    names = {"localhost", f"[{host}]" if ":" in host else host}
    return {f"{name}:{port}" for name in names} | (names if port == 80 else set())


class Service(uvicorn.Server):
    """A server that ends cleanly: it takes no more, lets what runs end within its time, and answers the rest.

    SIGTERM or Ctrl-C ends it, a second one at once.
    """

    def __init__(self, engine: Engine, listener: socket.socket, *, token: str | None) -> None:
        self.engine = engine
        hosts = hosts_of(listener) if token is None else None
        guard = Guard(
            serve_app(engine, has_token=token is not None), engine.config, engine.meters, hosts=hosts, token=token
        )
        config = engine.config
        super().__init__(
            uvicorn.Config(
                guard,
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                lifespan="off",
                ws="none",
                timeout_graceful_shutdown=int(config.grace_s) + _FLUSH_S,
                # Beyond what may wait and what is decoded, a few more to be told so.
                limit_concurrency=config.queue_size + config.max_batch + 64,
            )
        )

    async def on_tick(self, counter: int) -> bool:
        """End, too, when the thread of the model has."""
        return await super().on_tick(counter) or self.engine.state == "failed"

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, and wait for what runs, for as long as it may."""
        self.engine.refuse()
        timer = asyncio.get_running_loop().call_later(self.engine.config.grace_s, self.engine.abort)
        await super().shutdown(sockets)
        timer.cancel()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end; asked again, end at once."""
        if self.should_exit:
            self.force_exit = True
        self.should_exit = True
        self.engine.refuse()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Take signals as requests to end, which is no failure: unlike uvicorn, do not raise them again afterwards."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {one: signal.signal(one, self.handle_exit) for one in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)


def serve(engine: Engine, listener: socket.socket, *, token: str | None) -> None:
    """Load the model and answer until the process is told to end.

    Raises: what loading raised; RuntimeError, if the thread of the model has ended.
    """
    engine.start()
    try:
        with listener:
            Service(engine, listener, token=token).run(sockets=[listener])
    finally:
        engine.close()
    if engine.error is not None and engine.loaded is None:
        raise engine.error
    if engine.error is not None:
        raise RuntimeError(f"the thread of the model has ended: {engine.error!r}") from engine.error
