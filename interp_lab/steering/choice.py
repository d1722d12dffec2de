"""What the selection split chooses of the settings, under a budget, and what is measured again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from interp_lab.steering.config import Budget
from interp_lab.steering.plan import Plan

SIGNS = (1, -1)
"""Towards the positive side of the trait, and towards the negative one."""


@dataclass(frozen=True)
class Choice:
    """What the selection split says of one sign."""

    sign: int
    best: int | None
    """Of the settings within the budget the one with the largest mean effect, or the cheapest of those that come as
    far but for the tolerance; `None` if none moves that way and keeps to it."""
    strongest: int | None
    """The same without regard to the budget; `None` if none moves that way."""
    frontier: tuple[int, ...]
    """Settings that move farther than all cheaper ones, cheapest first."""

    @property
    def leading(self) -> int | None:
        """What is reported: the best within the budget, and where there is none, the strongest."""
        return self.strongest if self.best is None else self.best


@dataclass(frozen=True)
class Price:
    """What settings cost, by means over one split; NaN where something was not measured."""

    kl: Float[np.ndarray, " setting"]
    """Divergence on neutral text (nats)."""
    loss: Float[np.ndarray, " setting"]
    """Largest fall in accuracy on any capability (share)."""
    deciding: Float[np.ndarray, " setting"]
    """Fall of the gap by what should decide (a probability)."""

    def keeps(self, budget: Budget) -> Bool[np.ndarray, " setting"]:
        """Whether settings keep to the budget; what was not measured does not."""
        within = (self.kl <= budget.kl) & (self.loss <= budget.capability_loss + 1e-9)
        return within & (self.deciding <= budget.deciding_loss)


def choose(
    effect: Float[np.ndarray, " setting"],
    price: Price,
    *,
    budget: Budget,
    tolerance: float = 0.0,
    among: Bool[np.ndarray, " setting"] | None = None,
) -> tuple[Choice, ...]:
    """Return the choice for each sign, from means on the selection split.

    Args:
        tolerance: difference of mean effects that counts as none, in the unit of the target.
        among: settings to choose from; `None` means all.
        effect: mean change of the target, positive towards the positive side.
    """
    within, kl = price.keeps(budget), price.kl
    effect = effect if among is None else np.where(among, effect, 0.0)
    return tuple(
        Choice(
            sign,
            _largest(np.where(within, sign * effect, -np.inf), kl, tolerance=tolerance),
            _largest(sign * effect, kl, tolerance=0.0),
            frontier(sign * effect, kl),
        )
        for sign in SIGNS
    )


def stated(settings: Mapping[int, int], price: Price, *, budget: Budget) -> tuple[Choice, ...]:
    """Return what was stated in advance, by sign; the selection split says no more than if it keeps to the budget."""
    within = price.keeps(budget)
    found = {sign: settings.get(sign) for sign in SIGNS}
    return tuple(
        Choice(sign, one if one is not None and within[one] else None, one, () if one is None else (one,))
        for sign, one in found.items()
    )


def _largest(
    effect: Float[np.ndarray, " setting"], price: Float[np.ndarray, " setting"], *, tolerance: float
) -> int | None:
    most = float(effect.max())
    if most <= 0:
        return None
    near = (effect >= most - tolerance) & (effect > 0)
    return int(np.argmin(np.where(near, price, np.inf)))


def frontier(effect: Float[np.ndarray, " setting"], price: Float[np.ndarray, " setting"]) -> tuple[int, ...]:
    """Return settings with an effect above zero that is larger than that of every cheaper one, cheapest first."""
    found: list[int] = []
    most = 0.0
    for nth in np.lexsort((-effect, price)).tolist():
        if effect[nth] > most:
            found.append(nth)
            most = float(effect[nth])
    return tuple(found)


def reported_settings(
    plan: Plan, choices: Sequence[Choice], by_direction: Sequence[Choice]
) -> Int[np.ndarray, " reported"]:
    """Return what is measured again, ascending: what leads with its family, frontiers, each direction's best.

    If nothing moves the target either way, the first family, which then shows that.

    Args:
        by_direction: choices among the settings of one direction alone.
    """
    families = {int(plan.family_of[choice.leading]) for choice in choices if choice.leading is not None} or {0}
    again = {int(setting) for family in families for setting in plan.of(family)}
    again |= {setting for choice in choices for setting in choice.frontier}
    again |= {choice.leading for choice in by_direction if choice.leading is not None}
    return np.array(sorted(again), dtype=np.int64)
