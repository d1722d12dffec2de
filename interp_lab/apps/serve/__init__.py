"""`interp-lab serve`: one model behind HTTP, its monitors looking on; loopback, or with a token."""

from interp_lab.apps.serve.app import serve_app
from interp_lab.apps.serve.config import ServeConfig
from interp_lab.apps.serve.engine import Engine, Loaded
from interp_lab.apps.serve.guard import Guard
from interp_lab.apps.serve.loading import loader
from interp_lab.apps.serve.meters import Meters
from interp_lab.apps.serve.serving import Service, address_of, listening, read_token, serve
from interp_lab.apps.serve.watchlist import WatchEntry, WatchFile, Watchlist

__all__ = [
    "Engine",
    "Guard",
    "Loaded",
    "Meters",
    "ServeConfig",
    "Service",
    "WatchEntry",
    "WatchFile",
    "Watchlist",
    "address_of",
    "listening",
    "loader",
    "read_token",
    "serve",
    "serve_app",
]
