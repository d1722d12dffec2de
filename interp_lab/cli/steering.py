"""What `interp-lab steer` does: a model goes on with and without steering, side by side, with what was touched."""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from rich import box
from rich.table import Table

from interp_lab.cli.show import console
from interp_lab.decoding import (
    Decoded,
    DecodingSettings,
    Steer,
    decode,
    everywhere,
    generated,
    last_prompt_token,
    prompt,
)
from interp_lab.directions import Directions, load_directions
from interp_lab.interventions import Intervention, Op
from interp_lab.models import load_model
from interp_lab.types import HookedModel, Site

OPS = {"add": Op.ADD, "clamp": Op.CLAMP, "ablate": Op.PROJECT_OUT}
POLICIES = {"all": everywhere, "prompt": prompt, "generated": generated, "last": last_prompt_token}


@dataclass(frozen=True)
class Asked:
    """What is to be steered, and how."""

    direction: Path
    prompts: tuple[str, ...]
    coefficients: tuple[float, ...]
    where: str
    how: str
    layers: tuple[int, ...]
    hooks: tuple[str, ...]
    """With `layers`, those of the file that are used; all if both are empty."""
    model: str | None
    """`None` is the one that the directions were found on."""
    processing: str | None
    """`None` is that of the directions."""
    max_new_tokens: int
    temperature: float | None
    seed: int


def steer(asked: Asked) -> None:
    """Print how every prompt goes on, as it would and under every coefficient, and what was touched.

    Raises: ValueError, for directions that do not fit the model, hook points that they have not, coefficients that are
        no numbers, or prompts that do not fit the context; TouchedNothingError, if nothing was touched or changed.
    """
    bad = next((value for value in asked.coefficients if not math.isfinite(value)), None)
    if bad is not None:
        raise ValueError(f"--coefficient {bad} must be a finite number")
    found = load_directions(asked.direction)
    model = load_model(asked.model or found.model.name, processing=asked.processing or str(found.model.processing))
    found = chosen(found, asked, model)
    found.require_fits(model)
    decoded = decoded_rows(model, found, asked)
    texts, n = decoded.texts(model), 1 + len(asked.coefficients)
    for nth, given in enumerate(asked.prompts):
        console.print(_table(given, texts[nth * n : (nth + 1) * n], asked, decoded, first=nth * n))
    console.print(summary(found, asked, decoded, n_layers=int(model.cfg.n_layers)), highlight=False, soft_wrap=True)


def chosen(found: Directions, asked: Asked, model: HookedModel) -> Directions:
    """Return the directions at the layers and hook points that were named.

    Raises: ValueError, for a layer that the model has not, or where there is no direction.
    """
    n_layers = int(model.cfg.n_layers)
    hooks = list(asked.hooks)
    for layer in asked.layers:
        if not 0 <= layer < n_layers:
            raise ValueError(f"--layer {layer} is out of range: the model has layers 0 to {n_layers - 1}")
        here = [hook for hook in found.hooks if Site(hook).layer == layer]
        if not here:
            known = ", ".join(found.hooks)
            raise ValueError(f"directions {found.name!r} have none in layer {layer}; they are at {known}")
        hooks += here
    return found.only(tuple(dict.fromkeys(hooks))) if hooks else found


def decoded_rows(model: HookedModel, found: Directions, asked: Asked) -> Decoded:
    """Return the continuations: of every prompt the unsteered one, then one for each coefficient, in one batch."""
    n = 1 + len(asked.coefficients)
    steered = (torch.arange(n) > 0).repeat(len(asked.prompts))
    doses = torch.tensor([0.0, *asked.coefficients]).repeat(len(asked.prompts))
    sites = tuple(Site(hook) for hook in found.hooks)
    made = Intervention(sites, OPS[asked.how], tuple(found.vectors), f"{asked.how} {found.name}", gate=steered)
    settings = [
        DecodingSettings(max_new_tokens=asked.max_new_tokens, temperature=asked.temperature, seed=asked.seed + nth)
        for nth in range(len(asked.prompts))
        for _ in range(n)  # the same random numbers, so that what differs is the steering
    ]
    given = [text for text in asked.prompts for _ in range(n)]
    return decode(model, given, settings, steers=[Steer(made, POLICIES[asked.where](), doses)])


def summary(found: Directions, asked: Asked, decoded: Decoded, *, n_layers: int) -> str:
    """Return what the audit says, in one line."""
    norms = torch.stack([touch.norms for touch in decoded.audit.touches])
    touched = ~norms.isnan()
    per_row = touched[0].sum(-1)[touched[0].any(-1)]
    layers = {Site(hook).layer for hook in found.hooks}
    lengths = norms[touched]
    return (
        f"{asked.how} {found.name} ({found.method}) at {', '.join(found.hooks)}, {asked.where} tokens\n"
        f"touched {len(layers)} of {n_layers} layers x {len(per_row)} rows x "
        f"{int(per_row.min())} to {int(per_row.max())} tokens; each changed by {float(lengths.min()):.3g} to "
        f"{float(lengths.max()):.3g} (length of the vectors {', '.join(f'{float(v):.3g}' for v in found.norms)})"
    )


def _table(given: str, texts: list[str], asked: Asked, decoded: Decoded, *, first: int) -> Table:
    table = Table("coefficient", "continuation", "tokens", "change", title=given, box=box.SIMPLE, title_justify="left")
    table.add_row("unsteered", texts[0], "", "")
    for nth, coefficient in enumerate(asked.coefficients, start=1):
        norms = torch.cat([touch.norms[first + nth] for touch in decoded.audit.touches])
        there = norms[~norms.isnan()]
        mean = f"{float(there.mean()):.3g}" if len(there) else ""
        table.add_row(f"{coefficient:+g}", texts[nth], str(len(there) // len(decoded.audit.touches)), mean)
    return table
