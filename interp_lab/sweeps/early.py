"""Stopping trials early by W&B's rule: Hyperband's bands, without its brackets.

Source: Li et al. 2016, arXiv 1603.06560, as W&B simplifies it: at every band, the best 1/eta of all trials go on.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from interp_lab.types import nearest

KEYS = ("type", "max_iter", "min_iter", "s", "eta", "strict")
_N_BANDS = 100
"""W&B's, where only the first band is given."""


@dataclass(frozen=True)
class Hyperband:
    """When to stop a trial that has fallen behind."""

    bands: tuple[int, ...]
    """Values that a trial must have logged to be judged, rising; it is judged at the last one that it has reached."""
    eta: int | float
    """One in so many goes on."""
    strict: bool = True
    """Judge by the value at the band; else by the best so far."""
    goal: Literal["minimize", "maximize"] = "minimize"

    def stops(self, own: Sequence[int | float], others: Sequence[Sequence[int | float]]) -> bool:
        """Return whether a running trial should be stopped.

        Args:
            own: values of the sweep's metric that the trial has logged, in order.
            others: the same of all other trials, whatever has become of them.
        """
        mine, *rest = (self._costs(history) for history in (own, *others))
        reached = [band for band in self.bands if band <= len(mine)]
        if not reached:
            return False
        band = reached[-1]
        there = sorted(history[band - 1] for history in (mine, *rest) if len(history) >= band)
        threshold = there[int(1 / self.eta * len(there))]
        return (mine[band - 1] if self.strict else min(mine)) > threshold

    def _costs(self, history: Sequence[int | float]) -> list[int | float]:
        sign = -1 if self.goal == "maximize" else 1
        return [sign * value for value in history if math.isfinite(value)]


def parse_early(block: Any, *, goal: Literal["minimize", "maximize"], problems: list[str]) -> Hyperband | None:  # noqa: ANN401 - what a user wrote
    """Read `early_terminate` of a sweep; what is wrong with it is added to `problems`."""
    if not isinstance(block, Mapping):
        problems.append(f"early_terminate: {block!r} is no mapping; write type: hyperband and min_iter: N")
        return None
    found = [
        f"early_terminate.{key}: no such key{nearest(str(key), KEYS)}; there are {', '.join(KEYS)}"
        for key in block
        if key not in KEYS
    ]
    if block.get("type") != "hyperband":
        found.append(f"early_terminate.type: {block.get('type')!r} is none of hyperband; write hyperband")
    eta, strict = block.get("eta", 3), block.get("strict", True)
    if not _is_number(eta) or eta <= 1:
        found.append(f"early_terminate.eta: {eta!r} must be a number above 1: one trial in eta goes on")
    if not isinstance(strict, bool):
        found.append(f"early_terminate.strict: {strict!r} must be true or false")
    found += _problems_of_bands(block)
    problems += found
    if found:
        return None
    bands = _bands(block, float(eta))
    if not bands:
        problems.append(f"early_terminate: max_iter {block['max_iter']} over eta {eta} leaves no band; raise max_iter")
        return None
    return Hyperband(bands, float(eta), strict, goal)


def _problems_of_bands(block: Mapping[str, Any]) -> list[str]:
    given = [name for name in ("max_iter", "min_iter") if name in block]
    if len(given) != 1 or ("s" in block) != ("max_iter" in block):
        return [
            f"early_terminate: has {', '.join(map(str, block))}; give min_iter (the first band), or max_iter and s "
            "(that many bands below it), not both"
        ]
    return [
        f"early_terminate.{name}: {block[name]!r} must be a whole number from 1"
        for name in (*given, "s")
        if name in block and (not _is_number(block[name]) or block[name] < 1 or block[name] != int(block[name]))
    ]


def _bands(block: Mapping[str, Any], eta: float) -> tuple[int, ...]:
    if "min_iter" in block:
        each = itertools.accumulate(itertools.repeat(eta, _N_BANDS - 1), lambda band, eta: band * eta,
                                    initial=block["min_iter"])  # fmt: skip
        return tuple(int(band) for band in each if math.isfinite(band))
    below = itertools.accumulate(itertools.repeat(eta, int(block["s"])), lambda band, eta: band / eta,
                                 initial=block["max_iter"])  # fmt: skip
    return tuple(sorted(int(band) for band in list(below)[1:] if band >= 1))


def _is_number(value: Any) -> bool:  # noqa: ANN401 - what a user wrote
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
