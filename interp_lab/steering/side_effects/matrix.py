"""The matrix: what each trait's direction does to every trait, beside random directions of the same length."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from interp_lab.stats import (
    Intervals,
    PairedDifference,
    benjamini_hochberg,
    bootstrap_interval,
    difference_from_several,
    feasible_test,
    ratio_of_means,
)
from interp_lab.steering.side_effects.on_trait import OnTrait, Unit
from interp_lab.types import UNMEASURED, Interval

ALPHA = 0.05
"""Level at which a corrected p-value must lie."""


class Verdict(StrEnum):
    """What a direction does to the mean of a trait."""

    MOVED = "moved"
    """Its answers move further than the margin: clear of the mean of random directions of the same length, after
    correction, and of the range that these lie in."""
    PUSHED = "odds moved"
    """Its answers stay, but their log odds move further than the margin: clear of random directions likewise."""
    LEFT_ALONE = "left alone"
    """Its answers stay, and their log odds: the whole interval of either lies within its margin."""
    ANSWERS_STAY = "answers stay"
    """Its answers stay; log odds are not shown to stay, nor to move further than under random directions (or there is
    nothing to compare them with)."""
    NOT_TOLD = "not told"
    """The interval of the answers reaches within the margin and beyond it, or no further than random directions do."""


@dataclass(frozen=True)
class Cell:
    """What one direction does to one trait."""

    sign: int
    steered: int
    effect: Interval
    """Mean change (share of the possible range)."""
    log_odds: Interval
    """The same in log odds (nats)."""
    of_own: Interval
    """The same as a share of what the trait's own direction does to its log odds, at the same sign; NaN unless that is
    clear of zero."""
    size: float
    """Mean over prompts of how much each changes, either way (share): prompts may move and the mean stay."""
    random: Interval
    """Mean over random directions of the mean change (share), and the quantiles between which they lie."""
    random_size: float
    """As `size`, of random directions."""
    exceeded: int
    """Random directions whose mean change (share) is smaller in size."""
    versus_random: Interval
    """Effect (share) less the mean effect of random directions, whose spread counts."""
    p_adjusted: float
    """Of that difference, corrected over all effects on other traits, or all on a direction's own: these are there to
    be clear, and would make the others pass more easily."""
    odds_versus_random: Interval
    """The same in log odds (nats)."""
    odds_p_adjusted: float
    odds_random: Interval
    """As `random`, in log odds (nats)."""

    def verdict(self, margin: float, *, odds_margin: float) -> Verdict:
        """Return what the intervals say of the mean.

        Args:
            margin: of the change (share of the possible range).
            odds_margin: of the change in log odds (share of what the trait's own direction does).
        """
        if _within(self.effect, margin):
            return self._of_odds(odds_margin)
        both = (self.effect, self.versus_random)
        same = self.effect.estimate * self.versus_random.estimate > 0
        apart = same and all(_clear(one, margin) for one in both) and self.random.excludes(self.effect.estimate)
        return Verdict.MOVED if apart and self.p_adjusted < ALPHA else Verdict.NOT_TOLD

    def _of_odds(self, margin: float) -> Verdict:
        """Return what is known of log odds where answers stay; NaN lies neither within the margin nor beyond it."""
        if _within(self.of_own, margin):
            return Verdict.LEFT_ALONE
        apart = _clear(self.odds_versus_random, 0.0) and self.odds_random.excludes(self.log_odds.estimate)
        moved = _clear(self.of_own, margin) and apart and self.odds_p_adjusted < ALPHA
        return Verdict.PUSHED if moved else Verdict.ANSWERS_STAY


def _within(interval: Interval, margin: float) -> bool:
    """Whether a whole interval lies within a margin."""
    return -margin < interval.low and interval.high < margin


def _clear(interval: Interval, margin: float) -> bool:
    """Whether a whole interval lies beyond a margin, on one side."""
    return interval.low > margin or interval.high < -margin


def cells(measured: Sequence[OnTrait], *, level: float, seed: int) -> list[list[Cell]]:
    """Return for each trait that is measured one cell per sign and steered trait, in that order.

    Raises: ValueError, as `stats.difference_from_several`.
    """
    n_signs, n_traits = measured[0].alone.shape[:2]
    own = np.tile(np.eye(len(measured), n_traits, dtype=bool), n_signs)
    n_tests = int((~own).sum())
    units: tuple[Unit, ...] = ("share", "nats")
    found = [
        [_against_random(one, unit, n_tests=n_tests, level=level, seed=seed) for one in measured] for unit in units
    ]
    adjusted = [_adjusted(np.stack([versus.p for versus in each]), own) for each in found]
    rows = []
    for nth, one in enumerate(measured):
        effects = [_intervals(_flat(one, unit), one, level=level, seed=seed) for unit in units]
        of_own = _of_own(one, nth, effects[1], level=level, seed=seed)
        rows.append([
            Cell(
                **_described(one, place, effect=effects[0].at(place), level=level),
                log_odds=effects[1].at(place),
                of_own=of_own[place],
                versus_random=found[0][nth].intervals.at(place),
                p_adjusted=float(adjusted[0][nth, place]),
                odds_versus_random=found[1][nth].intervals.at(place),
                odds_p_adjusted=float(adjusted[1][nth, place]),
            )
            for place in range(effects[0].estimate.size)
        ])  # fmt: skip
    return rows


def _adjusted(p: Float[np.ndarray, "trait site"], own: Bool[np.ndarray, "trait site"]) -> np.ndarray:
    """Return p-values corrected over all effects on other traits, and over those of directions on their own."""
    adjusted = np.empty_like(p)
    for which in (own, ~own):
        adjusted[which] = benjamini_hochberg(p[which])
    return adjusted


def _against_random(one: OnTrait, unit: Unit, *, n_tests: int, level: float, seed: int) -> PairedDifference:
    random = one.change(one.random, unit)
    return difference_from_several(
        _flat(one, unit), [*random] * one.alone.shape[0], one.templates, level=level, seed=seed,
        test=feasible_test(len(set(one.templates)), n_tests=n_tests),
    )  # fmt: skip


def _flat(one: OnTrait, unit: Unit) -> Float[np.ndarray, "site example"]:
    """Return changes, signs one behind the other."""
    return one.change(one.alone, unit).reshape(-1, len(one.clean))


def _of_own(one: OnTrait, own: int, log_odds: Intervals, *, level: float, seed: int) -> list[Interval]:
    """Return changes of log odds as shares of that by the trait's own direction, where that is clear of zero."""
    n_steered = one.alone.shape[1]
    found: list[Interval] = []
    for sign, changed in enumerate(one.change(one.alone, "nats")):
        if not log_odds.excludes(0.0)[sign * n_steered + own]:
            found += [UNMEASURED] * n_steered
            continue
        shares = _intervals(ratio_of_means(changed, changed[own]), one, level=level, seed=seed)
        found += [shares.at(steered) for steered in range(n_steered)]
    return found


def _intervals(values: Float[np.ndarray, "site example"], one: OnTrait, *, level: float, seed: int) -> Intervals:
    return bootstrap_interval(values, one.templates, level=level, seed=seed)


def _described(one: OnTrait, place: int, *, effect: Interval, level: float) -> dict[str, Any]:
    sign, steered = divmod(place, one.alone.shape[1])
    drawn = one.change(one.random[steered], "share")
    means = drawn.mean(-1)
    odds = one.change(one.random[steered], "nats").mean(-1)
    return {
        "sign": 1 if sign == 0 else -1,
        "steered": steered,
        "effect": effect,
        "size": float(np.abs(one.change(one.alone[sign, steered], "share")).mean()),
        "random": band_of(means, level=level),
        "odds_random": band_of(odds, level=level),
        "random_size": float(np.abs(drawn).mean()),
        "exceeded": int((np.abs(means) < abs(effect.estimate)).sum()),
    }


def band_of(means: Float[np.ndarray, " draw"], *, level: float) -> Interval:
    """Return the mean of what was drawn, with the quantiles between which `level` of it lies."""
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(means.mean()), float(low), float(high), level)


def interaction(one: OnTrait, unit: Unit, *, level: float, seed: int) -> Intervals:
    """Return the interval, over templates, of what every two directions do beyond the sum."""
    return bootstrap_interval(one.beyond_the_sum(unit), one.templates, level=level, seed=seed)
