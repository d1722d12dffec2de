"""What the answers that relations predict lose when heads are ablated, one by one and together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from interp_lab.attention.head_sets import random_sets
from interp_lab.attention.heads import all_heads
from interp_lab.attention.relations.places import AnswerMetric
from interp_lab.engine import sweep
from interp_lab.experiment import Progress, silent
from interp_lab.interventions import Ablation, Combined, Intervention, ablations, patches
from interp_lab.metrics import Metric
from interp_lab.tasks import Pairs
from interp_lab.types import HeadIndex, HookedModel, Site

METRICS: Mapping[AnswerMetric, Callable[[Pairs], Metric]] = {
    "logit_difference": Pairs.logit_difference,
    "probability_difference": Pairs.probability_difference,
}


@dataclass(frozen=True)
class RelationEffects:
    """How much the model prefers the answers of one relation's prompts, and what ablations change; prompt by prompt."""

    metric: str
    unit: str
    baseline: Float[np.ndarray, " example"]
    """The metric of the untouched model."""
    changes: Float[np.ndarray, "kind layer head example"]
    """The metric with one head ablated, minus baseline."""
    sets: Float[np.ndarray, "kind set example"]
    """The same of the heads that carry the relation, together, and then of random sets of as many that do not; NaN
    where fewer than two carry it, or there are not so many sets of others."""
    templates: tuple[str, ...]


def relation_effects(
    model: HookedModel,
    asked: Pairs,
    *,
    reference: Pairs,
    metric: AnswerMetric,
    kinds: Sequence[Ablation],
    carriers: Bool[np.ndarray, "layer head"],
    n_random_sets: int,
    seed: int = 0,
    progress: Progress = silent,
) -> RelationEffects:
    """Ablate every head alone, the carriers together, and random sets of as many others; each kind in one sweep.

    Args:
        reference: prompts that mean and resample ablation take their values from, other ones of the same templates.
        carriers: heads found on prompts that are not asked here.

    Raises: ValueError, as `head_ablations`, or for answers of several tokens; as `engine.sweep`.
    """
    groups, read = _groups(carriers, n_random_sets, seed=seed), METRICS[metric](asked)
    heads, changes = list(np.ndindex(*carriers.shape)), []
    sets = np.full((len(kinds), 1 + n_random_sets, len(asked)), np.nan)
    for nth, kind in enumerate(kinds):
        cuts = dict(zip(heads, head_ablations(model, asked, reference=reference, kind=kind, seed=seed), strict=True))
        together = [Combined(tuple(cuts[head] for head in own), f"{kind} ablation of a set") for own in groups]
        found = sweep(model, asked.clean, [*cuts.values(), *together], read, mask=asked.mask)
        changes.append(found.changes[: len(heads)].reshape(*carriers.shape, -1))
        sets[nth, : len(groups)] = found.changes[len(heads) :]
        progress(nth + 1, len(kinds), f"{kind} ablation")
    return RelationEffects(read.name, read.unit, found.baseline, np.stack(changes), sets, asked.templates)


def _groups(carriers: Bool[np.ndarray, "layer head"], n_random: int, *, seed: int) -> list[Sequence[HeadIndex]]:
    """Return the carriers and random sets of as many other heads; nothing for a lone carrier."""
    own, others = ([head for head in np.ndindex(*carriers.shape) if carriers[head] == which] for which in (True, False))
    return [] if len(own) < 2 else [own, *random_sets(others, len(own), n=n_random, seed=seed)]


def head_ablations(
    model: HookedModel, asked: Pairs, *, reference: Pairs, kind: Ablation, seed: int = 0
) -> list[Intervention]:
    """Return one ablation per head, with values from reference prompts of the same template.

    Raises: ValueError, for a template that has no reference prompt, or prompts of one template that differ in length
        where values are taken from the same position of others.
    """
    each_head = [[Site.of_head(*head)] for head in all_heads(model)]
    if kind is Ablation.ZERO:
        return ablations(model, each_head, kind=kind)
    _require_one_length(asked, reference, kind=kind)
    if kind is Ablation.RESAMPLE:
        others = reference.rows(_drawn(asked.templates, reference.templates, seed=seed))
        return patches(model, each_head, others.clean, base=asked.clean, mask=asked.mask)
    return ablations(
        model, each_head, kind=kind, reference=reference.clean, mask=reference.mask, n_examples=len(asked),
        templates=asked.templates, reference_templates=reference.templates, seed=seed,
    )  # fmt: skip


def _drawn(templates: Sequence[str], reference: Sequence[str], *, seed: int) -> Int[np.ndarray, " example"]:
    """Draw for each prompt a reference prompt of its template."""
    rng = np.random.default_rng(seed)
    rows = {name: np.flatnonzero(np.array(reference) == name) for name in set(reference)}
    missing = next((name for name in templates if name not in rows), None)
    if missing is not None:
        raise ValueError(f"no reference prompt is of template {missing!r}; add some, or leave its prompts out")
    return np.array([rng.choice(rows[name]) for name in templates], dtype=np.int64)


def _require_one_length(asked: Pairs, reference: Pairs, *, kind: Ablation) -> None:
    """Refuse padding that is not in the same places in all prompts of a template."""
    kept = torch.cat([asked.mask, reference.mask])
    names = (*asked.templates, *reference.templates)
    first: dict[str, int] = {}
    owner = torch.tensor([first.setdefault(name, row) for row, name in enumerate(names)])
    differing = (kept != kept[owner]).any(1).nonzero().flatten().tolist()
    if differing:
        raise ValueError(
            f"{kind} ablation takes values from the same position of other prompts, and prompts of template "
            f"{names[differing[0]]!r} differ in length; use words of one token, or ablations: [zero]"
        )
