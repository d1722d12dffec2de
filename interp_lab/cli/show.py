"""What the commands print: bars, lists and one-liners; tables of results are in `result_tables`."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from interp_lab.experiment import Progress as ProgressCallback
from interp_lab.experiment import Provenance
from interp_lab.registry import CONFIGS, EXPERIMENTS

console = Console()


@contextmanager
def progress_bar() -> Generator[ProgressCallback]:
    """Show a bar on standard error for the length of the block; yields the callback that moves it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)
        yield lambda done, total, what: bar.update(task, completed=done, total=total, description=what)


def show_list() -> None:
    """Print experiments, configs and bundled models."""
    from interp_lab.models import known_models

    table = Table("experiment", "question", title="Experiments (interp-lab run CONFIG)")
    for name, entry in EXPERIMENTS.items():
        table.add_row(name, entry.question)
    console.print(table)
    configs = sorted(Path(CONFIGS).glob("*.yaml"))
    console.print(f"configs in {CONFIGS}: {', '.join(path.name for path in configs) or 'none here'}")
    for kind, names in known_models().items():
        console.print(f"{kind} models: {', '.join(names)}", soft_wrap=True)
    console.print("besides: any hub name that TransformerLens knows, and local Hugging Face directories")


def show_verification(rows: Iterable[Any]) -> bool:
    """Print the rows of a verification; return whether all are right."""
    title = "Instruments on models whose answer is known"
    table = Table("instrument", "expected", "measured", "ok", title=title, box=box.SIMPLE, title_justify="left")
    right = []
    for row in rows:
        right.append(row.ok)
        table.add_row(row.instrument, row.expected, row.measured, "[green]yes[/]" if row.ok else "[bold red]NO[/]")
    console.print(table)
    console.print(f"{sum(right)} of {len(right)} instruments read true")
    return all(right)


def show_citations(provenance: Provenance) -> None:
    """Print BibTeX for the sources of a run, and the versions it ran on."""
    for source in provenance.sources:
        print(source.bibtex())
    versions = ", ".join(f"{name} {version}" for name, version in provenance.versions.items())
    print(f"% commit {provenance.commit or 'unknown'}; {versions}")


def show_card(card: Any) -> bool:  # noqa: ANN401 - a ModelCard
    """Print a model card; return whether every target is met."""
    title = f"{card.name}, measured on fresh text"
    table = Table(title=title, box=box.SIMPLE, title_justify="left")
    for column in ("figure", "measured", "target", "met", "control"):
        table.add_column(column)
    for row in card.rows:
        met = "" if not row.target else "[green]yes[/]" if row.met else "[bold red]NO[/]"
        control = f"{row.control_name}: {row.control.estimate:.3f}"
        table.add_row(f"{row.figure} ({row.unit})", str(row.value), row.target, met, control)
    console.print(table)
    return card.met
