"""Attention contrasted between two sets of prompts: where heads look in approved applications, and in rejected ones.

Descriptive only. A difference does not say that the head makes the decision: what was decided upon (an income, a
neighbourhood) is another word in one set than in the other, and a head may tell the words apart without any use of it.
Nor are the roles independent: attention adds up to 1, so that more to one place is less to the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.attention.relations import attention_at, attention_rows, role_places
from interp_lab.organisms.grammar import Value
from interp_lab.stats import (
    Intervals,
    benjamini_hochberg,
    bootstrap_interval,
    feasible_test,
    paired_difference,
    two_sample_test,
)  # fmt: skip
from interp_lab.stats.paired import FEWEST_FOR_T
from interp_lab.tasks import Pairs
from interp_lab.tasks.roles import GIVEN
from interp_lab.types import HookedModel, Tokens, head_name, nearest


@dataclass(frozen=True)
class RoleAttention:
    """Attention from one place of each prompt to others, by what stands there."""

    roles: tuple[str, ...]
    attention: Float[np.ndarray, "role layer head example"]
    """Probabilities; NaN where a prompt has no such place, or has it behind the query."""
    templates: tuple[str, ...]

    def rows(self, index: Sequence[int] | Int[np.ndarray, " row"]) -> "RoleAttention":
        """Return some of the prompts."""
        return RoleAttention(self.roles, self.attention[..., index], tuple(self.templates[i] for i in index))

    def of_role(self, nth: int) -> "RoleAttention":
        """Return one role, in the prompts that have it; raises ValueError, if fewer than two have."""
        there = np.flatnonzero(np.isfinite(self.attention[nth, 0, 0]))
        if len(there) < 2:
            raise ValueError(f"{len(there)} prompts have {self.roles[nth]!r}; leave it out, or draw more prompts")
        return RoleAttention((self.roles[nth],), self.attention[nth : nth + 1], self.templates).rows(there)


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
                    row |= {name: one.estimate, f"{name}_low": one.low, f"{name}_high": one.high}
                row |= {"p_adjusted": adjusted[nth][at], "differs": bool(self.differs[nth][at])}
                rows.append(row | {"n_templates": contrast.difference.n_clusters})
        return pd.DataFrame(rows)


def attention_to_places(
    model: HookedModel,
    tokens: Tokens,
    *,
    mask: Bool[Tensor, "batch pos"],
    query: Int[Tensor, " batch"],
    places: Mapping[str, Int[Tensor, " batch"]],
    templates: Sequence[str],
    batch_size: int = 32,
) -> RoleAttention:
    """Read attention from one place of each prompt to others; prompts of any origin, such as the sides of a `Contrast`.

    Args:
        places: positions by role; -1 where a prompt has no such place.
    Raises: ValueError, as `attention_rows`.
    """
    rows = attention_rows(model, tokens, mask=mask, query=query, batch_size=batch_size)
    read = []
    for positions in places.values():
        there = (positions >= 0) & (positions <= query)
        read.append(np.where(there.cpu().numpy(), attention_at(rows, positions.clamp(min=0)), np.nan))
    return RoleAttention(tuple(places), np.stack(read), tuple(templates))


def role_attention(
    model: HookedModel,
    pairs: Pairs,
    *,
    query: str = "end",
    roles: Sequence[str] | None = None,
    corrupted: bool = False,
) -> RoleAttention:
    """Read attention from one role of the clean prompts of pairs (or the corrupted ones) to others.

    Args:
        roles: `None` takes those that at least four templates have: fewer support nothing.

    Raises: ValueError, for an unknown role, or as `attention_to_places`.
    """
    if roles is None:
        templates = np.array(pairs.templates)
        having = {name: set(templates[places.cpu().numpy() >= 0]) for name, places in pairs.roles.items()}
        left_out = {*GIVEN, query} - {"start"}
        roles = [name for name, them in having.items() if len(them) >= FEWEST_FOR_T and name not in left_out]
    return attention_to_places(
        model,
        pairs.corrupted if corrupted else pairs.clean,
        mask=pairs.mask,
        query=role_places(pairs, query),
        places={name: role_places(pairs, name) for name in roles},
        templates=pairs.templates,
    )


def rows_by_latent(pairs: Pairs, latent: str, value: Value) -> list[int]:
    """Return which clean prompts have a value of a latent, such as `approved` for `expected`; ValueError, if none."""
    rows = [row for row, latents in enumerate(pairs.latents) if latents.get(latent) == value]
    if not rows:
        there = sorted({str(latents.get(latent)) for latents in pairs.latents})
        hint = nearest(latent, pairs.latents[0]) if latent not in pairs.latents[0] else ""
        raise ValueError(f"{latent} is {value!r} in no prompt of {pairs.task}, it is one of {there}{hint}")
    return rows


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
