"""How far raters agree beyond chance, with an interval over the items they rated."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from interp_lab.sae.naming.ratings import Ratings
from interp_lab.types import Interval

Level = Literal["nominal", "ordinal", "interval"]
_WEIGHTS: Mapping[Level, str | None] = {"nominal": None, "ordinal": "quadratic", "interval": "quadratic"}


@dataclass(frozen=True)
class Agreement:
    """How far raters agree; 1 is perfect, 0 is chance, below 0 is systematic disagreement."""

    alpha: Interval
    """Krippendorff's, over all raters; interval over items."""
    level: Level
    pairs: pd.DataFrame
    """Of every two raters: items both rated, Cohen's kappa (quadratic weights unless nominal)."""
    n_items: int
    """Rated by two or more."""
    over_mixed: Interval | None
    """Mean rating of features less that of mixed controls, interval over items; `None` where fewer than two of either
    were rated. What raters give to excerpts that have nothing in common they would give to anything."""
    undefined: float
    """Share of the resamples in which all ratings were equal, so that they say nothing of agreement; left out."""

    def summary(self) -> str:
        """Return it in one sentence."""
        kappa = self.pairs["kappa"].dropna()
        mean = f"{kappa.mean():.3f} " if len(kappa) else ""
        return (
            f"{len(set(self.pairs['first']) | set(self.pairs['second']))} raters, {self.n_items} items: Krippendorff's "
            f"alpha ({self.level}) {self.alpha}, mean Cohen's kappa {mean}({len(kappa)} of {len(self.pairs)} pairs); "
            f"{self._above_controls()}"
        )

    def _above_controls(self) -> str:
        if self.over_mixed is None:
            return "no control: fewer than two features or mixed items were rated"
        unclear = ", NOT clear of zero: the ratings do not tell features from noise" if self.over_mixed.low <= 0 else ""
        return f"features above mixed controls by {self.over_mixed}{unclear}"


def agreement(
    ratings: Ratings, *, level: Level = "ordinal", confidence: float = 0.95, n_resamples: int = 2000, seed: int = 0
) -> Agreement:
    """Measure agreement on the features; mixed controls are left out of it, as they would make it look higher.

    The controls have a figure of their own, `over_mixed` (Welch's t interval). The interval of alpha is the bootstrap's
    percentiles, items resampled: raters are taken as they are.

    Raises: ValueError, for fewer than two raters, fewer than two items that two of them rated, or equal ratings only.
    Source: Krippendorff 2011, Computing Krippendorff's alpha-reliability; Cohen 1960 through scikit-learn.
    """
    is_mixed = np.array([item.is_mixed for item in ratings.items])
    values = ratings.values[:, ~is_mixed]
    together = _coincidences(values, scale=np.arange(ratings.scale.low, ratings.scale.high + 1.0))
    n_items = len(together)
    if len(values) < 2 or n_items < 2:
        raise ValueError(f"{len(values)} raters share {n_items} items; agreement needs two raters and two shared items")
    estimate = float(_alpha(together.sum(0)[None], level=level)[0])
    if np.isnan(estimate):
        raise ValueError("all ratings are equal, which says nothing about agreement; rate features that differ")
    drawn = np.random.default_rng(seed).integers(n_items, size=(n_resamples, n_items))
    times = np.stack([np.bincount(one, minlength=n_items) for one in drawn]).astype(np.float64)
    resampled = _alpha(np.einsum("ri,ivw->rvw", times, together), level=level)
    low, high = np.nanquantile(resampled, [(1 - confidence) / 2, (1 + confidence) / 2])
    interval = Interval(estimate, float(low), float(high), confidence, n_items)
    undefined = float(np.isnan(resampled).mean())
    over_mixed = _difference(_means(values), _means(ratings.values[:, is_mixed]), confidence=confidence)
    return Agreement(interval, level, _pairs(ratings, values, level), n_items, over_mixed, undefined)


def _means(values: Float[np.ndarray, "rater item"]) -> Float[np.ndarray, " rated"]:
    """Return the mean rating of every item that anybody rated."""
    rated = ~np.isnan(values)
    return np.where(rated, values, 0).sum(0)[rated.any(0)] / rated.sum(0)[rated.any(0)]


def _difference(
    ours: Float[np.ndarray, " item"], others: Float[np.ndarray, " other"], *, confidence: float
) -> Interval | None:
    """Return the difference of two means with Welch's interval."""
    if min(len(ours), len(others)) < 2:
        return None
    first, second = (float(one.var(ddof=1)) / len(one) for one in (ours, others))
    spread = first + second
    freedom = spread**2 / (first**2 / (len(ours) - 1) + second**2 / (len(others) - 1)) if spread else 1.0
    estimate = float(ours.mean() - others.mean())
    half = float(stats.t.ppf((1 + confidence) / 2, freedom)) * spread**0.5
    return Interval(estimate, estimate - half, estimate + half, confidence, len(ours) + len(others))


def krippendorff_alpha(
    values: Float[np.ndarray, "rater item"], *, scale: Float[np.ndarray, " value"], level: Level = "ordinal"
) -> float:
    """Return Krippendorff's alpha: one minus observed over expected disagreement; NaN if all ratings are equal.

    Args:
        values: NaN where a rater left an item out.
        scale: all values there can be, rising, one apart.
    """
    return float(_alpha(_coincidences(values, scale=scale).sum(0)[None], level=level)[0])


def _coincidences(
    values: Float[np.ndarray, "rater item"], *, scale: Float[np.ndarray, " value"]
) -> Float[np.ndarray, "_ value value"]:
    """Return of each item, rated by two or more, how often two raters paired one value with another."""
    counts = (values.T[:, :, None] == scale).sum(1).astype(np.float64)
    raters = counts.sum(1)
    counts, raters = counts[raters > 1], raters[raters > 1]
    pairs = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(len(scale))
    return pairs / (raters - 1)[:, None, None]


def _alpha(together: Float[np.ndarray, "sample value value"], *, level: Level) -> Float[np.ndarray, " sample"]:
    """Return alpha of summed coincidences; NaN where nothing could disagree."""
    used = together.sum(-1)
    n = used.sum(-1)
    distance = _distance(used, level=level)
    observed = (together * distance).sum((-2, -1)) / n
    chance = used[:, :, None] * used[:, None, :] - used[:, :, None] * np.eye(used.shape[-1])
    expected = (chance * distance).sum((-2, -1)) / (n * (n - 1))
    return np.divide(expected - observed, expected, out=np.full(len(n), np.nan), where=expected > 0)


def _distance(used: Float[np.ndarray, "sample value"], *, level: Level) -> Float[np.ndarray, "sample value value"]:
    """Return squared distances between values; of ordinal ones, by the ratings that lie between them."""
    n_values = used.shape[-1]
    if level == "nominal":
        return np.broadcast_to(1 - np.eye(n_values), (len(used), n_values, n_values))
    place = used.cumsum(-1) - used / 2 if level == "ordinal" else np.broadcast_to(np.arange(n_values), used.shape)
    return (place[:, :, None] - place[:, None, :]).astype(np.float64) ** 2


def _pairs(ratings: Ratings, values: Float[np.ndarray, "rater item"], level: Level) -> pd.DataFrame:
    scale, rows = list(range(ratings.scale.low, ratings.scale.high + 1)), []
    for (first, ours), (second, theirs) in combinations(zip(ratings.raters, values, strict=True), 2):
        both = ~np.isnan(ours) & ~np.isnan(theirs)
        kappa = np.nan
        if both.any() and len({*ours[both], *theirs[both]}) > 1:
            kappa = cohen_kappa_score(ours[both], theirs[both], labels=scale, weights=_WEIGHTS[level])
        rows.append({"first": first, "second": second, "n_items": int(both.sum()), "kappa": float(kappa)})
    return pd.DataFrame(rows)
