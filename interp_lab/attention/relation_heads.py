"""Which heads carry which relations; whether a pronoun's head looks at the profession that it is stereotyped by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from interp_lab.attention.heads import all_heads
from interp_lab.attention.relations import RELATIONS, Relation, RelationAttention, relation_attention, with_relation
from interp_lab.claims import Evidence, Split, grade
from interp_lab.effects import evidence_against
from interp_lab.engine import Effects, sweep
from interp_lab.experiment import Progress, silent
from interp_lab.interventions import Ablation, ablations
from interp_lab.stats import (
    Intervals,
    benjamini_hochberg,
    bootstrap_interval,
    feasible_test,
    mean_interval,
    split_by_template,
)  # fmt: skip
from interp_lab.stats.paired import FEWEST_FOR_T
from interp_lab.tasks import Pairs, pairs_for
from interp_lab.types import HeadIndex, HookedModel, Interval, Site, head_name


@dataclass(frozen=True)
class RelationHeads:
    """Which heads carry which relations (several, or none): chosen on half of the prompts, looked for on others."""

    parts: Mapping[Split, tuple[RelationAttention, ...]]
    """By split, one entry per relation; held-out templates may be missing."""
    at_least: float
    fdr: float
    level: float
    seed: int

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
        """Above rivals and neighbours by `at_least` and after correction over heads and relations, select half."""
        excess = [np.minimum(rivals.estimate, near.estimate) for rivals, near, _ in self.above[Split.SELECT]]
        return (self.p_adjusted < self.fdr) & (np.stack(excess) >= self.at_least)

    def holds(self, split: Split) -> Bool[np.ndarray, "relation layer head"]:
        """Return which of the found are above both again on other prompts (ValueError: of none), after correction."""
        if split not in self.parts:
            raise ValueError(f"nothing was measured on {split}; there are {', '.join(self.parts)}")
        holds = np.zeros_like(self.found)
        if self.found.any():
            p = np.stack([p for _, _, p in self.above[split]])
            holds[self.found] = benjamini_hochberg(p[self.found]) < self.fdr
        return holds

    def heads(self) -> dict[HeadIndex, tuple[str, ...]]:
        """Return the relations of every head for which one was found and holds on the report half."""
        carried: dict[HeadIndex, tuple[str, ...]] = {}
        for nth, layer, head in np.argwhere(self.holds(Split.REPORT)).tolist():
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
                    row |= {name: one.estimate, f"{name}_low": one.low, f"{name}_high": one.high}
                at = (nth, layer, head)
                row |= {"p_adjusted": self.p_adjusted[at], "found": bool(self.found[at])}
                rows.append(row | {f"holds on {s}": bool(w[at]) if enough[s] else None for s, w in again.items()})
        return pd.DataFrame(rows)


def relation_heads(
    model: HookedModel,
    relations: Sequence[Relation] = RELATIONS,
    *,
    n: int = 240,
    at_least: float = 0.1,
    fdr: float = 0.05,
    level: float = 0.95,
    seed: int = 0,
    batch_size: int = 32,
    progress: Progress = silent,
) -> RelationHeads:
    """Look for heads that carry relations, on half of the prompts, on the other half, and on reserved templates.

    Args:
        n: prompts per relation.
        at_least: smallest excess over rivals and over neighbours that counts (share of attention).

    Raises: ValueError, for no relations, a model that cannot read a task, or a role that its prompts have not.
    """
    if not relations:
        raise ValueError("no relations to look for; give at least one, such as those of RELATIONS")
    parts: dict[Split, list[RelationAttention]] = {}
    for nth, relation in enumerate(relations):
        pairs = with_relation(pairs_for(model, relation.task, n, seed=seed), relation)
        measured, splits = relation_attention(model, pairs, relation, batch_size=batch_size), pairs.splits(seed=seed)
        for split in Split:
            if len(splits.of(split)):
                parts.setdefault(split, []).append(measured.rows(splits.of(split)))
        progress(nth + 1, len(relations), relation.name)
    everywhere = {split: tuple(found) for split, found in parts.items() if len(found) == len(relations)}
    return RelationHeads(everywhere, at_least=at_least, fdr=fdr, level=level, seed=seed)


STEREOTYPE = next(relation for relation in RELATIONS if relation.name == "pronoun-profession")


@dataclass(frozen=True)
class StereotypeCheck:
    """Two things kept apart: which heads look at the profession, and what the pronoun does without each head."""

    looks: RelationHeads
    baseline: Interval
    """Probability of the stereotyped pronoun minus that of the other one, on the report half, nothing ablated."""
    report: tuple[Evidence, ...]
    """By ablation and head: change of that difference on the report half, beside its control."""
    held_out: tuple[Evidence, ...]
    """The same on reserved templates; empty if there are none. Fewer than four can replicate nothing."""
    kinds: tuple[Ablation, ...]
    fdr: float

    def table(self) -> pd.DataFrame:
        """Return one row per ablation and head: what it looks at (report half), and what its ablation does.

        A negative change weakens the stereotype. The columns may disagree, for backups or heads that pass things on.
        """
        shape = self.looks.found.shape[1:]
        seen, looks = self.looks.parts[Split.REPORT][0], self.looks.found[0] & self.looks.holds(Split.REPORT)[0]
        again = self.held_out or (None,) * len(self.report)
        rows = []
        for nth, (effect, replication) in enumerate(zip(self.report, again, strict=True)):
            kind, at = self.kinds[nth // looks.size], np.unravel_index(nth % looks.size, shape)
            row = {"head": head_name((int(at[0]), int(at[1]))), "ablation": str(kind), "looks": bool(looks[at])}
            row["attention_to_profession"] = float(seen.to_key[at].mean())
            for name, one in (("change", effect.effect), ("versus_control", effect.versus_control)):
                row |= {name: one.estimate, f"{name}_low": one.low, f"{name}_high": one.high}
            row |= {"p_adjusted": effect.p_adjusted, "acts": str(grade(effect, replication, alpha=self.fdr))}
            rows.append(row)
        return pd.DataFrame(rows)


def stereotype_check(
    model: HookedModel,
    relation: Relation = STEREOTYPE,
    *,
    n: int = 384,
    kinds: Sequence[Ablation] = (Ablation.ZERO, Ablation.MEAN_BY_TEMPLATE),
    at_least: float = 0.1,
    margin: float = 0.02,
    fdr: float = 0.05,
    level: float = 0.95,
    seed: int = 0,
) -> StereotypeCheck:
    """Ask whether heads attend from where a pronoun is predicted to the profession, and what ablating each one does.

    Looking is decided on half of the prompts, effects are measured on the other half and on reserved templates. The
    control of a head is the mean effect of ablating each of the others that do not look. Values for mean ablation come
    from prompts that effects are not measured on.

    Args:
        relation: whose prompts have the stereotyped pronoun as their answer, and the other one as the wrong answer.
        margin: smallest change of the probability difference that counts.

    Raises: ValueError, as `relation_heads`, or if fewer than two heads do not look and could be controls.
    """
    pairs = with_relation(pairs_for(model, relation.task, n, seed=seed), relation)
    measured, splits = relation_attention(model, pairs, relation), pairs.splits(seed=seed)
    parts = {split: (measured.rows(splits.of(split)),) for split in Split if len(splits.of(split))}
    looks = RelationHeads(parts, at_least=at_least, fdr=fdr, level=level, seed=seed)
    apart = ~looks.found[0].ravel()
    if apart.sum() < 2:
        raise ValueError(f"{apart.sum()} of {apart.size} heads do not look at the profession, and controls need 2")
    texts = {Split.REPORT: (pairs.rows(splits.select), pairs.rows(splits.report))}
    if len(splits.held_out):
        away = pairs.rows(splits.held_out)
        halves = split_by_template(away.templates, held_out=None, seed=seed)
        texts[Split.HELD_OUT] = (away.rows(halves.select), away.rows(halves.report))
    effects = {
        split: _pronoun_effects(model, asked, reference=reference, kinds=kinds, seed=seed)
        for split, (reference, asked) in texts.items()
    }
    evidence = {
        split: evidence_against(
            found, _other_heads(found.changes, apart, n_kinds=len(kinds)), split=split, margin=margin, level=level,
            control_name="mean of the other heads that do not look", clusters=texts[split][1].templates, seed=seed,
        )
        for split, found in effects.items()
    }  # fmt: skip
    told = mean_interval(effects[Split.REPORT].baseline, texts[Split.REPORT][1].templates, level=level, seed=seed)
    found = (tuple(evidence.get(split, ())) for split in (Split.REPORT, Split.HELD_OUT))
    return StereotypeCheck(looks, told, *found, tuple(kinds), fdr)


def _pronoun_effects(
    model: HookedModel, pairs: Pairs, *, reference: Pairs, kinds: Sequence[Ablation], seed: int
) -> Effects:
    cuts = [
        ablations(
            model, [[Site.of_head(*head)] for head in all_heads(model)], kind=kind, reference=reference.clean,
            mask=reference.mask, n_examples=len(pairs), templates=pairs.templates,
            reference_templates=reference.templates, seed=seed,
        )
        for kind in kinds
    ]  # fmt: skip
    every = [cut for of_kind in cuts for cut in of_kind]
    return sweep(model, pairs.clean, every, pairs.probability_difference(), mask=pairs.mask)


def _other_heads(
    changes: Float[np.ndarray, "site example"], apart: Bool[np.ndarray, " flat"], *, n_kinds: int
) -> Float[np.ndarray, "site example"]:
    """Return for each ablation of a head the mean effect of the same ablation of the others that stand apart."""
    weights = np.where(np.eye(apart.size, dtype=bool), 0.0, apart.astype(float))
    weights /= weights.sum(-1, keepdims=True)
    by_kind = changes.reshape(n_kinds, apart.size, -1)
    return np.einsum("hg,kge->khe", weights, by_kind).reshape(changes.shape)
