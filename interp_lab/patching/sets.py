"""Interventions made together: do the parts of a set add up, stand in for each other, or do the same work twice?"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.engine import Effects, sweep
from interp_lab.experiment import Progress, silent
from interp_lab.interventions import Combined, Intervention, require_members_apart
from interp_lab.metrics import Metric
from interp_lab.stats import Intervals, PairedDifference, bootstrap_interval, paired_difference
from interp_lab.types import HookedModel, Tokens

_ROUNDING = 1e-6
"""Of single-precision runs, relative to the size of what is added up: smaller interactions are none."""


@dataclass(frozen=True)
class SetEffects:
    """What sets of interventions do together, beside what their members do alone; example by example."""

    single: Effects
    """Of each member alone."""
    together: Effects
    """Of each set."""
    sets: tuple[tuple[int, ...], ...]
    """The members of each set, as rows of `single`."""
    templates: tuple[Hashable, ...] | None
    """Of the examples: what intervals resample and tests flip; `None` if every example is independent."""
    seed: int = 0

    @property
    def sum_of_members(self) -> Float[np.ndarray, "site example"]:
        """What each set would do if its members added up."""
        return np.stack([self.single.changes[list(members)].sum(0) for members in self.sets])

    @cached_property
    def interaction(self) -> Float[np.ndarray, "site example"]:
        """Effect of the set minus the sum of its members, in the metric's unit; 0 where rounding explains it."""
        difference = self.together.changes - self.sum_of_members
        alone = np.stack([np.abs(self.single.changes[list(members)]).sum(0) for members in self.sets])
        n_runs = np.array([[len(members) + 1] for members in self.sets])
        size = alone + np.abs(self.together.changes) + n_runs * np.abs(self.together.baseline)
        return np.where(np.abs(difference) <= _ROUNDING * size, 0.0, difference)

    def intervals(self, *, level: float = 0.95) -> Intervals:
        """Return the mean interaction of each set, with its interval."""
        return bootstrap_interval(self.interaction, self.templates, level=level, seed=self.seed)

    @cached_property
    def test(self) -> PairedDifference:
        """Of each set against the sum of its members, example by example, with templates as the units; not corrected.

        Signs are flipped where templates are enough for as many sets, else it is a t test; see `paired_difference`.
        """
        none = np.zeros_like(self.interaction[:1])
        return paired_difference(self.interaction, none, self.templates, seed=self.seed)

    @property
    def p_adjusted(self) -> Float[np.ndarray, " site"]:
        """Of `test`, corrected over all sets measured together (Benjamini and Hochberg)."""
        return self.test.p_adjusted()

    def is_backup(self, *, level: float = 0.95, margin: float = 0.0) -> Bool[np.ndarray, " site"]:
        """Return which sets do clearly more than their members: these back each other up.

        When one member is gone another does its work, so that none seems needed alone. Clearly: the interaction lies
        beyond the margin, in the direction of the set's own effect, which is clear of zero, and its p-value, corrected
        over all sets, is below 1 - `level`. It is a finding about this kind of intervention: the mean of a head's
        outputs can keep a backup silent that wakes up when the head is set to zero.

        Args:
            margin: smallest interaction of interest, in the metric's unit.
        """
        together = bootstrap_interval(self.together.changes, self.templates, level=level, seed=self.seed)
        clear = self._clear_sign(level=level, margin=margin)
        return (clear != 0) & (clear == _side(together, margin=0.0))

    def is_shared(self, *, level: float = 0.95, margin: float = 0.0) -> Bool[np.ndarray, " site"]:
        """Return which sets do clearly less than the sum of their members: these share what they do.

        Removing one leaves less for the others to lose, as when one works through another, or all are needed at once.
        Clearly: as in `is_backup`, with an interaction that points against the sum of the members.
        """
        clear = self._clear_sign(level=level, margin=margin)
        against = clear == -np.sign(self.sum_of_members.mean(-1))
        return (clear != 0) & against & ~self.is_backup(level=level, margin=margin)

    def _clear_sign(self, *, level: float, margin: float) -> Int[np.ndarray, " site"]:
        if margin < 0:
            raise ValueError(f"margin={margin} is no size; give the smallest interaction of interest, 0 for any")
        return np.where(self.p_adjusted < 1 - level, _side(self.intervals(level=level), margin=margin), 0)


def _side(intervals: Intervals, *, margin: float) -> Int[np.ndarray, " site"]:
    """Return 1 for intervals above the margin, -1 for those below its negative, 0 for others."""
    return (intervals.low > margin).astype(int) - (intervals.high < -margin).astype(int)


def set_effects(
    model: HookedModel,
    tokens: Tokens,
    members: Sequence[Intervention | Combined],
    metric: Metric,
    *,
    sets: Sequence[Sequence[int]] | None = None,
    templates: Sequence[Hashable] | None = None,
    mask: Bool[Tensor, "_ _"] | None = None,
    memory_budget: int | None = None,
    progress: Progress = silent,
    seed: int = 0,
) -> SetEffects:
    """Measure what interventions do one by one, and what sets of them do together, all in one sweep.

    Args:
        members: such as `ablations(model, [[site] for site in sites], kind=...)`; patches do as well.
        sets: which of the members are made together; `None` for one set of all.
        templates: of the prompts; `None` if all are independent.
        seed: of the resamples.

    Raises: ValueError, for fewer than two members, a set that is empty or names a member twice or one that is not
        there, members of one set that act in the same place, or as `engine.sweep`.
    """
    if len(members) < 2:
        raise ValueError(f"{len(members)} member makes no set; give at least two")
    chosen = [tuple(range(len(members)))] if sets is None else [tuple(members_of) for members_of in sets]
    if templates is not None and len(templates) != len(tokens):
        raise ValueError(f"{len(templates)} templates for {len(tokens)} prompts; give one each")
    _require_sets(chosen, members, n_pos=tokens.shape[1])
    together = [_combined([members[nth] for nth in own]) for own in chosen]
    interventions = [*members, *together]
    found = sweep(model, tokens, interventions, metric, mask=mask, memory_budget=memory_budget, progress=progress)
    n = len(members)
    labels = None if templates is None else tuple(templates)
    return SetEffects(
        found.rows(range(n)), found.rows(range(n, len(interventions))), tuple(chosen), labels, seed=seed
    )  # fmt: skip


def backup_pairs(
    model: HookedModel,
    tokens: Tokens,
    members: Sequence[Intervention | Combined],
    metric: Metric,
    *,
    templates: Sequence[Hashable] | None = None,
    mask: Bool[Tensor, "_ _"] | None = None,
    memory_budget: int | None = None,
    progress: Progress = silent,
    seed: int = 0,
) -> SetEffects:
    """Measure all pairs of interventions in one sweep: `n (n - 1) / 2` pairs, beside the n alone.

    `is_backup` of the result says which pairs stand in for each other, corrected over all of them. Three parts that all
    stand in for each other show in no pair: see `set_effects`.

    Args, Raises: as `set_effects`.
    """
    pairs = list(combinations(range(len(members)), 2))
    return set_effects(
        model, tokens, members, metric, sets=pairs, templates=templates, mask=mask, memory_budget=memory_budget,
        progress=progress, seed=seed,
    )  # fmt: skip


def cumulative_effects(
    model: HookedModel,
    tokens: Tokens,
    members: Sequence[Intervention | Combined],
    metric: Metric,
    *,
    templates: Sequence[Hashable] | None = None,
    mask: Bool[Tensor, "_ _"] | None = None,
    memory_budget: int | None = None,
    progress: Progress = silent,
    seed: int = 0,
) -> SetEffects:
    """Measure the first k interventions together, for every k from 1, in one sweep.

    Row k - 1 of the result is the first k; where the sum of its members runs ahead of it or falls behind, the later
    ones do not add up with the earlier ones.

    Args:
        members: in the order in which they are added. An order by effect belongs to other prompts than these
            (`largest_first` on the selection split), or chance makes the curve too steep.

    Raises: ValueError, as `set_effects`.
    """
    first = [range(k) for k in range(1, len(members) + 1)]
    found = set_effects(
        model, tokens, members, metric, sets=first, templates=templates, mask=mask, memory_budget=memory_budget,
        progress=progress, seed=seed,
    )  # fmt: skip
    names = tuple(f"first {k}, up to {name}" for k, name in enumerate(found.single.names, start=1))
    return replace(found, together=replace(found.together, names=names))


def largest_first(effects: Effects) -> tuple[int, ...]:
    """Return the interventions by the size of their mean effect, the largest first, whatever its sign."""
    return tuple(int(nth) for nth in np.argsort(-np.abs(effects.changes.mean(-1)), kind="stable"))


def _require_sets(sets: Sequence[tuple[int, ...]], members: Sequence[Intervention | Combined], *, n_pos: int) -> None:
    if not sets:
        raise ValueError("sets names no set; give at least one, or None for the set of all members")
    for own in sets:
        if not own or len(set(own)) < len(own) or not all(0 <= nth < len(members) for nth in own):
            raise ValueError(
                f"set {own} is not one of {len(members)} members; name at least one, each once, by 0 to "
                f"{len(members) - 1}"
            )
    for one, other in sorted({pair for own in sets for pair in combinations(sorted(own), 2)}):
        require_members_apart([members[one], members[other]], n_pos=n_pos)


def _combined(members: Sequence[Intervention | Combined]) -> Combined:
    """Return members as one; `zero ablation of 1.0` and `zero ablation of 2.1` are `zero ablation of 1.0+2.1`."""
    split = [member.name.partition(" of ") for member in members]
    alike = len({what for what, _, _ in split}) == 1 and all(where for _, _, where in split)
    where = "+".join(where for _, _, where in split)
    name = f"{split[0][0]} of {where}" if alike else " + ".join(member.name for member in members)
    return Combined(tuple(part for member in members for part in member.parts), name)
