"""What `interp-lab steer` does: a model goes on with and without steering, side by side, with what was touched."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from rich import box
from rich.table import Table
from rich.text import Text

from interp_lab.cli.show import console
from interp_lab.decoding import Decoded, DecodingSettings, Positions, Steer, StopReason, decode, generated, matching
from interp_lab.decoding import prompt as prompt_tokens
from interp_lab.decoding.where import WHERE, policy_of, special_ids
from interp_lab.directions import Directions, DirectionSource
from interp_lab.interventions import Intervention, Op, every_write
from interp_lab.models import load_model
from interp_lab.tasks.encoding import prompts
from interp_lab.types import HookedModel, Site

HowName = Literal["add", "clamp", "ablate", "ablate-every-write"]
"""Add coefficient times the vector; set the projection on it, to the midpoint of the two sides plus coefficient times
its length; take the projection out at the hook points of the directions alone; or take it out of everything that is
written to the residual stream, at every layer."""
ABLATIONS = ("ablate", "ablate-every-write")
OWN_POLICIES = {"prompt": prompt_tokens, "generated": generated}
"""Beside those of a steering experiment; special tokens are left out as they are there."""


@dataclass(frozen=True)
class Asked:
    """What is to be steered, and how."""

    source: DirectionSource
    prompts: tuple[str, ...]
    coefficients: tuple[float, ...]
    where: str
    """`prompt`, `generated`, or one of `decoding.where.WHERE`."""
    how: HowName
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
    chat: bool = False
    """Whether prompts are what a user says, in the tokenizer's chat template."""
    system: str | None = None

    def __post_init__(self) -> None:
        bad = next((value for value in self.coefficients if not math.isfinite(value)), None)
        if bad is not None:
            raise ValueError(f"--coefficient {bad} must be a finite number")
        share = next((value for value in self.coefficients if value not in (0, 1)), None)
        if self.how in ABLATIONS and share is not None:
            raise ValueError(
                f"--how {self.how} takes a direction out or leaves it, and --coefficient is {share:g}; use 1, or --how "
                "add or clamp to push"
            )
        kinds = [*OWN_POLICIES, *(policy.split()[0] for policy in WHERE)]
        if self.where.split()[:1] not in [[kind] for kind in kinds]:
            raise ValueError(
                f"--where {self.where!r} is no position policy; use one of {', '.join((*OWN_POLICIES, *WHERE))}"
            )


def steer(asked: Asked) -> None:
    """Print how every prompt goes on, as it would and under every coefficient, and what was touched.

    Raises: ValueError, for directions that do not fit the model, hook points that they have not, or prompts that the
        tokenizer does not know or that do not fit the context; TouchedNothingError, if nothing was touched or changed.
    """
    name, processing = asked.source.made_on()
    name = asked.model or name
    if name is None:
        raise ValueError(f"{asked.source.path} does not say which model it was made on; give its name by --model")
    model = load_model(name, processing=asked.processing or str(processing))
    found = chosen(asked.source.read(model), asked, model)
    decoded = decoded_rows(model, found, asked)
    n = 1 + len(asked.coefficients)
    for nth, given in enumerate(asked.prompts):
        console.print(table_of(given, asked, decoded, decoded.texts(model), first=nth * n))
    told = summary(found, asked, decoded, n_layers=int(model.cfg.n_layers))
    console.print(Text(told), highlight=False, soft_wrap=True)


def chosen(found: Directions, asked: Asked, model: HookedModel) -> Directions:
    """Return the directions at the layers and hook points that were named.

    Raises: ValueError, for a layer that the model has not, or where there is no direction; for several hook points
        where only one direction can be taken out of everything.
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
    kept = found.only(tuple(dict.fromkeys(hooks))) if hooks else found
    if asked.how == "ablate-every-write" and (len(kept.hooks) > 1 or kept.width != int(model.cfg.d_model)):
        raise ValueError(
            f"--how ablate-every-write takes one direction of the residual stream, and there are {len(kept.hooks)} of "
            f"{kept.width} entries, at {', '.join(kept.hooks)}; name one by --layer or --hook"
        )
    return kept


def decoded_rows(model: HookedModel, found: Directions, asked: Asked) -> Decoded:
    """Return the continuations: of every prompt the unsteered one, then one for each coefficient, in one batch."""
    n = 1 + len(asked.coefficients)
    settings = [
        DecodingSettings(max_new_tokens=asked.max_new_tokens, temperature=asked.temperature, seed=asked.seed + nth)
        for nth in range(len(asked.prompts))
        for _ in range(n)  # the same random numbers, so that what differs is the steering
    ]
    read = prompts(model, asked.prompts, chat=asked.chat, system=asked.system)
    given = [prompt.ids for prompt in read for _ in range(n)]
    return decode(model, given, settings, steers=steers(model, found, asked))


def steers(model: HookedModel, found: Directions, asked: Asked) -> list[Steer]:
    """Return what is done, for rows as in `decoded_rows`."""
    n_prompts, where = len(asked.prompts), policy(model, asked.where)
    gate = (torch.arange(1 + len(asked.coefficients)) > 0).repeat(n_prompts)
    doses = torch.tensor([0.0, *asked.coefficients]).repeat(n_prompts)
    sites, vectors, name = tuple(map(Site, found.hooks)), tuple(found.vectors), f"{asked.how} {found.name}"
    if asked.how == "clamp":  # to its own place at each hook point, in lengths of the vector
        middles = torch.zeros(len(sites)) if found.midpoints is None else found.midpoints / found.norms
        made = [Intervention((site,), Op.CLAMP, (vector,), f"{name} at {site}", gate=gate)
                for site, vector in zip(sites, vectors, strict=True)]  # fmt: skip
        return [Steer(one, where, doses + float(middle)) for one, middle in zip(made, middles, strict=True)]
    if asked.how == "ablate-every-write":
        sites = every_write(model)
        vectors = vectors * len(sites)
    op = Op.ADD if asked.how == "add" else Op.PROJECT_OUT
    return [Steer(Intervention(sites, op, vectors, name, gate=gate), where, doses)]


def policy(model: HookedModel, where: str) -> Positions:
    """Return the position policy of a name.

    Raises: ValueError, as `decoding.where.policy_of`.
    """
    if where not in OWN_POLICIES:
        return policy_of(model, where)
    special, own = special_ids(model), OWN_POLICIES[where]()
    return own & ~matching(special) if special else own


def summary(found: Directions, asked: Asked, decoded: Decoded, *, n_layers: int) -> str:
    """Return what was done and what the audit says of it."""
    norms = torch.stack([touch.norms for touch in decoded.audit.touches])
    touched, lengths = ~norms.isnan(), norms[~norms.isnan()]
    per_row = touched.any(0).sum(-1)
    n_rows, n_tokens = len(asked.prompts) * len(asked.coefficients), per_row[per_row > 0]
    layers = {Site(touch.hook).layer for touch in decoded.audit.touches}
    at = "everything that is written" if asked.how == "ablate-every-write" else ", ".join(found.hooks)
    return (
        f"{asked.how} {found.name} ({found.method}) at {at}, {asked.where} tokens{_meaning(found, asked)}\n"
        f"touched {len(layers)} of {n_layers} layers x {len(n_tokens)} of {n_rows} steered rows x "
        f"{int(n_tokens.min())} to {int(n_tokens.max())} tokens; each changed by {float(lengths.min()):.3g} to "
        f"{float(lengths.max()):.3g} (length of the vectors {_numbers(found.norms)})"
    )


def _meaning(found: Directions, asked: Asked) -> str:
    if asked.how == "clamp" and found.midpoints is None:
        return "\nclamped to the coefficient times the length of the vectors: nothing tells where their two sides lie"
    if asked.how == "clamp":
        return (
            f"\na coefficient of 0 clamps to halfway between the two sides, a projection of {_numbers(found.midpoints)}"
        )
    if asked.how == "ablate":
        return "\nat these hook points alone, so that others may write it again; see --how ablate-every-write"
    return ""


def _numbers(values: torch.Tensor | None) -> str:
    return "" if values is None else ", ".join(f"{float(value):.3g}" for value in values)


def table_of(given: str, asked: Asked, decoded: Decoded, texts: list[str], *, first: int) -> Table:
    """Return a table of how one prompt goes on.

    Args:
        given: the prompt, as it was given.
        texts: continuations, of all rows.
        first: row of the prompt's unsteered one.
    """
    title = Text(given)  # never markup: brackets are part of a text
    table = Table("coefficient", "continuation", "tokens", "change", title=title, box=box.SIMPLE, title_justify="left")
    table.add_row("unsteered", shown(decoded, texts, first), "", "")
    for row, coefficient in enumerate(asked.coefficients, start=first + 1):
        norms = torch.stack([touch.norms[row] for touch in decoded.audit.touches])
        there = norms[~norms.isnan()]
        n_tokens, mean = int((~norms.isnan()).any(0).sum()), f"{float(there.mean()):.3g}" if len(there) else ""
        table.add_row(f"{coefficient:+g}", shown(decoded, texts, row), str(n_tokens), mean)
    return table


def shown(decoded: Decoded, texts: list[str], row: int) -> Text:
    """Return a continuation, or what there is in place of one."""
    if texts[row].strip():
        return Text(texts[row])
    n, ends = len(decoded.tokens[row]), decoded.stops[row] is StopReason.STOP_TOKEN
    told = "ends at once" if ends and n == 1 else f"{n} tokens without text" + (", then the end" if ends else "")
    return Text(f"({told})", style="italic")
