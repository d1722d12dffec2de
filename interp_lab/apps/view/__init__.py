"""`interp-lab view`: run folders to browse, filter and compare; read-only, on this machine only."""

from interp_lab.apps.view.app import view_app
from interp_lab.apps.view.library import Library
from interp_lab.apps.view.serving import listening, serve

__all__ = ["Library", "listening", "serve", "view_app"]
