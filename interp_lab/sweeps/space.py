"""What a sweep may set a parameter to: values to choose from, or a range with one of W&B's distributions.

`value_at` is the quantile function of the distribution, the same as W&B's own search draws from.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from scipy.special import betaincinv, ndtri

EDGE = 1e-4
"""Share of a distribution without bounds that a Bayesian search leaves out on either side: its ends are infinite."""


class SweepError(ValueError):
    """A sweep that cannot be carried out: the message names the file, every value and rule, and the way out."""


@dataclass(frozen=True)
class Choice:
    """One of several values."""

    values: tuple[Any, ...]
    weights: tuple[float, ...] | None = None
    """Probabilities; `None` for equal ones."""
    path: tuple[str, ...] = ()
    """Keys of the parameter as the file nests them; a key may have dots of its own."""

    def value_at(self, u: int | float) -> Any:  # noqa: ANN401 - any plain value
        """Return the value at a quantile; at 0 the first (where W&B's code, which never gets there, wraps around).

        Args:
            u: from 0 to 1.
        """
        require_share(u)
        if self.weights is None:
            return self.values[_place(u, len(self.values))]
        over = np.flatnonzero(u < np.cumsum(self.weights))
        return self.values[int(over[0] if len(over) else np.flatnonzero(self.weights)[-1])]

    def distribution(self) -> BaseDistribution:
        """Return the same as Optuna has it: the place of a value, or the quantile where values have weights."""
        if self.weights is not None:
            return FloatDistribution(0.0, 1.0)
        return CategoricalDistribution(tuple(range(len(self.values))))

    def decoded(self, raw: int | float) -> Any:  # noqa: ANN401 - any plain value
        """Return the value that a draw from `distribution` stands for."""
        return self.values[int(raw)] if self.weights is None else self.value_at(raw)

    @property
    def is_finite(self) -> bool:
        """Whether a grid can have it; W&B's grid takes no weights."""
        return self.weights is None

    def points(self) -> tuple[Any, ...]:
        """Return the values for a grid, each once; of 1 and 1.0 the later one, as W&B does.

        Raises: SweepError, if values have weights.
        """
        if self.weights is not None:
            raise SweepError(f"{'.'.join(self.path)}: probabilities mean nothing in a grid; leave them out")
        return tuple({_identity(value): value for value in self.values}.values())


@dataclass(frozen=True)
class Range:
    """A number from a distribution."""

    kind: str
    """W&B's name of the distribution; one of `KINDS`."""
    terms: Mapping[str, int | float]
    """Of the distribution: `min` and `max`, `mu` and `sigma`, or `a` and `b`; and `q`, the width of its steps."""
    path: tuple[str, ...] = ()
    """Keys of the parameter as the file nests them; a key may have dots of its own."""

    def value_at(self, u: int | float) -> int | float:
        """Return the number at a quantile.

        Steps of `q` are counted from 0, so that the ends may lie outside `min` and `max`, as W&B's do; they are whole
        numbers if `q` was written as one. A distribution without bounds is infinite at 0 or 1.

        Args:
            u: from 0 to 1.
        """
        require_share(u)
        if self.kind == "int_uniform":
            low, high = int(self.terms["min"]), int(self.terms["max"])
            return low + _place(u, high - low + 1)
        value = QUANTILES[self.kind.removeprefix("q_")](u, self.terms)
        if "q" not in self.terms or not math.isfinite(value):
            return value
        q = self.terms["q"]
        stepped = round(value / q) * q
        return int(stepped) if isinstance(q, int) else float(stepped)

    def distribution(self) -> BaseDistribution:
        """Return the same as Optuna has it, where it has one; else the quantile, from 0 to 1.

        Optuna's steps are no substitute for `q`: its ends are as likely as the rest and counted from `min`. Of a
        distribution without bounds the outermost `EDGE` on either side is left out.
        """
        if self.kind == "int_uniform":
            return IntDistribution(int(self.terms["min"]), int(self.terms["max"]))
        if self.is_native:
            low, high = self.ends
            return FloatDistribution(low, high, log=self.kind != "uniform")
        return FloatDistribution(*self.outermost)

    def decoded(self, raw: int | float) -> int | float:
        """Return the number that a draw from `distribution` stands for."""
        if self.kind == "int_uniform":
            return int(raw)
        return float(raw) if self.is_native else self.value_at(raw)

    @property
    def is_native(self) -> bool:
        """Whether Optuna has the distribution itself."""
        return self.kind in ("int_uniform", "uniform") or self.kind in LOGARITHMIC

    @property
    def outermost(self) -> tuple[float, float]:
        """The lowest and the highest quantile that a Bayesian search proposes."""
        return (0.0, 1.0) if "min" in self.terms or self.kind.endswith("beta") else (EDGE, 1 - EDGE)

    @property
    def ends(self) -> tuple[int | float, int | float]:
        """The smallest and the largest number that a Bayesian search proposes."""
        low, high = self.outermost
        return self.value_at(low), self.value_at(high)

    @property
    def is_finite(self) -> bool:
        """Whether a grid can have it."""
        return self.kind in ("int_uniform", "q_uniform")

    def points(self) -> tuple[int | float, ...]:
        """Return the numbers for a grid: of `int_uniform` all; of `q_uniform` from `min` in steps, `max` left out.

        That is what W&B does; write `values` to have others.

        Raises: SweepError, for any other distribution.
        """
        if self.kind == "int_uniform":
            return tuple(range(int(self.terms["min"]), int(self.terms["max"]) + 1))
        if self.kind == "q_uniform":
            return tuple(np.arange(self.terms["min"], self.terms["max"], self.terms["q"]).tolist())
        raise SweepError(
            f"{'.'.join(self.path)}: a grid cannot try every number of distribution {self.kind}; list them as "
            "values: [...], or use int_uniform, q_uniform, or method random or bayes"
        )


Parameter = Choice | Range


def _from_log(u: int | float, low: int | float, high: int | float) -> float:
    return _exp(low + u * (high - low))


def _between(u: int | float, t: Mapping[str, int | float]) -> float:
    """Return the log-uniform quantile; rounding must neither miss its bounds nor carry it out of them."""
    if u in (0, 1):
        return float(t["max"] if u else t["min"])
    return min(max(_from_log(u, math.log(t["min"]), math.log(t["max"])), float(t["min"])), float(t["max"]))


def _exp(x: int | float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


QUANTILES: Mapping[str, Callable[[float, Mapping[str, int | float]], float]] = {
    "uniform": lambda u, t: float(u * (t["max"] - t["min"]) + t["min"]),
    "log_uniform": lambda u, t: _from_log(u, t["min"], t["max"]),
    "log_uniform_values": _between,
    "inv_log_uniform": lambda u, t: _from_log(1 - u, -t["min"], -t["max"]),
    "inv_log_uniform_values": _between,
    "normal": lambda u, t: t["mu"] + t["sigma"] * float(ndtri(u)),
    "log_normal": lambda u, t: _exp(t["mu"] + t["sigma"] * float(ndtri(u))),
    "beta": lambda u, t: float(betaincinv(t["a"], t["b"], u)),
}
"""Numbers at a quantile, before `q`. `log_uniform` and `inv_log_uniform` have exponents as `min` and `max`; the inverse
of a log-uniform number is log-uniform, so that `inv_log_uniform_values` is `log_uniform_values`."""

LOGARITHMIC = ("log_uniform", "log_uniform_values", "inv_log_uniform", "inv_log_uniform_values")
"""Distributions that Optuna has as a float on a logarithmic scale."""

TERMS: Mapping[str, Mapping[str, int | float | None]] = {
    **{kind: {"min": None, "max": None} for kind in ("int_uniform", "uniform", *LOGARITHMIC)},
    **{kind: {"mu": 0.0, "sigma": 1.0} for kind in ("normal", "log_normal")},
    "beta": {"a": 1, "b": 1},
}
KINDS: Mapping[str, Mapping[str, int | float | None]] = TERMS | {
    f"q_{kind}": {**TERMS[kind], "q": 1.0}
    for kind in ("uniform", "log_uniform", "log_uniform_values", "normal", "log_normal", "beta")
}
"""W&B's distributions of numbers: their terms with W&B's defaults, `None` where the file must say."""


def require_share(u: int | float) -> None:
    """Refuse what is no quantile.

    Raises: ValueError.
    """
    if not 0 <= u <= 1:
        raise ValueError(f"{u} is no quantile: give a number from 0 to 1")


def _place(u: int | float, n: int) -> int:
    """Return the first of `n` places up to which lies a share of at least `u`."""
    place = max(math.ceil(u * n) - 1, 0)
    return place - 1 if place > 0 and place / n >= u else place


def _identity(value: Any) -> str:  # noqa: ANN401 - any plain value
    """Return a text that two values share if W&B's grid takes them for one."""
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    return yaml.safe_dump(whole, sort_keys=True)
