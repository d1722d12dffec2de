"""`make bench`: every comparison, as a table."""

import os
import platform

import torch
from rich.console import Console
from rich.table import Table

from tests.benchmarks import (
    attention,
    circuits,
    decoding,
    input_attribution,
    monitors,
    patching,
    probes,
    sae_features,
    saes,
    serving,
    similarity,
    statistics,
    steering,
)
from tests.benchmarks.harness import measure

MODULES = (
    attention,
    circuits,
    decoding,
    input_attribution,
    monitors,
    patching,
    probes,
    sae_features,
    saes,
    serving,
    similarity,
    statistics,
    steering,
)
"""Each with its `comparisons`."""


def main() -> None:
    table = Table("what", "reference", "ours (ms)", "reference (ms)", "ratio", "rounds from-to")
    for module in MODULES:
        for comparison in module.comparisons():
            timing = measure(comparison)
            table.add_row(
                comparison.name,
                comparison.reference_name,
                f"{1000 * timing.ours:.1f}",
                f"{1000 * timing.reference:.1f}",
                f"{timing.ratio:.1f}x",
                f"{min(timing.ratios):.1f}-{max(timing.ratios):.1f}",
            )
    console = Console()
    console.print(table)
    machine = f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, {platform.machine()}"
    console.print(f"on CPU: {machine}, torch {torch.__version__}")


if __name__ == "__main__":
    main()
