"""What a run of monitors leaves to others: its monitor, threshold and all, and the response, each as a direction."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from interp_lab.directions import Directions, save_directions
from interp_lab.effects.confirming import how_chosen
from interp_lab.production.monitors.claimed import MonitorsClaims
from interp_lab.production.monitors.fitting import monitor
from interp_lab.production.monitors.from_run import as_directions
from interp_lab.production.monitors.monitor import Monitor
from interp_lab.production.monitors.responding import hook_after
from interp_lab.stats import threshold_at

MONITOR, RESPONSE = "monitor", "response"
"""Names by which `RunRef` finds them: the monitor that was chosen, and what is added where its alarm is raised."""


def chosen_monitor(found: MonitorsClaims) -> Monitor:
    """Return the monitor that was chosen, with its threshold and the share of controls that this promises."""
    made, c = found.made, found.config
    own = found.calibrate.scores[0, found.calibrate.controls]
    bar = threshold_at(own, c.rate, level=c.level)
    line = (made.weights, made.bias)
    return monitor(found.chosen, made.hook, line, over=c.over, model=found.provenance.model, threshold=bar)


def directions_of_run(found: MonitorsClaims) -> dict[str, Directions]:
    """Return what is kept, by artefact; the response is there where something was written."""
    one, model = chosen_monitor(found), found.provenance.model
    kept = {MONITOR: as_directions(one, method="monitor", about=_about(found))}
    if len(found.made.added):
        vector = torch.from_numpy(found.made.added).float()[None]
        about = {
            "of": found.subject,
            "strength": found.strength,
            "strength_chosen_on": f"{found.config.n_choose} texts",
        }
        kept[RESPONSE] = Directions(vector, (hook_after(one.hook),), model, "mean difference", RESPONSE, about)
    return kept


def save_artefacts(found: MonitorsClaims, folder: Path) -> None:
    """Write them, a file each; what a killed process left is overwritten."""
    folder.mkdir(exist_ok=True)
    for name, one in directions_of_run(found).items():
        save_directions(one, folder / f"{name}.safetensors", made=found.provenance)


def _about(found: MonitorsClaims) -> dict[str, Any]:
    """Return which texts the monitor, its choice and its threshold come from, and what it came to on others."""
    c, controls = found.config, int(found.calibrate.controls.sum())
    return {
        "of": found.subject,
        "fitted_on": f"{c.n_fit} texts",
        "chosen_on": f"{c.n_choose} other texts" if c.chosen is None else how_chosen([c.chosen]),
        "threshold_from": f"{controls} controls among {c.n_calibrate} other texts",
        "rate": c.rate,
        "found_on_others": {
            name: {
                "auroc": asdict(found.area(part, (0,))),
                "false_positives": asdict(found.false_positives(part, 0)),
                "recall": asdict(found.recall(part, 0)),
            }
            for name, part in found.parts.items()
        },
    }
