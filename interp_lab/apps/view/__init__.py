"""`interp-lab view`: run folders to browse, filter and compare; read-only, on this machine and with a token only."""

from interp_lab.apps.view.app import view_app
from interp_lab.apps.view.library import Library
from interp_lab.apps.view.serving import address_of, listening, new_token, serve

__all__ = ["Library", "address_of", "listening", "new_token", "serve", "view_app"]
