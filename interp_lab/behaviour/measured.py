"""The pairs of one split: what the model says, what others say that know nothing, and its accuracy besides."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Shaped

from interp_lab.behaviour.config import BehaviourConfig
from interp_lab.decoding.where import Prompted
from interp_lab.effects.behaviour import preference
from interp_lab.effects.capabilities import capability_pairs, correctness
from interp_lab.effects.metric_names import MetricOf
from interp_lab.effects.parts import Part
from interp_lab.effects.under import Under, in_force
from interp_lab.effects.untouched import Untouched
from interp_lab.effects.values import metric_values
from interp_lab.metrics import Metric
from interp_lab.models.untrained import untrained_copies
from interp_lab.runs.fields import KeptFields
from interp_lab.tasks import Pairs
from interp_lab.types import HookedModel, Tokens

AT_ONCE = 64
"""Prompts per forward pass."""


@dataclass(frozen=True)
class Behaved(Untouched):
    """The metric on both prompts of every pair, beside what it would be if there were nothing to explain."""

    right: Float[np.ndarray, "side example"]
    """1 where a right answer is likelier than every wrong one: of the clean prompt, and of the corrupted one, where the
    answers of the clean one are wrong (NaN where nothing is right there, or something is right after both)."""
    untrained: Float[np.ndarray, "model example"]
    """What the corruption costs untrained models of the same shape."""
    shuffled: Float[np.ndarray, "draw example"]
    """What it costs by the answers of other pairs."""
    steered: Float[np.ndarray, "side example"]
    """The metric on both prompts under what an earlier run found; NaN where there is nothing."""


@dataclass(frozen=True)
class Able(KeptFields):
    """Whether prompts of other tasks are answered right."""

    names: tuple[str, ...]
    right: Float[np.ndarray, "capability example"]
    steered: Float[np.ndarray, "capability example"]
    """Under what an earlier run found; NaN where there is nothing."""
    templates: Shaped[np.ndarray, "capability example"]

    @classmethod
    def from_arrays(cls, prefix: str, arrays: Mapping[str, np.ndarray]) -> "Able":
        """Rebuild from what `arrays` returned; text about no capability has lost its shape on disk."""
        shape, name = arrays[f"{prefix}_right"].shape, f"{prefix}_templates"
        return super().from_arrays(prefix, {**arrays, name: arrays[name].reshape(shape)})


def values(
    model: HookedModel, pairs: Pairs, metric: Metric, *, corrupted: bool = False, under: Under | None = None
) -> Float[np.ndarray, " example"]:
    """Return a metric on the clean (or the corrupted) prompts, with something in force or without."""
    tokens: Tokens = pairs.corrupted if corrupted else pairs.clean
    if under is None:
        return metric_values(model, tokens, metric, mask=pairs.mask)
    found = []
    for rows in torch.arange(len(pairs)).split(AT_ONCE):
        batch = Prompted(tokens[rows], pairs.mask[rows], pairs.answer_position[rows])
        with in_force(model, under, batch):
            found.append(metric_values(model, tokens[rows], metric.rows(rows), mask=pairs.mask[rows]))
    return np.concatenate(found)


def behaved(
    model: HookedModel, part: Part, metric_of: MetricOf, config: BehaviourConfig, under: Under | None, *, is_cost: bool
) -> Behaved:
    """Run both prompts of every pair through the model, untrained ones, and by answers of other pairs.

    Args:
        is_cost: whether the metric is one of `COSTS`, by which alone nothing is claimed.

    Raises: ValueError, if answers have several tokens.
    """
    pairs = part.pairs
    clean, corrupted = (values(model, pairs, part.metric, corrupted=side) for side in (False, True))
    steered = np.full((2, len(pairs)), np.nan)
    if under is not None:
        steered = np.stack([values(model, pairs, part.metric, corrupted=side, under=under) for side in (False, True)])
    untrained = [
        values(one, pairs, part.metric) - values(one, pairs, part.metric, corrupted=True)
        for one in untrained_copies(model, config.n_untrained, seed=config.seed)
    ]
    shuffled = []
    for other in _shuffled(pairs, config.n_shuffled, seed=config.seed):
        metric = metric_of(model, other)
        shuffled.append(values(model, pairs, metric) - values(model, pairs, metric, corrupted=True))
    return Behaved(
        clean,
        corrupted,
        np.array(pairs.templates),
        preference(model, pairs) if is_cost else np.full(len(pairs), np.nan),
        _right(model, pairs),
        np.stack(untrained),
        np.stack(shuffled),
        steered,
    )


def _right(model: HookedModel, pairs: Pairs) -> Float[np.ndarray, "side example"]:
    found = np.full((2, len(pairs)), np.nan)
    found[0] = values(model, pairs, correctness(pairs, among="own")) >= 1
    sides = zip(pairs.corrupted_answers, pairs.answers, strict=True)
    known = [nth for nth, (right, before) in enumerate(sides) if right and set(right).isdisjoint(before)]
    if known:
        some = pairs.rows(known)
        turned = replace(some, answers=some.corrupted_answers, wrong=some.answers)
        found[1, known] = values(model, turned, correctness(turned, among="own"), corrupted=True) >= 1
    return found


def _shuffled(pairs: Pairs, n: int, *, seed: int) -> Iterator[Pairs]:
    """Yield the pairs with answers, right and wrong, of other pairs; of those that all have the same two, at random."""
    rng = np.random.default_rng(seed)
    sets = {frozenset((one, other)) for one, other in zip(pairs.answers, pairs.wrong, strict=True)}
    for _ in range(n):
        if len(sets) == 1:
            turn = rng.random(len(pairs)) < 0.5
            both = [
                (wrong, right) if turned else (right, wrong)
                for right, wrong, turned in zip(pairs.answers, pairs.wrong, turn, strict=True)
            ]
            yield replace(pairs, answers=tuple(one for one, _ in both), wrong=tuple(other for _, other in both))
        else:
            order = rng.permutation(len(pairs))
            yield replace(
                pairs, answers=tuple(pairs.answers[i] for i in order), wrong=tuple(pairs.wrong[i] for i in order)
            )


def able(model: HookedModel, names: Sequence[str], config: BehaviourConfig, under: Under | None) -> Able:
    """Measure accuracy on other tasks, on the half of all examples that is reported.

    Raises: ValueError, for an unknown task, answers of several tokens, or fewer examples than are asked for.
    """
    shape = (len(names), config.n_capability)
    right, steered, templates = np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, "", dtype=object)
    for nth, name in enumerate(names):
        pairs = capability_pairs(model, name, config.n_capability, seed=config.seed, part="report")
        metric = correctness(pairs)
        right[nth] = values(model, pairs, metric) >= 1
        templates[nth] = pairs.templates
        if under is not None:
            steered[nth] = values(model, pairs, metric, under=under) >= 1
    return Able(tuple(names), right, steered, templates.astype(str))
