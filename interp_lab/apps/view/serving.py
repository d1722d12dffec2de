"""The server: on the loopback interface, until it is interrupted."""

import errno
import secrets
import socket

import uvicorn

from interp_lab.apps.view.app import view_app
from interp_lab.apps.view.guard import HOST, TOKEN
from interp_lab.apps.view.library import Library

_GRACE = 2
"""Seconds that answers have to end in once the server is interrupted."""


def listening(port: int | None = None) -> socket.socket:
    """Return a socket that listens on this machine only.

    Args:
        port: a free one by default.

    Raises: ValueError, if the port is taken, or not for everyone to use.
    """
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((HOST, port or 0))
        made.listen()
    except OSError as error:
        made.close()
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        why = "is taken" if error.errno == errno.EADDRINUSE else "may not be used"
        raise ValueError(f"port {port} {why}; leave --port away, and a free one is taken") from error
    return made


def new_token() -> str:
    """Return a word that nobody guesses: 192 random bits, from the system."""
    return secrets.token_urlsafe(24)


def address_of(listener: socket.socket, token: str) -> str:
    """Return the address to open: whoever has it can look."""
    return f"http://{HOST}:{listener.getsockname()[1]}/?{TOKEN}={token}"


def serve(library: Library, listener: socket.socket, *, token: str) -> None:
    """Answer until the process is interrupted.

    Args:
        token: that a browser must know; a new one each time (`new_token`).

    Raises: KeyboardInterrupt, on Ctrl-C, once the answers under way have ended; on SIGTERM what its handler raises.
    """
    app = view_app(library, port=listener.getsockname()[1], token=token)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=_GRACE,
    )
    with listener:
        uvicorn.Server(config).run(sockets=[listener])
