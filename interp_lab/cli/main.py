"""`interp-lab`: the commands, and how their errors are told."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from interp_lab.cli.folders import new_folder, tell_if_new
from interp_lab.cli.investigating import investigate
from interp_lab.cli.mapping import map_, part
from interp_lab.cli.serving import serve
from interp_lab.cli.stopping import stoppable
from interp_lab.cli.sweeping import sweep
from interp_lab.cli.viewing import view

app = typer.Typer(
    name="interp-lab",
    help="Mechanistic interpretability as measurement.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

SAME = "the same command with --resume and the same --out"
"""What goes on with a run that was stopped."""
UNKNOWN_OPTIONS = {"ignore_unknown_options": True}
"""Settings of a command that takes `--key.path=value` for a config that it does not know yet."""

Overrides = Annotated[list[str] | None, typer.Argument(metavar="[--KEY.PATH=VALUE]...", help="Values to override.")]

WandbMode = Annotated[str, typer.Option("--wandb", help="Log to W&B: auto, online, offline or off.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run in --out; start it if there is none.")]


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
    from interp_lab.cli.result_tables import show_result
    from interp_lab.cli.show import progress_bar
    from interp_lab.config import parse_overrides
    from interp_lab.registry import load_experiment
    from interp_lab.wandb_bridge import tracking

    if resume and out is None:
        raise typer.BadParameter("--resume goes on with the run in --out; say which folder that is")
    experiment = load_experiment(config, parse_overrides(overrides or []))
    folder = out or new_folder(config)
    tell_if_new(folder, resume=resume)
    with stoppable(SAME), tracking(wandb, experiment.config, directory=folder) as tracker, progress_bar() as progress:
        result = experiment.run(tracker, folder, resume=resume, progress=progress)
    show_result(result, folder)


app.command()(sweep)
app.command()(view)
app.command(context_settings=UNKNOWN_OPTIONS)(serve)
app.command(context_settings=UNKNOWN_OPTIONS)(investigate)
app.command("map", context_settings=UNKNOWN_OPTIONS)(map_)
app.command("part", context_settings=UNKNOWN_OPTIONS, hidden=True)(part)


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
    out: Annotated[Path | None, typer.Option(help="The page; features.html if nothing else is asked for.")] = None,
    title: Annotated[str, typer.Option(help="Heading of the page.")] = "Features",
    labels: Annotated[
        Path | None,
        typer.Option(help="CSV of your own labels: latent, label. Others are made of token counts, marked heuristic."),
    ] = None,
    latents: Annotated[str | None, typer.Option(help="Only these, such as 3,17,40-49.")] = None,
    neuronpedia: Annotated[Path | None, typer.Option(metavar="DIR", help="Export in Neuronpedia's JSON.")] = None,
    sheets: Annotated[Path | None, typer.Option(metavar="DIR", help="Write rating sheets; needs --raters.")] = None,
    raters: Annotated[str, typer.Option(help="Names of the raters, such as anna,ben.")] = "",
    mixed: Annotated[int, typer.Option(min=0, help="Controls on the sheets: excerpts of different features.")] = 5,
) -> None:
    """Write a self-contained HTML page to search, sort and read features by; rating sheets; Neuronpedia's JSON.

    Sheets without --latents hold 30 features, drawn at random. Read filled ones back with `interp-lab ratings`.
    """
    from interp_lab.cli.features import Wanted, write_features

    if (sheets is None) != (not raters):
        raise typer.BadParameter("--sheets DIR and --raters a,b go together; give both")
    wanted = Wanted(out, title, labels, latents, neuronpedia, sheets, tuple(raters.split(",")), mixed)
    for line in write_features(folder, wanted):
        typer.echo(line)


@app.command()
def ratings(folder: Annotated[Path, typer.Argument(help="A folder of rating sheets that came back.")]) -> None:
    """Read filled rating sheets: agreement between raters, features above mixed controls, and the ratings as CSV."""
    from interp_lab.cli.features import read_sheets

    for line in read_sheets(folder):
        typer.echo(line)


@app.command()
def steer(
    direction: Annotated[Path, typer.Option(help="A file of directions, a control vector (.gguf), or a run folder.")],
    prompt: Annotated[list[str], typer.Option(help="Text to go on from; may be given several times.")],
    coefficient: Annotated[list[float] | None, typer.Option(help="Times the vector; several make rows. [1]")] = None,
    where: Annotated[
        str,
        typer.Option(
            help="Tokens to act on: all (but special ones), all+bos, prompt, generated, last, from K, tokens W."
        ),
    ] = "all",
    how: Annotated[
        Literal["add", "clamp", "ablate", "ablate-every-write"],
        typer.Option(help="What is done along the vector; ablate acts at its own hook points alone."),
    ] = "add",
    artefact: Annotated[str | None, typer.Option(help="In a folder: a file's name, LABEL of a probe, #LATENT.")] = None,
    layer: Annotated[list[int] | None, typer.Option(help="Use the directions of this layer; else all.")] = None,
    hook: Annotated[list[str] | None, typer.Option(help="Use the direction at this hook point.")] = None,
    model: Annotated[str | None, typer.Option(help="By default the one they were found on.")] = None,
    processing: Annotated[str | None, typer.Option(help="Of its weights; by default that of the directions.")] = None,
    max_new_tokens: int = 16,
    temperature: Annotated[float | None, typer.Option(help="To sample; greedy by default.")] = None,
    seed: int = 0,
    chat: Annotated[bool, typer.Option("--chat", help="Prompts are what a user says, in the chat template.")] = False,
    system: Annotated[str | None, typer.Option(help="What a chat begins with.")] = None,
) -> None:
    """Let a model go on from a prompt as it would, and steered along a direction; with what was touched."""
    from interp_lab.cli import steering
    from interp_lab.directions import DirectionSource

    asked = steering.Asked(
        DirectionSource(direction, artefact), tuple(prompt), tuple(coefficient or [1.0]), where, how,
        tuple(layer or ()), tuple(hook or ()), model, processing, max_new_tokens, temperature, seed, chat, system,
    )  # fmt: skip
    steering.steer(asked)


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
    from interp_lab.cli.result_tables import show_result
    from interp_lab.cli.show import progress_bar
    from interp_lab.config import parse_overrides
    from interp_lab.training import training_of
    from interp_lab.wandb_bridge import tracking

    experiment = training_of(name, parse_overrides(overrides or []))
    folder = out / name
    tell_if_new(folder, resume=resume)
    with stoppable(SAME), tracking(wandb, experiment.config, directory=folder) as tracker, progress_bar() as progress:
        result = experiment.run(tracker, folder, resume=resume, progress=progress)
    show_result(result, folder)


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
