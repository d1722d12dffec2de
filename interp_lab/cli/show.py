"""What the commands print: tables, bars and one-liners."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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
    console.print(f"models in the package: {', '.join(known_models())}; besides, hub names and local directories")


def show_summary(result: Any, folder: Path) -> None:  # noqa: ANN401 - a Result
    """Print a result's summary and where it was kept."""
    console.print(result.summary(), highlight=False)
    console.print(f"kept in {folder}", highlight=False)


def show_verification(rows: Sequence[Any]) -> bool:
    """Print the rows of a verification as they come; return whether all are right."""
    table = Table("instrument", "expected", "measured", "ok", title="Instruments on models whose answer is known")
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


def show_heads(result: Any) -> None:  # noqa: ANN401 - an AttentionHeadsResult
    """Print one row per head: scores with intervals, types, ablation effect and grade."""
    from interp_lab.attention.heads import TYPE_NAMES

    frame = result.tables()["heads"]
    chance = {kind: frame[f"{kind}_shuffled_keys"].iloc[0] for kind in TYPE_NAMES}
    columns = [f"{kind.replace('_', '-')}\n(shuffled keys {chance[kind]:.3f})" for kind in TYPE_NAMES]
    table = Table("head", *columns, "looks like", "ablated: loss rise (nats)", "grade", title=result.config.model)
    for row in frame.to_dict("records"):
        scores = [interval_text(row, kind) for kind in TYPE_NAMES]
        table.add_row(row["head"], *scores, row["looks_like"], interval_text(row, "loss_rise"), row["grade"])
    console.print(table)
    console.print(result.summary(), highlight=False)


def interval_text(row: dict[str, Any], name: str) -> str:
    """Return `0.71 [0.69, 0.73]` from a table row."""
    return f"{row[name]:.2f} [{row[f'{name}_low']:.2f}, {row[f'{name}_high']:.2f}]"


def show_card(card: Any) -> bool:  # noqa: ANN401 - a ModelCard
    """Print a model card; return whether every target is met."""
    table = Table("figure", "measured", "target", "met", "untrained", title=f"{card.name}, measured on fresh text")
    for row in card.rows:
        met = "" if row.met is None else ("[green]yes[/]" if row.met else "[bold red]NO[/]")
        table.add_row(row.figure, str(row.value), row.target, met, str(row.control))
    console.print(table)
    return all(row.met is not False for row in card.rows)
