"""`interp-lab map`: one experiment as many jobs; and `interp-lab part`, which is what those jobs run."""

from pathlib import Path
from typing import Annotated, Literal

import typer

Config = Annotated[Path, typer.Argument(help="A YAML file; see experiments/configs.")]
Overrides = Annotated[list[str] | None, typer.Argument(metavar="[--KEY.PATH=VALUE]...", help="Values to override.")]

PRELOAD = ("interp_lab.cli.main", "interp_lab.cli.show", "interp_lab.sharding.work", "transformer_lens")
"""What every job needs, imported once, besides the modules of its experiment."""


def map_(
    config: Config,
    out: Annotated[Path, typer.Option(help="Folder of parts and run; the same one goes on after a kill.")],
    overrides: Overrides = None,
    backend: Annotated[Literal["local", "ray"], typer.Option(help="Processes of this machine, or a Ray cluster.")] = (
        "local"
    ),
    workers: Annotated[int | None, typer.Option(min=1, help="Jobs at a time. [one per core]")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Per job. [cores / workers]")] = None,
    per_job: Annotated[int, typer.Option(min=1, help="Parts of a job, which loads the model once.")] = 1,
    retries: Annotated[int, typer.Option(min=0, help="Of a job that failed.")] = 2,
    time_limit: Annotated[float | None, typer.Option(help="Seconds after which a job counts as hanging.")] = None,
    address: Annotated[str | None, typer.Option(help="Of a Ray cluster, such as auto.")] = None,
) -> None:
    """Make the parts of one large experiment by many jobs, and join them: the run of one process, byte by byte.

    For experiments that fall into parts: activations, sae_features (describe.sections), patching (sites_at_once).
    """
    from interp_lab.cli.result_tables import show_result
    from interp_lab.cli.show import progress_bar
    from interp_lab.cli.stopping import stoppable
    from interp_lab.config import parse_overrides
    from interp_lab.jobs import executor, n_cores
    from interp_lab.registry import load_experiment, load_result, modules_of
    from interp_lab.sharding import map_parts
    from interp_lab.sharding.work import require_divisible

    given = overrides or []
    experiment = require_divisible(load_experiment(config, parse_overrides(given)))
    preload, n_workers = (*PRELOAD, *modules_of(experiment.name)), workers or n_cores()
    with (
        stoppable("the same command"),
        executor(backend, workers=n_workers, threads=threads, address=address, preload=preload) as jobs,
        progress_bar() as progress,
    ):
        mapped = map_parts(
            [str(config), *given], out, jobs, per_job=per_job, retries=retries, time_limit=time_limit, progress=progress
        )
    show_result(load_result(mapped.run), mapped.run)
    typer.echo(f"{mapped.n_made} of {mapped.n_parts} parts made now, {mapped.n_parts - mapped.n_made} were there")


def part(
    step: Annotated[str, typer.Argument(help="plan, join, or numbers such as 3-5.")],
    config: Config,
    folder: Annotated[Path, typer.Option(help="Of the map.")],
    overrides: Overrides = None,
) -> None:
    """Do one job of `interp-lab map`; any may be done again."""
    from interp_lab.cli.show import progress_bar
    from interp_lab.config import parse_overrides
    from interp_lab.registry import load_experiment
    from interp_lab.sharding.driver import read_range
    from interp_lab.sharding.work import join_parts, make_range, plan_parts, require_divisible

    experiment = require_divisible(load_experiment(config, parse_overrides(overrides or [])))
    with progress_bar() as progress:
        if step == "plan":
            plan_parts(experiment, folder)
        elif step == "join":
            join_parts(experiment, folder, progress=progress)
        else:
            make_range(experiment, folder, read_range(step), progress=progress)
