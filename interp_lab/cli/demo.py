"""`interp-lab demo`: true results on a fresh machine, in under two minutes."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from interp_lab.attention.config import AttentionHeadsConfig
from interp_lab.attention.experiment import AttentionHeads
from interp_lab.attention.relations import AttentionRelations, AttentionRelationsConfig
from interp_lab.circuits import Circuits, CircuitsConfig
from interp_lab.cli.show import (
    console,
    progress_bar,
    show_ablation,
    show_circuit,
    show_features,
    show_heads,
    show_patching,
    show_relations,
)
from interp_lab.interventions import Ablation
from interp_lab.organisms.compiled import compiled_names
from interp_lab.patching.ablating import Ablating, AblatingConfig
from interp_lab.patching.config import PatchingConfig
from interp_lab.patching.experiment import Patching
from interp_lab.reports import write_page
from interp_lab.runs.folder import read_record
from interp_lab.sae.causal import FeatureEffects, FeatureEffectsConfig, Operation

TITLE = "What heads and features look like and what they do; where answers come from"
TASKS = ("grammar/indirect_objects", "grammar/facts", "grammar/loans")
"""Behaviours of the organism that are traced by activation patching."""
FEATURES = ("grammar/sentiment", "grammar/loans")
"""Behaviours that are traced to features of the organism's autoencoder."""

Shown = tuple[Any, Callable[[Any], None]]
"""An experiment, and what prints its result."""


def demo_experiments() -> dict[str, Shown]:
    """Return the experiments of the demo by the name of their folder."""
    compiled = [
        AttentionHeadsConfig(model=name, period=8, second_period=10, held_out_period=6, ablations=(Ablation.ZERO,))
        for name in compiled_names()
    ]
    patched = [PatchingConfig(task=task, n_pairs=48, n_held_out=24, n_random_sets=10) for task in TASKS]
    heads = {config.model: (AttentionHeads(config), show_heads) for config in (AttentionHeadsConfig(), *compiled)}
    circuit = CircuitsConfig(task="grammar/facts", n_pairs=48, n_held_out=24, n_random=30, n_greedy=1)
    features = [
        FeatureEffectsConfig(
            task=task,
            n_pairs=48,
            n_held_out=24,
            n_latents=6,
            operations=(Operation.CORRUPTED, Operation.ZERO),
            text=None,
        )
        for task in FEATURES
    ]
    relations = AttentionRelationsConfig(n_prompts=96, n_held_out=48)
    return {
        **heads,
        "relations": (AttentionRelations(relations), show_relations),
        **{config.task: (Patching(config), show_patching) for config in patched},
        "ablation": (Ablating(AblatingConfig(task="grammar/facts")), show_ablation),
        "circuit": (Circuits(circuit), show_circuit),
        **{f"features of {one.task}": (FeatureEffects(one), show_features) for one in features},
    }


def remove_old_run(folder: Path, *, experiment: str) -> None:
    """Remove what an earlier demo kept here, and nothing else.

    Raises: ValueError, if the folder holds something that no demo wrote.
    """
    if not folder.exists():
        return
    if read_record(folder).experiment != experiment:
        raise ValueError(f"{folder} holds a run of another experiment; give the demo a folder of its own with --out")
    shutil.rmtree(folder)


def run_demo(out: Path) -> Path:
    """Run every experiment of the demo, print a table for each, and write the page; returns its path."""
    experiments = demo_experiments()
    folders = {name: out / "runs" / name.replace("/", "-").replace(" ", "-") for name in experiments}
    for name, (experiment, _) in experiments.items():
        remove_old_run(folders[name], experiment=experiment.name)
    results = []
    for name, (experiment, show) in experiments.items():
        with progress_bar() as progress:
            results.append(experiment.run(None, folders[name], progress=progress))
        show(results[-1])
    page = write_page(out / "index.html", TITLE, results, reproduce="make demo")
    console.print(f"[bold]open {page}[/bold] in a browser; the numbers are in {out / 'runs'}", soft_wrap=True)
    return page
