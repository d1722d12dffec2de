"""Which heads carry which relations: attention along them, beyond what rivals and neighbours get."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.attention.relations.places import (
    RELATIONS,
    Relation,
    attention_at,
    attention_rows,
    compared_places,
    role_places,
)  # fmt: skip
from interp_lab.attention.relations.prompts import RelationPrompts, relation_prompts
from interp_lab.claims import Split
from interp_lab.effects.confirming import places_of
from interp_lab.experiment import Progress, silent
from interp_lab.stats import Intervals, benjamini_hochberg, bootstrap_interval, feasible_test, paired_difference
from interp_lab.stats.paired import FEWEST_FOR_T, Test
from interp_lab.tasks import Pairs
from interp_lab.types import HeadIndex, HookedModel, head_name


@dataclass(frozen=True)
class RelationAttention:
    """Attention along a relation, and to what it is compared with, prompt by prompt (probabilities)."""

    relation: str
    to_key: Float[np.ndarray, "layer head example"]
    to_rivals: Float[np.ndarray, "layer head example"]
    """Mean over the rivals of a prompt."""
    to_neighbours: Float[np.ndarray, "layer head example"]
    """Mean over the tokens directly before and after the key."""
    templates: tuple[str, ...]

    def rows(self, index: Sequence[int] | Int[np.ndarray, " row"]) -> "RelationAttention":
        """Return some of the prompts."""
        parts = (values[..., index] for values in (self.to_key, self.to_rivals, self.to_neighbours))
        return RelationAttention(self.relation, *parts, tuple(self.templates[i] for i in index))

    def above(
        self, *, level: float = 0.95, test: Test = "auto", seed: int = 0
    ) -> tuple[Intervals, Intervals, Float[np.ndarray, "layer head"]]:
        """Return the excess over rivals and over neighbours, and one p for being above both, uncorrected.

        The p is the larger of the two one-sided ones, by template (an intersection-union test: no correction for two).
        """
        rivals, neighbours = (
            paired_difference(
                self.to_key, other, self.templates, test=test, alternative="greater", level=level, seed=seed
            )
            for other in (self.to_rivals, self.to_neighbours)
        )
        return rivals.intervals, neighbours.intervals, np.maximum(rivals.p, neighbours.p)


def relation_attention(
    model: HookedModel, pairs: Pairs, relation: Relation, *, batch_size: int = 32
) -> RelationAttention:
    """Measure attention along a relation on the clean prompts of pairs; see `with_relation` for pairs that have it.

    Raises: ValueError, as `attention_rows`, `role_places` and `compared_places`.
    """
    query, key = role_places(pairs, relation.query), role_places(pairs, relation.key)
    rivals, neighbours = compared_places(pairs, relation)
    rows = attention_rows(model, pairs.clean, mask=pairs.mask, query=query, batch_size=batch_size)
    others = (np.einsum("lhek,ek->lhe", rows, _shares(places)) for places in (rivals, neighbours))
    return RelationAttention(relation.name, attention_at(rows, key), *others, pairs.templates)


def _shares(places: Bool[Tensor, "batch pos"]) -> Float[np.ndarray, "batch pos"]:
    return (places.double() / places.sum(1, keepdim=True)).numpy()


@dataclass(frozen=True)
class RelationHeads:
    """Which heads carry which relations (several, or none): chosen on half of the prompts, looked for on others."""

    parts: Mapping[Split, tuple[RelationAttention, ...]]
    """By split, one entry per relation; held-out templates may be missing."""
    at_least: float
    fdr: float
    level: float
    seed: int
    stated: tuple[str, ...] | None = None
    """Heads and what they carry, as `named`, where that was stated in advance."""

    @property
    def relations(self) -> tuple[str, ...]:
        """Names, in the order of every `relation` axis."""
        return tuple(attention.relation for attention in self.parts[Split.SELECT])

    @cached_property
    def above(self) -> dict[Split, list[tuple[Intervals, Intervals, Float[np.ndarray, "layer head"]]]]:
        """By split and relation: the excess over rivals, over neighbours, and p; see `RelationAttention.above`."""
        n_tests = sum(part.to_key[..., 0].size for part in self.parts[Split.SELECT])
        return {
            split: [
                part.above(level=self.level, test=test, seed=self.seed)
                for part in parts
                for test in (feasible_test(len(set(part.templates)), n_tests=n_tests),)
            ]
            for split, parts in self.parts.items()
        }

    @cached_property
    def p_adjusted(self) -> Float[np.ndarray, "relation layer head"]:
        """Of being above both, on the select half, over heads and relations."""
        return benjamini_hochberg(np.stack([p for _, _, p in self.above[Split.SELECT]]))

    @cached_property
    def found(self) -> Bool[np.ndarray, "relation layer head"]:
        """Above rivals and neighbours by `at_least` and after correction over heads and relations, select half.

        Or what was stated in advance (ValueError: a name that is of no head and relation).
        """
        if self.stated is not None:
            own = np.zeros(self.p_adjusted.size, dtype=bool)
            names = [self.named(*map(int, at)) for at in np.ndindex(*self.p_adjusted.shape)]
            own[places_of(self.stated, names, what="head along a relation")] = True
            return own.reshape(self.p_adjusted.shape)
        excess = [np.minimum(rivals.estimate, near.estimate) for rivals, near, _ in self.above[Split.SELECT]]
        return (self.p_adjusted < self.fdr) & (np.stack(excess) >= self.at_least)

    def named(self, nth: int, layer: int, head: int) -> str:
        """Return what a config calls a head that carries a relation."""
        return f"{head_name((layer, head))} along {self.relations[nth]}"

    def holds(self, split: Split) -> Bool[np.ndarray, "relation layer head"]:
        """Return which of the found are above both again on other prompts (ValueError: of none), after correction."""
        if split not in self.parts:
            raise ValueError(f"nothing was measured on {split}; there are {', '.join(self.parts)}")
        holds = np.zeros_like(self.found)
        if self.found.any():
            p = np.stack([p for _, _, p in self.above[split]])
            holds[self.found] = benjamini_hochberg(p[self.found]) < self.fdr
        return holds

    @cached_property
    def looks(self) -> Bool[np.ndarray, "relation layer head"]:
        """Which of the found are above both again on the report half: what is said of heads."""
        return self.holds(Split.REPORT)

    def excess(self, nth: int) -> Intervals:
        """Return the attention of the report half along one relation beyond the stronger of its two comparisons."""
        rivals, neighbours, _ = self.above[Split.REPORT][nth]
        by_rivals = rivals.estimate <= neighbours.estimate
        parts = ((getattr(rivals, end), getattr(neighbours, end)) for end in ("estimate", "low", "high"))
        found = (np.where(by_rivals, of_rivals, of_neighbours) for of_rivals, of_neighbours in parts)
        return Intervals(*found, self.level, rivals.n_clusters, rivals.method)

    def can_hold(self, nth: int) -> bool:
        """Whether one relation has held-out templates enough that a head could be seen to hold on them."""
        held_out = self.parts.get(Split.HELD_OUT)
        return held_out is not None and len(set(held_out[nth].templates)) >= FEWEST_FOR_T

    def heads(self) -> dict[HeadIndex, tuple[str, ...]]:
        """Return the relations of every head for which one was found and holds on the report half."""
        carried: dict[HeadIndex, tuple[str, ...]] = {}
        for nth, layer, head in np.argwhere(self.looks).tolist():
            carried[layer, head] = (*carried.get((layer, head), ()), self.relations[nth])
        return dict(sorted(carried.items()))

    def table(self) -> pd.DataFrame:
        """Return a row per relation and head, attention of the report half; `None`: too few templates to tell."""
        again = {split: self.holds(split) for split in (Split.REPORT, Split.HELD_OUT) if split in self.parts}
        rows = []
        for nth, part in enumerate(self.parts[Split.REPORT]):
            rivals, neighbours, _ = self.above[Split.REPORT][nth]
            own = bootstrap_interval(part.to_key, part.templates, level=self.level, seed=self.seed)
            shown = {"attention": own, "versus_rivals": rivals, "versus_neighbours": neighbours}
            enough = {s: len(set(self.parts[s][nth].templates)) >= FEWEST_FOR_T for s in again}
            for layer, head in np.ndindex(*self.found.shape[1:]):
                row: dict[str, object] = {"relation": part.relation, "head": head_name((layer, head))}
                for name, intervals in shown.items():
                    one = intervals.at(layer, head)
                    row |= one.columns(name)
                at = (nth, layer, head)
                row |= {"p_adjusted": self.p_adjusted[at], "found": bool(self.found[at])}
                rows.append(row | {f"holds on {s}": bool(w[at]) if enough[s] else None for s, w in again.items()})
        return pd.DataFrame(rows)


def relation_heads(
    model: HookedModel,
    relations: Sequence[Relation] = RELATIONS,
    *,
    n: int = 192,
    n_held_out: int | None = 96,
    at_least: float = 0.1,
    fdr: float = 0.05,
    level: float = 0.95,
    seed: int = 0,
    batch_size: int = 32,
) -> RelationHeads:
    """Look for heads that carry relations; descriptive alone, `AttentionRelations` ablates them too.

    Args:
        n: prompts to draw per relation, and `n_held_out` of reserved templates; see `relation_prompts`.
        at_least: smallest excess over rivals and over neighbours that counts (share of attention).

    Raises: ValueError, for no relations, a model that cannot read a task, or a role that its prompts have not.
    """
    drawn = [relation_prompts(model, relation, n=n, n_held_out=n_held_out, seed=seed) for relation in relations]
    parts = relation_attentions(model, drawn, batch_size=batch_size)
    return RelationHeads(parts, at_least=at_least, fdr=fdr, level=level, seed=seed)


def relation_attentions(
    model: HookedModel, prompts: Sequence[RelationPrompts], *, batch_size: int = 32, progress: Progress = silent
) -> dict[Split, tuple[RelationAttention, ...]]:
    """Measure attention along relations on all parts of their prompts.

    Raises: ValueError, for no relations, or as `relation_attention`.
    """
    if not prompts:
        raise ValueError("no relations to look for; give at least one, such as those of RELATIONS")
    parts: dict[Split, list[RelationAttention]] = {}
    for nth, one in enumerate(prompts):
        for split, pairs in one.parts.items():
            measured = relation_attention(model, pairs, one.relation, batch_size=batch_size)
            parts.setdefault(split, []).append(measured)
        progress(nth + 1, len(prompts), f"attention along {one.relation.name}")
    return {split: tuple(found) for split, found in parts.items() if len(found) == len(prompts)}
