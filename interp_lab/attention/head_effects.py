"""What ablating heads does to behaviours: each alone, look-alikes together, heads with what stands in for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from interp_lab.attention.behaviours import BehaviourPrompts
from interp_lab.attention.config import AttentionHeadsConfig
from interp_lab.attention.head_sets import ALL, HeadSet, random_sets
from interp_lab.attention.heads import all_heads
from interp_lab.experiment import Progress, silent
from interp_lab.types import HeadIndex, HookedModel, head_name


@dataclass(frozen=True)
class BehaviourEffects:
    """Effects of ablations on one behaviour, prompt by prompt; positive is worse."""

    metric: str
    unit: str
    units: tuple[str, ...]
    """Independent unit of every prompt."""
    baseline: Float[np.ndarray, " example"]
    """The metric of the untouched model."""
    stake: Float[np.ndarray, " example"]
    """What there is to lose."""
    changes: Float[np.ndarray, "ablation layer head example"]
    """Of each head alone, by kind of ablation in the order of the config."""
    sets: Float[np.ndarray, "set example"]
    """Of sets, under the first kind."""
    random: Float[np.ndarray, "set draw example"]
    """Of as many heads of no type; NaN where there are too few of them."""


def measure_effects(
    model: HookedModel,
    prompts: BehaviourPrompts,
    config: AttentionHeadsConfig,
    *,
    sets: Sequence[HeadSet],
    controls: Sequence[HeadIndex],
    progress: Progress = silent,
) -> BehaviourEffects:
    """Ablate every head alone, and sets of heads together beside random sets of the controls."""
    shape = (int(model.cfg.n_layers), int(model.cfg.n_heads))
    each = [[head] for head in all_heads(model)]
    changes = [
        prompts.ablate(model, each, kind, seed=config.seed, progress=progress).reshape(*shape, -1)
        for kind in config.ablations
    ]
    baseline, stake = prompts.untouched(model, batch_size=config.batch_size)
    own = [one.heads for one in sets if one.behaviour == prompts.name]
    random = [random_sets(controls, len(heads), n=config.n_random_sets, seed=config.seed) for heads in own]
    groups = [group for heads, draws in zip(own, random, strict=True) for group in (heads, *draws)]
    together = np.full((len(own), 1 + config.n_random_sets, len(baseline)), np.nan)
    if groups:
        found = iter(prompts.ablate(model, groups, config.ablations[0], seed=config.seed, progress=progress))
        for nth, draws in enumerate(random):
            for place in range(1 + len(draws)):
                together[nth, place] = next(found)
    metric = prompts.metric
    return BehaviourEffects(
        metric.name, metric.unit, prompts.units, baseline, stake, np.stack(changes), together[:, 0], together[:, 1:]
    )


def look_alikes(types: Mapping[HeadIndex, Sequence[str]], predicts: Mapping[str, str | None]) -> list[HeadSet]:
    """Return the heads of each type that predicts a behaviour, where there are several: backups hide each other."""
    sets = []
    for kind, behaviour in predicts.items():
        heads = tuple(head for head, kinds in types.items() if kind in kinds)
        if behaviour is not None and len(heads) > 1:
            sets.append(HeadSet(f"{ALL}{kind} heads", behaviour, heads))
    return sets


def partners(
    model: HookedModel,
    prompts: BehaviourPrompts,
    config: AttentionHeadsConfig,
    heads: Sequence[HeadIndex],
    *,
    progress: Progress = silent,
) -> list[HeadSet]:
    """Return for each head that looks the part and is not missed alone the head together with which it is missed most.

    Most: by how much ablating both exceeds the sum of ablating each. To be run on prompts to choose on, since the
    largest of many is too large.
    """
    everyone = all_heads(model)
    alone = prompts.ablate(model, [[head] for head in everyone], config.ablations[0], seed=config.seed).mean(1)
    _, stake = prompts.untouched(model, batch_size=config.batch_size)
    single = dict(zip(everyone, alone, strict=True))
    silent_ones = [head for head in heads if single[head] < config.smallest_effect * max(float(stake.mean()), 0.0)]
    pairs = [(head, other) for head in silent_ones for other in everyone if other != head]
    if not pairs:
        return []
    both = prompts.ablate(model, pairs, config.ablations[0], seed=config.seed, progress=progress).mean(1)
    excess = {pair: value - single[pair[0]] - single[pair[1]] for pair, value in zip(pairs, both, strict=True)}
    best = [max((pair for pair in pairs if pair[0] == head), key=excess.__getitem__) for head in silent_ones]
    distinct = {tuple(sorted(pair)): pair for pair in best}
    return [HeadSet(f"{head_name(pair[0])} and its partner", prompts.name, pair) for pair in distinct.values()]
