"""How far a steering effect can be relied on, prompt by prompt: the wrong way, dose by dose, and on new prompts."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Shaped
from scipy.stats import rankdata

from interp_lab.stats import mean_interval
from interp_lab.types import UNMEASURED, Interval

ROUNDING = 1e-6
"""A change below this is none, in the unit of the target."""


def clusters_of(templates: Sequence[str] | Shaped[np.ndarray, " example"]) -> list[object]:
    """Return what intervals resample: templates, or examples where all are of one."""
    names = [str(name) for name in templates]
    return list(names) if len(set(names)) > 1 else list(range(len(names)))


def moved_wrong(
    effects: Float[np.ndarray, "*site example"], sign: int, *, beyond: float = 0.0
) -> Bool[np.ndarray, "*site example"]:
    """Return which prompts moved against the sign, by more than so much: anti-steerable ones.

    Source: Tan et al. 2024, arXiv 2407.12404.
    """
    return sign * effects < -max(beyond, ROUNDING)


def monotone(values: Float[np.ndarray, "dose example"]) -> Bool[np.ndarray, " example"]:
    """Return at which prompts the target never falls from one coefficient to the next larger one."""
    return np.all(np.diff(values, axis=0) >= -ROUNDING, axis=0)


def rank_correlations(values: Float[np.ndarray, "dose example"]) -> Float[np.ndarray, " example"]:
    """Return Spearman's correlation of the target with the dose, prompt by prompt; 0 where nothing changes.

    Args:
        values: by ascending coefficient.

    Raises: ValueError, for fewer than two doses.
    """
    n = len(values)
    if n < 2:
        raise ValueError(f"{n} doses have no order; measure at least two coefficients")
    ranks = rankdata(np.round(values / ROUNDING) * ROUNDING, axis=0) - (n + 1) / 2
    doses = (np.arange(n) - (n - 1) / 2)[:, None]
    spread = np.sqrt((ranks**2).sum(0) * (doses**2).sum())
    return np.divide((ranks * doses).sum(0), spread, out=np.zeros(values.shape[1]), where=spread > 0)


def rank_p(effect: float, drawn: Float[np.ndarray, " draw"]) -> float:
    """Return the p of an effect among those of directions without a meaning, by its rank in size (two-sided).

    With `n` of them it cannot be less than `1 / (n + 1)`.
    """
    return float((1 + (np.abs(drawn) >= abs(effect)).sum()) / (1 + len(drawn)))


def shrinkage(
    select: Float[np.ndarray, " chosen_on"],
    report: Float[np.ndarray, " reported_on"],
    *,
    select_templates: Sequence[str],
    report_templates: Sequence[str],
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return how much larger a mean is where it was chosen than where it is reported: the winner's curse.

    Differences are taken template by template, and templates resampled; those that only one split has are left out.
    NaN ends with fewer than two templates in common.
    """
    there = [name for name in dict.fromkeys(select_templates) if name in set(report_templates)]
    own, other = (
        np.array([values[np.array(names) == name].mean() for name in there])
        for values, names in ((select, select_templates), (report, report_templates))
    )
    differences = own - other
    if len(there) < 2:
        return UNMEASURED if not there else Interval(float(differences.mean()), np.nan, np.nan, level, len(there))
    return mean_interval(differences, level=level, seed=seed)
