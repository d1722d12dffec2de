"""`interp-lab sweep`: what it takes, and what it says."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from interp_lab.cli.folders import new_folder
from interp_lab.cli.stopping import stoppable

if TYPE_CHECKING:
    from interp_lab.sweeps.settings import SweepSettings

File = Annotated[Path | None, typer.Argument(help="A sweep as W&B takes it; see experiments/sweeps.")]
Backend = Annotated[
    Literal["local", "ray", "wandb"],
    typer.Option(help="Processes of this machine, a Ray cluster, or agents of a sweep on W&B's server."),
]
Out = Annotated[Path | None, typer.Option(help="Folder of the sweep; a new one under out/ by default.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Trials at a time. [one per core]")]
Threads = Annotated[int | None, typer.Option(min=1, help="Of each trial. [the cores, shared out]")]
Trials = Annotated[int | None, typer.Option(min=1, help="In all; by default the file's run_cap, or the whole grid.")]
TimeLimit = Annotated[float | None, typer.Option(help="Seconds after which a trial counts as hanging.")]
Retries = Annotated[int | None, typer.Option(min=0, help="Of a trial that failed or hung. [2]")]
Seed = Annotated[int | None, typer.Option(min=0, help="Of the proposals. [0]")]
HeldOutSeeds = Annotated[
    int | None, typer.Option(min=1, help="Fresh seeds that the winner is measured again with. [3]")
]
NoHeldOut = Annotated[bool, typer.Option("--no-held-out", help="Do not measure the winner on held-out examples.")]
Pareto = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME[:min|max]", help="Further metric for the page's trade-offs; may be given twice."),
]
Wandb = Annotated[
    Literal["auto", "online", "offline", "off"] | None,
    typer.Option(help="Log every trial to W&B, in one group. [off]"),
]
Address = Annotated[str | None, typer.Option(help="Of a Ray cluster, such as auto; by default one is started here.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the sweep in --out; start it if there is none.")]
Replay = Annotated[Path | None, typer.Option(metavar="FOLDER", help="Run the trials of this sweep again, and compare.")]


def sweep(
    file: File = None,
    backend: Backend = "local",
    out: Out = None,
    workers: Workers = None,
    threads: Threads = None,
    trials: Trials = None,
    time_limit: TimeLimit = None,
    retries: Retries = None,
    seed: Seed = None,
    held_out_seeds: HeldOutSeeds = None,
    no_held_out: NoHeldOut = False,
    pareto: Pareto = None,
    wandb: Wandb = None,
    address: Address = None,
    resume: Resume = False,
    replay: Replay = None,
) -> None:
    """Search over an experiment's config: try values, keep every trial, measure the winner on held-out examples.

    Stop it at any time; the same command with --resume goes on.
    """
    if (file is None) == (replay is None):
        raise typer.BadParameter("name one sweep: a FILE, or --replay FOLDER")
    if resume and out is None:
        raise typer.BadParameter("--resume goes on with the sweep in --out; say which folder that is")
    from interp_lab.jobs import n_cores
    from interp_lab.sweeps.settings import SweepSettings

    folder = out or new_folder(file or replay or Path("sweep"))
    maybe = {
        "threads": threads, "time_limit": time_limit, "retries": retries, "seed": seed, "address": address,
        "held_out_seeds": held_out_seeds, "pareto": pareto, "wandb": wandb,
    }  # fmt: skip
    given = {name: value for name, value in maybe.items() if value not in (None, [])}
    if backend == "wandb":
        flags = {"--resume": resume, "--no-held-out": no_held_out, "--replay": replay}
        named = [f"--{name.replace('_', '-')}" for name in given]
        _require_theirs([*(flag for flag, is_set in flags.items() if is_set), *named])
        assert file is not None, "there is a FILE or --replay"
        _on_server(file, folder, n_agents=workers or 1, n_trials=trials)
        return
    ours = {"backend": backend, "workers": workers or n_cores(), "n_trials": trials, "held_out": not no_held_out}
    settings = SweepSettings.from_mapping({**ours, **given})
    with stoppable(f"the same command with --out {shlex.quote(str(folder))} --resume"):
        if replay is not None:
            _replayed(replay, settings, folder, resume=resume)
        elif file is not None:
            _swept(file, settings, folder, resume=resume)


def _swept(file: Path, settings: "SweepSettings", folder: Path, *, resume: bool) -> None:
    from interp_lab.cli.result_tables import show_result
    from interp_lab.cli.sweep_table import watching
    from interp_lab.sweeps.definition import read_definition
    from interp_lab.sweeps.driver import run_sweep
    from interp_lab.sweeps.opening import RESULT
    from interp_lab.sweeps.study import n_trials_of

    definition = read_definition(file)
    n_trials = settings.n_trials or definition.run_cap
    if definition.method == "grid":
        n_trials = n_trials_of(definition, settings)
    with watching(definition.metric, goal=definition.goal, n_trials=n_trials) as watcher:
        result = run_sweep(definition, settings, folder, resume=resume, watch=watcher.show, progress=watcher.again)
    show_result(result, folder)
    page = shlex.join(["interp-lab", "report", str(folder / RESULT), "--out", str(folder / "sweep.html")])
    typer.echo(f"its page: {page}")


def _replayed(recorded: Path, settings: "SweepSettings", folder: Path, *, resume: bool) -> None:
    from interp_lab.cli.sweep_table import watching
    from interp_lab.sweeps.replay import recorded_definition, replay

    definition = recorded_definition(recorded)
    with watching(definition.metric, goal=definition.goal, n_trials=None) as watcher:
        replayed = replay(recorded, settings, folder, resume=resume, watch=watcher.show)
    typer.echo(replayed.summary())
    if not replayed.is_same:
        raise typer.Exit(1)


def _require_theirs(ours: Sequence[str]) -> None:
    """Refuse options that W&B's agents know nothing of, rather than pass over them."""
    if ours:
        raise typer.BadParameter(
            f"{', '.join(ours)} mean nothing to W&B, which proposes, runs and keeps trials in its own way: leave them "
            "out, or --backend local or ray"
        )


def _on_server(file: Path, folder: Path, *, n_agents: int, n_trials: int | None) -> None:
    from interp_lab.jobs import Ended, executor
    from interp_lab.sweeps.checked import require_usable
    from interp_lab.sweeps.definition import read_definition
    from interp_lab.wandb_bridge.sweeps import create_sweep, run_agents

    definition = read_definition(file)
    require_usable(definition)
    name = create_sweep(definition.raw)
    typer.echo(f"sweep {name}; more agents, on any machine: wandb agent {name}")
    with stoppable(f"wandb agent {name}"), executor("local", workers=n_agents) as workers:
        ended = run_agents(name, workers, folder=folder, n_trials=n_trials)
    for agent, outcome in ended.items():
        typer.echo(f"{agent} {outcome.ended.value} after {outcome.seconds:.0f} s {outcome.reason}".rstrip())
    typer.echo("W&B ranks the trials; nothing was measured again on held-out examples")
    if any(outcome.ended is not Ended.DONE for outcome in ended.values()):
        raise typer.Exit(1)
