"""`interp-lab serve`: what it takes, and what it says."""

import os
from pathlib import Path
from typing import Annotated

import typer

Settings = Annotated[
    list[str] | None, typer.Argument(metavar="[--KEY=VALUE]...", help="Other settings of a `ServeConfig`.")
]


def serve(
    settings: Settings = None,
    model: Annotated[str | None, typer.Option(help="A model's name or directory. [organism]")] = None,
    monitors: Annotated[Path | None, typer.Option(metavar="FILE.yaml", help="Who looks on; see the guide.")] = None,
    config: Annotated[Path | None, typer.Option(metavar="FILE.yaml", help="Settings; options go before it.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen at; another one needs a token.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="A free one by default.")] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="Holds the token that requests must bear; or INTERP_LAB_SERVE_TOKEN does.")
    ] = None,
    log: Annotated[Path | None, typer.Option(help="File of alarms, a JSON object a line; rotated.")] = None,
) -> None:
    """Answer requests over HTTP: generation, with the scores and alarms of monitors. SIGTERM or Ctrl-C ends it."""
    from interp_lab.apps import serve as service
    from interp_lab.config import merge, parse_overrides, read_yaml

    given = {name: value for name, value in (("model", model), ("log", log and str(log))) if value is not None}
    read = {} if config is None else read_yaml(config)
    made = service.ServeConfig.from_mapping(merge(merge(read, parse_overrides(settings or [])), given))
    entries = () if monitors is None else service.WatchFile.from_yaml(monitors).monitors
    token = service.read_token(token_file, os.environ)
    listener = service.listening(host, port, token=token)
    engine = service.Engine(service.loader(made, entries), made, service.Meters())
    typer.echo(f"{made.model} and {len(entries)} monitors at {service.address_of(listener)} until SIGTERM or Ctrl-C")
    service.serve(engine, listener, token=token)
    typer.echo("stopped")
