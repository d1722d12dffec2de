"""`interp-lab`: the commands, and how their errors are told."""

import os
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="interp-lab",
    help="Mechanistic interpretability as measurement.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

UNKNOWN_OPTIONS = {"ignore_unknown_options": True}
"""Settings of a command that takes `--key.path=value` for a config that it does not know yet."""

Overrides = Annotated[list[str] | None, typer.Argument(metavar="[--KEY.PATH=VALUE]...", help="Values to override.")]

WandbMode = Annotated[str, typer.Option("--wandb", help="Log to W&B: auto, online, offline or off.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")]


@app.callback()
def common(
    traceback: Annotated[bool, typer.Option("--traceback", help="Show where an error came from (anywhere).")] = False,
) -> None:
    """Mechanistic interpretability as measurement."""


@app.command("list")
def list_() -> None:
    """List the experiments, their configs, and the models that come with the package."""
    from interp_lab.cli.show import show_list

    show_list()


@app.command(context_settings=UNKNOWN_OPTIONS)
def run(
    config: Annotated[Path, typer.Argument(help="A YAML file; see experiments/configs.")],
    overrides: Overrides = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run; a new one under out/ by default.")] = None,
    resume: Resume = False,
    wandb: WandbMode = "off",
) -> None:
    """Run the experiment that CONFIG describes; `--a.b=value` sets a.b for this run."""
    from interp_lab.cli.show import progress_bar, show_summary, stoppable
    from interp_lab.config import parse_overrides
    from interp_lab.registry import load_experiment
    from interp_lab.wandb_bridge import tracking

    if resume and out is None:
        raise typer.BadParameter("--resume goes on with the run in --out; say which folder that is")
    experiment = load_experiment(config, parse_overrides(overrides or []))
    folder = out or Path("out") / f"{config.stem}-{datetime.now():%Y%m%d-%H%M%S}"
    with stoppable(), tracking(wandb, experiment.config, directory=folder) as tracker, progress_bar() as progress:
        result = experiment.run(tracker, folder, resume=resume, progress=progress)
    show_summary(result, folder)


@app.command()
def verify() -> None:
    """Check the instruments on models whose answer is known; exit code 1 if any reads wrong."""
    from interp_lab.cli.show import progress_bar, show_verification
    from interp_lab.verify import verify_all

    with progress_bar() as progress:
        readings = verify_all(progress=progress)
    if not show_verification(readings):
        raise typer.Exit(1)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the page and the run folders.")] = Path("out/demo"),
) -> None:
    """Score and ablate the heads of the bundled models; tables here, heatmaps in one HTML page."""
    from interp_lab.cli.demo import run_demo

    os.environ["HF_HUB_OFFLINE"] = "1"
    run_demo(out)


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders, of any experiments.")],
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("report.html"),
    title: Annotated[str, typer.Option(help="Heading of the page.")] = "Report",
) -> None:
    """Join run folders into one self-contained HTML page."""
    import shlex

    from interp_lab.reports import load_runs, write_page
    from interp_lab.reports.page import require_page_path

    require_page_path(out)
    named = "" if title == "Report" else f" --title {shlex.quote(title)}"
    command = f"interp-lab report {shlex.join(map(str, runs))} --out {shlex.quote(str(out))}{named}"
    page = write_page(out, title, load_runs(runs), reproduce=command)
    typer.echo(f"wrote {page}")


@app.command()
def features(
    folder: Annotated[Path, typer.Argument(help="A run of sae_features, or a folder of features.")],
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("features.html"),
    title: Annotated[str, typer.Option(help="Heading of the page.")] = "Features",
    labels: Annotated[Path | None, typer.Option(help="CSV of your own labels: latent, label.")] = None,
) -> None:
    """Write a self-contained HTML page to search, sort and read features by."""
    from interp_lab.sae.dashboard import read_labels, write_dashboard
    from interp_lab.sae.features import FeatureStore

    inside = folder / "features"
    store = FeatureStore.open(inside if inside.is_dir() else folder)
    named = read_labels(labels, n_latents=store.n_latents) if labels else None
    typer.echo(f"wrote {write_dashboard(store, out, labels=named, title=title)}")


@app.command()
def cite(run: Annotated[Path, typer.Argument(help="A run folder.")]) -> None:
    """Print what a run stands on, as BibTeX: its methods, and the exact versions it used."""
    from interp_lab.cli.show import show_citations
    from interp_lab.registry import load_result

    show_citations(load_result(run).provenance)


@app.command("train-organism", context_settings=UNKNOWN_OPTIONS)
def train_organism(
    name: Annotated[str, typer.Argument(help="Which organism: attn, organism or organism-tuned.")],
    overrides: Overrides = None,
    out: Annotated[Path, typer.Option(help="Folder of the run and its checkpoints.")] = Path("out/train-organism"),
    resume: Resume = False,
    wandb: WandbMode = "off",
) -> None:
    """Train a bundled model from scratch; stop at any time and go on with --resume."""
    from interp_lab.cli.show import progress_bar, show_summary, stoppable
    from interp_lab.config import parse_overrides
    from interp_lab.training import training_of
    from interp_lab.wandb_bridge import tracking

    experiment = training_of(name, parse_overrides(overrides or []))
    folder = out / name
    with stoppable(), tracking(wandb, experiment.config, directory=folder) as tracker, progress_bar() as progress:
        result = experiment.run(tracker, folder, resume=resume, progress=progress)
    show_summary(result, folder)


@app.command("model-card")
def model_card(name: Annotated[str, typer.Argument(help="A bundled model, such as organism-attn.")]) -> None:
    """Measure a bundled model on fresh text, and print the figures with their targets and controls."""
    from interp_lab.cli.show import show_card
    from interp_lab.training import model_card

    if not show_card(model_card(name)):
        raise typer.Exit(1)


@app.command("init-task")
def init_task(path: Annotated[Path, typer.Argument(help="The file to write, such as mine.jsonl.")]) -> None:
    """Write a commented file to put pairs of prompts of your own into."""
    from interp_lab.tasks import write_template

    write_template(path)
    typer.echo(f"wrote {path}; change its lines, then use it as a task by its path")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; an error is one line unless `--traceback` is given. Exits with 0, 1 (failed) or 2 (misused)."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    wants_traceback = "--traceback" in given
    try:
        app([argument for argument in given if argument != "--traceback"], prog_name="interp-lab")
    except (ValueError, RuntimeError, OSError) as error:
        if wants_traceback:
            raise
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)
