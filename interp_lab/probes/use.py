"""Does the model use what a probe reads? Its direction is taken out, or moved along, and the answer watched."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.claims import Split
from interp_lab.effects import metric_values
from interp_lab.engine import sweep
from interp_lab.interventions import Intervention, Op, project_out
from interp_lab.organisms.grammar.corpus import behaviour
from interp_lab.probes.config import TOKENS, ProbesConfig
from interp_lab.probes.examples import ProbeExamples
from interp_lab.probes.measured import UseScores
from interp_lab.probes.prompts import Unseen, unseen_pairs
from interp_lab.tasks import Pairs
from interp_lab.tasks.labels import LabelName
from interp_lab.types import HookedModel, Site

NAMES = ("the probe's direction", "the mean difference")
OUT, ALONG = "without", "moved along"
"""Ways of acting: the component along a direction is taken out; or the activation is moved along it by the distance
between the class means, away from its own class."""


@dataclass(frozen=True)
class Direct:
    """Where to act, and along what."""

    label: LabelName
    chosen: int
    """Site, as `Probed` counts them."""
    hook: str
    directions: Float[Tensor, "direction d"]
    shuffled: Float[Tensor, "direction draw d"]
    """The same of shuffled labels."""


def directions_used(
    model: HookedModel, given: Direct, x: Float[Tensor, "example d"], train: ProbeExamples, config: ProbesConfig
) -> tuple[Mapping[Split, UseScores], tuple[str, ...], str]:
    """Act along the directions on prompts that no probe was trained on.

    Returns: scores by split, what was done (the `way` axis), and why nothing was done, if so.
    Raises: ValueError, as `grammar_pairs` and `engine.sweep`.
    """
    why_not = _why_not(given, train, config)
    if why_not:
        return {}, (), why_not
    parts = {Split.REPORT: (config.n_pairs, False)}
    if config.n_held_out is not None:
        parts[Split.HELD_OUT] = (config.n_pairs // 2, True)
    ways = tuple(f"{how} {name}" for name in NAMES[: len(given.directions)] for how in _hows(train))
    found = {}
    for split, (n, reserved) in parts.items():
        unseen = unseen_pairs(model, given.label, train, n, reserved=reserved, seed=config.seed + 2)
        found[split] = _acted(model, given, unseen, x, train, config)
    return found, ways, ""


def _why_not(given: Direct, train: ProbeExamples, config: ProbesConfig) -> str:
    source = behaviour(given.label.behaviour)
    if not config.causal:
        return "not asked for"
    if not len(given.directions):
        return f"{len(train.values)} classes have no one direction; name two values"
    if given.label.latent not in next(iter(source.sample(1, seed=0))).latents:
        return "the label is in no text, so no behaviour depends on it"
    place = train.positions[given.chosen % len(train.positions)]
    if place == "last":
        return "it was read behind the answer"
    return ""


def _hows(train: ProbeExamples) -> tuple[str, ...]:
    return (OUT, ALONG) if train.values else (OUT,)


def _acted(
    model: HookedModel, given: Direct, unseen: Unseen, x: Tensor, train: ProbeExamples, config: ProbesConfig
) -> UseScores:
    """Act along the directions, random ones of the same length, and those of shuffled labels."""
    pairs, generator = unseen.pairs, torch.Generator().manual_seed(config.seed)
    d = given.directions.shape[-1]
    random = torch.randn(config.n_random, d, generator=generator)
    metric, hows = pairs.logit_difference(), _hows(train)
    made: list[Intervention] = []
    for nth, direction in enumerate(given.directions):
        for how in hows:
            along = [direction, *random, *given.shuffled[nth]]
            length = _distance(x, train, direction)
            made.extend(_interventions(given, pairs, along, how=how, length=length, train=train))
    effects = sweep(model, pairs.clean, made, metric, mask=pairs.mask)
    n_ways = len(given.directions) * len(hows)
    changes = effects.changes.reshape(n_ways, -1, len(pairs))
    return UseScores(
        clean=effects.baseline,
        corrupted=metric_values(model, pairs.corrupted, metric, mask=pairs.mask),
        changes=changes[:, 0],
        random=changes[:, 1 : 1 + config.n_random],
        shuffled=changes[:, 1 + config.n_random :],
        templates=np.array(pairs.templates),
        changes_label=unseen.changes_label,
    )


def _distance(x: Tensor, train: ProbeExamples, direction: Tensor) -> float:
    """Return how far the class means lie apart along a direction."""
    if not train.values:
        return 0.0
    unit = torch.nn.functional.normalize(direction, dim=0)
    labels = torch.as_tensor(train.labels)
    return float(((x[labels == 1].mean(0) - x[labels == 0].mean(0)) * unit).sum())


def _interventions(
    given: Direct, pairs: Pairs, along: list[Tensor], *, how: str, length: float, train: ProbeExamples
) -> Iterator[Intervention]:
    """Yield one intervention per direction, all at the same places and as long as each other."""
    site, positions = Site(given.hook), _positions(pairs, train, given)
    device = pairs.clean.device
    for nth, direction in enumerate(along):
        unit = torch.nn.functional.normalize(direction, dim=0).to(device)
        name = f"{how} direction {nth} at {site}"
        if how == OUT:
            cut = project_out([site], unit, name=name)
            yield Intervention(cut.sites, cut.op, cut.payloads, name, positions=positions)
            continue
        second = torch.tensor([latents[given.label.latent] == train.values[1] for latents in pairs.latents])
        away = torch.where(second, -length, length).to(device)
        payload = (away[:, None] * unit).to(next(iter(along)).dtype)
        yield Intervention((site,), Op.ADD, (payload,), name, per_example=True, positions=positions)


def _positions(pairs: Pairs, train: ProbeExamples, given: Direct) -> Tensor | None:
    """Return the place of each prompt to act at; `None` for every token, where many tokens of a text were read."""
    place = train.positions[given.chosen % len(train.positions)]
    if place in TOKENS:
        return None
    return pairs.answer_position if place == "end" else pairs.roles[place]
