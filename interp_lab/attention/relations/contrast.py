"""Attention contrasted between two sets of prompts: where heads look in approved applications, and in rejected ones.

Descriptive only. A difference does not say that the head makes the decision: what was decided upon (an income, a
neighbourhood) is another word in one set than in the other, and a head may tell the words apart without any use of it.
Nor are the roles independent: attention adds up to 1, so that more to one place is less to the others.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from interp_lab.attention.relations.role_attention import RoleAttention
from interp_lab.stats import (
    Intervals,
    benjamini_hochberg,
    bootstrap_interval,
    feasible_test,
    paired_difference,
    two_sample_test,
)  # fmt: skip
from interp_lab.types import head_name

DOES_NOT_SHOW = (
    "That a head takes part in the decision: what is decided upon (an income, a neighbourhood) is another word in one "
    "set than in the other, and a head may tell the words apart without any use of it. Nor are the places independent: "
    "attention adds up to 1, so that more to one is less to the others."
)
"""Stands beside whatever is shown of contrasts."""


@dataclass(frozen=True)
class RoleContrast:
    """Attention to one role, in one set of prompts against another."""

    role: str
    first: Float[np.ndarray, "layer head"]
    """Mean over prompts; over templates, where templates are compared. The difference is first minus second."""
    second: Float[np.ndarray, "layer head"]
    difference: Intervals
    spread: Float[np.ndarray, "layer head"]
    """Standard deviation over the prompts of a set, pooled over both."""
    n: tuple[int, int]
    """Prompts of each set that have the role."""
    p: Float[np.ndarray, "layer head"]
    """Two-sided, by template, not corrected."""

    @property
    def hedges_g(self) -> Intervals:
        """The difference in standard deviations, with Hedges' correction for small samples.

        The interval is that of the difference: the spread is taken as known. Infinite where prompts of a set all agree.
        """
        correction, d = 1 - 3 / (4 * (sum(self.n) - 2) - 1), self.difference
        with np.errstate(divide="ignore", invalid="ignore"):
            sides = [np.where(v == 0, 0.0, correction * v / self.spread) for v in (d.estimate, d.low, d.high)]
        return Intervals(*sides, d.level, d.n_clusters, d.method)


@dataclass(frozen=True)
class AttentionContrast:
    """Every head and role, in two sets of prompts; descriptive, see the module's docstring."""

    names: tuple[str, str]
    how: str
    """What was compared: `pairs`, `templates` (their means in both sets), or `sets` (of different templates)."""
    contrasts: tuple[RoleContrast, ...]
    fdr: float

    @property
    def p_adjusted(self) -> Float[np.ndarray, "role layer head"]:
        """Over heads and roles, by Benjamini and Hochberg's procedure."""
        return benjamini_hochberg(np.stack([contrast.p for contrast in self.contrasts]))

    @property
    def differs(self) -> Bool[np.ndarray, "role layer head"]:
        """Where attention differs between the sets after correction."""
        return self.p_adjusted < self.fdr

    def table(self) -> pd.DataFrame:
        """Return one row per role and head: means, difference, effect size with interval, corrected p."""
        rows, adjusted = [], self.p_adjusted
        for nth, contrast in enumerate(self.contrasts):
            for at in np.ndindex(*contrast.p.shape):
                row: dict[str, object] = {"role": contrast.role, "head": head_name((at[0], at[1]))}
                row |= dict(zip(self.names, (contrast.first[at], contrast.second[at]), strict=True))
                for name, one in (("difference", contrast.difference.at(*at)), ("hedges_g", contrast.hedges_g.at(*at))):
                    row |= one.columns(name)
                row |= {"p_adjusted": adjusted[nth][at], "differs": bool(self.differs[nth][at])}
                rows.append(row | {"n_templates": contrast.difference.n_clusters})
        return pd.DataFrame(rows)


def contrasted(
    first: RoleAttention,
    second: RoleAttention,
    *,
    names: tuple[str, str] = ("first", "second"),
    paired: bool = False,
    fdr: float = 0.05,
    level: float = 0.95,
    seed: int = 0,
) -> AttentionContrast:
    """Compare attention to every role between two sets of prompts, head by head, templates being the units.

    Sets of the same templates are compared template by template (mean against mean, every template alike); sets of
    different templates by a two-sample test over templates.

    Args:
        paired: whether prompts in the same place make a pair, as clean and corrupted ones do; compared pair by pair.

    Raises: ValueError, for different roles, sets that share some templates and not others, or fewer than 2 prompts
        or templates with a role on a side.
    """
    if first.roles != second.roles:
        raise ValueError(f"the sets have the roles {first.roles} and {second.roles}; read the same roles in both")
    if paired and first.templates != second.templates:
        raise ValueError("paired sets need the same prompts in the same order, and their templates differ")
    how = "pairs" if paired else "templates" if set(first.templates) & set(second.templates) else "sets"
    n_tests = first.attention[..., 0].size
    contrasts = [
        _role_contrast(first.of_role(nth), second.of_role(nth), how=how, n_tests=n_tests, level=level, seed=seed)
        for nth in range(len(first.roles))
    ]
    return AttentionContrast(names, how, tuple(contrasts), fdr)


def _role_contrast(
    first: RoleAttention, second: RoleAttention, *, how: str, n_tests: int, level: float, seed: int
) -> RoleContrast:
    sides = [first.attention[0], second.attention[0]]
    squares = sum(np.square(values - values.mean(-1, keepdims=True)).sum(-1) for values in sides)
    n = (len(first.templates), len(second.templates))
    if how == "sets":
        difference, p = _between(first, second, level=level, seed=seed)
    else:
        sides = sides if how == "pairs" else _template_means(first, second)
        units = first.templates if how == "pairs" else None
        test = feasible_test(len(set(first.templates)), n_tests=n_tests)
        found = paired_difference(*sides, units, test=test, level=level, seed=seed)
        difference, p = found.intervals, found.p
    spread = np.sqrt(squares / (sum(n) - 2))
    return RoleContrast(first.roles[0], *(values.mean(-1) for values in sides), difference, spread, n, p)


def _template_means(first: RoleAttention, second: RoleAttention) -> list[Float[np.ndarray, "layer head template"]]:
    names = sorted({*first.templates, *second.templates})
    lone = sorted(set(first.templates) ^ set(second.templates))
    if lone:
        raise ValueError(
            f"prompts with {first.roles[0]!r} of template {lone[0]!r} ({len(lone)} of {len(names)} templates) are in "
            "one set only; take the same templates in both sets (draw more prompts), or none that are the same"
        )
    members = (np.array([[own == name for name in names] for own in side.templates], float) for side in (first, second))
    return [side.attention[0] @ (m / m.sum(0)) for side, m in zip((first, second), members, strict=True)]


def _between(
    first: RoleAttention, second: RoleAttention, *, level: float, seed: int
) -> tuple[Intervals, Float[np.ndarray, "layer head"]]:
    """Return the interval of a difference of independent means, made from the interval of each, and p.

    Source: Zou and Donner 2008 (the method of variance estimates recovery).
    """
    a, b = (bootstrap_interval(s.attention[0], s.templates, level=level, seed=seed) for s in (first, second))
    difference = a.estimate - b.estimate
    low = difference - np.hypot(a.estimate - a.low, b.high - b.estimate)
    high = difference + np.hypot(a.high - a.estimate, b.estimate - b.low)
    values = np.concatenate([first.attention[0], second.attention[0]], -1)
    in_first = np.arange(values.shape[-1]) < len(first.templates)
    p = two_sample_test(values, in_first, [*first.templates, *second.templates], seed=seed).p
    return Intervals(difference, low, high, level, a.n_clusters + b.n_clusters, "recovered"), p
