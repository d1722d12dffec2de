"""Prescreen, then verify: estimate every patch to first order, make the largest for real, and say what was missed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.engine import Effects, sweep
from interp_lab.experiment import Progress, silent
from interp_lab.interventions import patches, shared_prefix
from interp_lab.metrics import Metric
from interp_lab.patching.atp_star import atp_star
from interp_lab.patching.attention_patches import is_key, is_query
from interp_lab.patching.attribution import Attribution, attribution
from interp_lab.patching.gradients import PatchDirection
from interp_lab.stats import of_largest, site_correlation
from interp_lab.stats.clusters import Labels
from interp_lab.types import HookedModel, Interval, Site, Tokens, nearest

Estimator = Literal["attribution", "integrated gradients", "atp*"]
"""How patches are estimated; see `attribution` (with one step or several) and `atp_star`."""


@dataclass(frozen=True)
class Cost:
    """Passes of one prompt through the model; a patched run counts as a whole one, and is often much less."""

    forward: int
    backward: int


@dataclass(frozen=True)
class Prescreen:
    """Estimates for all groups of sites, exact patches of those with the largest, and what came of choosing so."""

    names: tuple[str, ...]
    """Of all groups."""
    estimated: Attribution
    kept: tuple[int, ...]
    """Indices of the groups that were chosen, largest mean estimate first."""
    exact: Effects
    """Exact patches of the kept groups, in that order."""
    all_exact: Effects | None
    """Exact patches of all groups; `None` if only the kept ones were made."""
    top: int
    """How many of the largest exact effects were to be found."""
    recall: float | None
    """Share of the `top` largest exact effects (by absolute mean over examples) that are among the kept; of groups that
    tie for the last places any will do. `None` if not measured, or not defined: no patch does anything, so that none
    is among the largest."""
    missed: tuple[int, ...] | None
    """Those of them that are not, largest first. `None` if not measured."""
    rank_correlation: Interval | None
    """Spearman's, over all groups, between the sizes of mean estimates and of mean exact effects; the interval is over
    examples. `None` if not measured."""
    cost: Cost
    """Of estimates and of the exact patches that were kept; what measuring the recall cost is not in it."""
    cost_of_all: Cost
    """Of patching all groups, without estimates."""

    def summary(self) -> str:
        """Return what was kept, what was missed, and at what price."""
        lines = [
            f"{self.estimated.method}, {self.estimated.direction}: {len(self.kept)} of {len(self.names)} groups kept",
            f"{self.cost.forward} forward and {self.cost.backward} backward passes of one prompt, "
            f"against {self.cost_of_all.forward} forward passes for all patches",
        ]
        if self.missed is None:
            return "\n".join([*lines, "recall was not measured (verify_all=False): what was left out is unknown"])
        if self.recall is None:
            return "\n".join(
                [*lines, "recall is not defined: every exact effect is zero, so that there is none to find"]
            )
        missed = ", ".join(self.names[nth] for nth in self.missed) or "none"
        found = round(self.recall * self.top)
        lines.append(f"{found} of the {self.top} largest exact effects are among them (missed: {missed})")
        return "\n".join([*lines, f"rank correlation of estimated and exact sizes: {self.rank_correlation}"])


def prescreen(
    model: HookedModel,
    clean: Tokens,
    *,
    corrupted: Int[Tensor, "_ _"],
    groups: Sequence[Sequence[Site]],
    metric: Metric,
    keep: int,
    top: int | None = None,
    method: Estimator = "attribution",
    direction: PatchDirection = "denoise",
    steps: int = 8,
    grad_drop: bool = True,
    verify_all: bool = True,
    mask: Bool[Tensor, "_ _"] | None = None,
    positions: Int[Tensor, " _"] | None = None,
    clusters: Labels | None = None,
    seed: int = 0,
    batch_size: int = 64,
    memory_budget: int | None = None,
    progress: Progress = silent,
) -> Prescreen:
    """Estimate the patch of every group, and make those of the `keep` groups with the largest estimates exactly.

    Groups are chosen by the absolute value of the mean estimate over examples; effects measured on the examples that
    chose them flatter them, so report on others. Estimates can be blind where the model is not (saturated attention has
    no gradient), and the recall says how blind they were here. Nothing says it for other prompts or models.

    Args:
        groups: sites that are patched together.
        keep: number of groups to patch exactly.
        top: how many of the largest exact effects ought to be among them; as many as are kept, unless told otherwise.
        steps: midpoints of integrated gradients; the other methods have none.
        grad_drop: of AtP*; needs a model of two layers or more.
        verify_all: patch the other groups exactly too, so that the recall is measured.
        mask: True at tokens, False at padding.
        positions: where each prompt is patched, for sites that name no position.
        clusters: independent units (templates) for the interval of the rank correlation; `None`: every example is one.
        seed: of the resamples behind that interval.
        batch_size: pairs per pass of the estimates.
        memory_budget: of the exact patches, as in `engine.sweep`.

    Raises: ValueError, for an unknown method, `keep` or `top` that do not fit the groups, and as `attribution`,
        `atp_star`, `patches` and `engine.sweep`.
    """
    top = _checked_top(top, keep=keep, n_groups=len(groups))
    shared_prefix(clean, corrupted)  # refuses pairs before anything is run
    passes = _passes(model, groups, method=method, steps=steps, grad_drop=grad_drop)
    options: dict[str, Any] = {"corrupted": corrupted, "groups": groups, "metric": metric, "direction": direction}
    options |= {"mask": mask, "positions": positions, "batch_size": batch_size, "progress": progress}
    if method == "atp*":
        estimated = atp_star(model, clean, grad_drop=grad_drop, **options)
    else:
        estimated = attribution(model, clean, steps=1 if method == "attribution" else steps, **options)
    kept = _largest(estimated.estimates, keep)
    source, base = (clean, corrupted) if direction == "denoise" else (corrupted, clean)
    chosen = groups if verify_all else [groups[nth] for nth in kept]
    made = patches(model, chosen, source, base=base, mask=mask, positions=positions)
    exact = sweep(model, base, made, metric, mask=mask, memory_budget=memory_budget, progress=progress)
    recall, missed = found_of_top(exact.changes, kept, top=top) if verify_all else (None, None)
    estimates = estimated.estimates
    ranked = site_correlation(estimates, exact.changes, clusters, of="size ranks", seed=seed) if verify_all else None
    n = len(clean)
    return Prescreen(
        names=estimated.names,
        estimated=estimated,
        kept=kept,
        exact=exact.rows(kept) if verify_all else exact,
        all_exact=exact if verify_all else None,
        top=top,
        recall=recall,
        missed=missed,
        rank_correlation=ranked,
        cost=Cost(n * (passes.forward + _RUNS + keep), n * passes.backward),
        cost_of_all=Cost(n * (_RUNS + len(groups)), 0),
    )


_RUNS = 2
"""Forward passes per pair that exact patches need besides: one to take values from, and the untouched run."""


def _checked_top(top: int | None, *, keep: int, n_groups: int) -> int:
    if not 1 <= keep <= n_groups:
        raise ValueError(f"keep={keep} of {n_groups} groups; keep at least one, and no more than there are")
    if top is not None and not 1 <= top <= keep:
        raise ValueError(f"top={top} cannot all be among keep={keep}; use a number from 1 to {keep}")
    return top or keep


def _passes(model: HookedModel, groups: Sequence[Sequence[Site]], *, method: str, steps: int, grad_drop: bool) -> Cost:
    """Return the passes that the estimates take, per pair.

    Raises: ValueError, for an unknown method, or integrated gradients of fewer than two steps.
    """
    known = get_args(Estimator)
    if method not in known:
        raise ValueError(f"no method {method!r}{nearest(method, known)}; there are {', '.join(map(repr, known))}")
    if method == "attribution":
        return Cost(2, 1)
    if method == "integrated gradients":
        if steps < 2:
            raise ValueError(f"steps={steps} integrates nothing; use 2 or more, or method='attribution'")
        return Cost(2 + steps, steps)
    hooks = {site.hook for group in groups for site in group}
    pinned = any(map(is_query, hooks)) + any(map(is_key, hooks))
    return Cost(2 + pinned, int(model.cfg.n_layers) if grad_drop else 1)


def _largest(estimates: Float[np.ndarray, "site example"], keep: int) -> tuple[int, ...]:
    """Return the groups with the largest mean estimates; groups that tie stay in the order given."""
    order = np.argsort(-np.abs(of_largest(estimates.mean(1))), kind="stable")
    return tuple(int(nth) for nth in order[:keep])


def found_of_top(
    exact: Float[np.ndarray, "site example"], kept: Sequence[int], *, top: int
) -> tuple[float | None, tuple[int, ...]]:
    """Return the share of the `top` largest exact effects that are among the kept, and those that are not.

    Sizes are absolute means over examples. Where several tie for the last places, any of them will do.

    Returns: a share from 0 to 1, or `None` if every effect is zero; indices, largest first.
    """
    sizes = np.abs(of_largest(exact.mean(1)))
    if not sizes.any():
        return None, ()
    order = np.argsort(-sizes, kind="stable")
    last = sizes[order[top - 1]]
    chosen = np.isin(np.arange(len(sizes)), list(kept))
    n_above = int((sizes > last).sum())
    found = int((chosen & (sizes > last)).sum()) + min(int((chosen & (sizes == last)).sum()), top - n_above)
    missed = [int(nth) for nth in order if not chosen[nth] and sizes[nth] >= last]
    return found / top, tuple(missed[: top - found])
