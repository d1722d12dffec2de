"""Where runs go: a folder of their own each time, and a word if there is nothing to go on with."""

import os
from datetime import datetime
from pathlib import Path

import typer


def new_folder(config: Path) -> Path:
    """Return a folder under `out/` for a run without `--out`; runs of W&B's agents, begun together, have their own."""
    run_id = os.environ.get("WANDB_RUN_ID")
    return Path("out") / "-".join([config.stem, f"{datetime.now():%Y%m%d-%H%M%S}", *([run_id] if run_id else [])])


def tell_if_new(folder: Path, *, resume: bool) -> None:
    """Say that `--resume` finds nothing, so that a mistyped folder is noticed before hours have gone by."""
    from interp_lab.runs.folder import RECORD

    if resume and not (folder / RECORD).is_file():
        typer.echo(f"nothing to resume in {folder}: starting anew", err=True)
