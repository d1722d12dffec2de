"""`interp-lab demo`: a true result on a fresh machine, in under a minute."""

import shutil
from pathlib import Path

from interp_lab.attention.config import AttentionHeadsConfig
from interp_lab.attention.experiment import NAME, AttentionHeads
from interp_lab.cli.show import console, progress_bar, show_heads
from interp_lab.interventions import Ablation
from interp_lab.organisms.compiled import compiled_names
from interp_lab.reports import write_page
from interp_lab.runs.folder import read_record

TITLE = "What attention heads look like, and what they do"


def demo_configs() -> list[AttentionHeadsConfig]:
    """Return the configs of the demo: the trained organism, then every compiled model."""
    compiled = [
        AttentionHeadsConfig(model=name, period=8, second_period=10, held_out_period=6, ablation=Ablation.ZERO)
        for name in compiled_names()
    ]
    return [AttentionHeadsConfig(), *compiled]


def remove_old_run(folder: Path) -> None:
    """Remove what an earlier demo kept here, and nothing else.

    Raises: ValueError, if the folder holds something that no demo wrote.
    """
    if not folder.exists():
        return
    if read_record(folder).experiment != NAME:
        raise ValueError(f"{folder} holds a run of another experiment; give the demo a folder of its own with --out")
    shutil.rmtree(folder)


def run_demo(out: Path) -> Path:
    """Run every demo config, print a table for each, and write the page; returns its path."""
    folders = {config.model: out / "runs" / config.model.replace("/", "-") for config in demo_configs()}
    for folder in folders.values():
        remove_old_run(folder)
    results = []
    for config in demo_configs():
        with progress_bar() as progress:
            results.append(AttentionHeads(config).run(None, folders[config.model], progress=progress))
        show_heads(results[-1])
    page = write_page(out / "index.html", TITLE, results, reproduce="make demo")
    console.print(f"[bold]open {page}[/bold] in a browser; the numbers are in {out / 'runs'}", soft_wrap=True)
    return page
