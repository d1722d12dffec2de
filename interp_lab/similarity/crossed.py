"""What parts of one model do in the other, on the pairs of one split."""

import copy
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from jaxtyping import Float, Int, Shaped

from interp_lab.effects.parts import Part
from interp_lab.runs.fields import KeptFields
from interp_lab.similarity.crossing import exchanged_gap, gap, transplanted_gap
from interp_lab.similarity.parts import WritingParts
from interp_lab.types import HookedModel, Site


class Way(StrEnum):
    """What is put where."""

    WRITES_IN = "tuned writes in base"
    """What a part writes in the tuned model, on the same prompt, takes its place in the base model."""
    WRITES_BACK = "base writes in tuned"
    """The reverse."""
    WEIGHTS_IN = "tuned weights in base"
    """The base model, with one part's weights of the tuned model."""
    WEIGHTS_BACK = "base weights in tuned"
    """The reverse."""

    @property
    def into_base(self) -> bool:
        """Whether the base model receives."""
        return self in (Way.WRITES_IN, Way.WEIGHTS_IN)


WAYS = tuple(Way)


@dataclass(frozen=True)
class CrossedSplit(KeptFields):
    """The gap between clean and corrupted prompts in both models, and by how much parts of the other change it."""

    base: Float[np.ndarray, " example"]
    tuned: Float[np.ndarray, " example"]
    templates: Shaped[np.ndarray, " example"]
    changes: Float[np.ndarray, "way part example"]
    """Change of the receiving model's gap."""
    another: Float[np.ndarray, "model part example"]
    """Change of the base model's gap under what a part writes on another prompt of the template (with the same
    answers, where all pairs have such partners): in the tuned model, and in the base model
    itself. NaN on the split that only chooses."""
    cumulative: Float[np.ndarray, "order direction step example"]
    """Change of the gap with the weights of more and more parts, those first that carry most, or least: tuned in base,
    base in tuned; no steps before the orders are chosen."""

    @property
    def clusters(self) -> Shaped[np.ndarray, " example"]:
        """What intervals resample: templates, or pairs where all are of one template."""
        return self.templates if len(set(self.templates.tolist())) > 1 else np.arange(len(self.templates))

    @property
    def total(self) -> Float[np.ndarray, " example"]:
        """By how much tuning changed the gap."""
        return self.tuned - self.base

    @property
    def carried(self) -> Float[np.ndarray, "way part example"]:
        """How far each exchange goes, in the direction from the receiving model to the other one."""
        forward = self.direction
        signs = np.array([forward if way.into_base else -forward for way in WAYS])
        return self.changes * signs[:, None, None]

    @property
    def direction(self) -> float:
        """1 if tuning widened the gap on average, -1 if it narrowed it."""
        return 1.0 if self.total.mean() >= 0 else -1.0


def crossed(
    base: HookedModel,
    tuned: HookedModel,
    part: Part,
    parts: WritingParts,
    *,
    orders: Int[np.ndarray, "order step"] | None,
    budget: int | None,
) -> CrossedSplit:
    """Exchange every part between the models, both ways: what it writes, and its weights.

    Args:
        orders: parts whose weights are moved one on top of the other; `None` where they are not chosen yet.
        budget: bytes of activations in flight, as `engine.sweep` takes them.

    Raises: ValueError, as `engine.sweep`.
    """
    singles = [[site] for site in parts.sites]
    spare = copy.deepcopy(base), copy.deepcopy(tuned)
    changes = [
        exchanged_gap(base, part, parts, tuned, partners=False, budget=budget),
        exchanged_gap(tuned, part, parts, base, partners=False, budget=budget),
        transplanted_gap(spare[0], part, singles, tuned),
        transplanted_gap(spare[1], part, singles, base),
    ]
    another, cumulative = np.full_like(changes[:2], np.nan), np.zeros((2, 2, 0, len(part.pairs)))
    if orders is not None:
        another = np.stack(
            [exchanged_gap(base, part, parts, model, partners=True, budget=budget) for model in (tuned, base)]
        )
        pairs = list(zip(spare, (tuned, base), strict=True))
        cumulative = np.stack(
            [[transplanted_gap(own, part, _growing(parts, order), other) for own, other in pairs] for order in orders]
        )
    templates = np.array(part.pairs.templates)
    return CrossedSplit(
        gap(base, part), gap(tuned, part), templates, np.stack(changes), another, cumulative
    )  # fmt: skip


def chosen_parts(select: CrossedSplit, parts: WritingParts, *, n_top: int) -> Int[np.ndarray, " _"]:
    """Return the parts of each map that carry most of the change on the selection split, by whichever exchange."""
    size = np.abs(select.carried.mean(-1)).max(0)
    maps = dict.fromkeys(parts.maps)
    return np.concatenate([own[np.argsort(-size[own], kind="stable")][:n_top] for own in map(parts.of, maps)])


def orders_of(select: CrossedSplit, parts: WritingParts, *, n: int) -> Int[np.ndarray, "order step"]:
    """Return the parts whose weights alone take most of the change into the base model, and those that take least.

    No part contains another; with few parts the two lists overlap.
    """
    size = select.carried[WAYS.index(Way.WEIGHTS_IN)].mean(-1)[parts.apart]
    return np.stack([parts.apart[np.argsort(sign * size, kind="stable")][:n] for sign in (-1, 1)])


def _growing(parts: WritingParts, order: Int[np.ndarray, " step"]) -> list[list[Site]]:
    return [[parts.sites[at] for at in order[: nth + 1]] for nth in range(len(order))]
