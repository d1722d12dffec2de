"""`interp-lab view`: what it takes, and what it says."""

from pathlib import Path
from typing import Annotated

import typer

from interp_lab.cli.stopping import stoppable

Folders = Annotated[
    list[Path], typer.Argument(metavar="FOLDER...", help="Run folders, or folders that hold some at any depth.")
]
Port = Annotated[int | None, typer.Option(min=1, max=65535, help="A free one by default.")]


def view(folders: Folders, port: Port = None) -> None:
    """Browse, filter and compare runs in a browser; nothing is changed. Only who has the address can look."""
    with stoppable("the same command"):
        from interp_lab.apps.view import Library, address_of, listening, new_token, serve

        library = Library(folders)
        listener = listening(port)
        n_runs, n_more = library.n_runs, len(library.investigations())
        held = [f"{n_runs} run{'s' if n_runs != 1 else ''}"]
        held += [f"{n_more} investigation{'s' if n_more != 1 else ''}"] if n_more else []
        token = new_token()
        typer.echo(f"{' and '.join(held)} at {address_of(listener, token)} until Ctrl-C")
        serve(library, listener, token=token)
