"""Where methods agree on single components and where they do not, in numbers and in words."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from jaxtyping import Float

from interp_lab.claims import Grade
from interp_lab.hypotheses import Component, Componential
from interp_lab.investigation.found import Investigated, StepRun
from interp_lab.stats import benjamini_hochberg, mean_interval
from interp_lab.types import Interval

NOTHING = 0.1
"""Share of a method's largest effect below which it says that there is nothing, whatever the interval."""
FEWEST_RANKED = 5
"""Components that two methods must share before their rankings are compared."""
N_SHUFFLES = 2000

_ENOUGH = ("denois",)
_NEEDED = ("nois", "ablat")


@dataclass(frozen=True)
class Method:
    """One method in one step, and what it says of each component."""

    step: str
    name: str
    causal: bool
    unit: str
    said: Mapping[str, Component]
    label: str
    """The name, with the step where several methods share it."""

    @property
    def largest(self) -> float:
        """Size of the largest effect: what colours are scaled by."""
        sizes = [abs(one.effect.estimate) for one in self.said.values() if np.isfinite(one.effect.estimate)]
        return max(sizes, default=0.0) or 1.0

    def points_at(self, component: str) -> bool:
        """Whether it says that this one matters: a causal claim of an intervention, or a choice of an observation.

        An intervention that chose parts together claims nothing of one alone: what it does must be clear of zero then.
        """
        one = self.said[component]
        if self.causal and one.grade is not None:
            return one.grade >= Grade.CAUSAL
        return one.selected and (not self.causal or not self._is_little(component))

    def denies(self, component: str) -> bool:
        """Whether it says that there is nothing: more than that it is not sure."""
        return not self.points_at(component) and self._is_little(component)

    def _is_little(self, component: str) -> bool:
        effect = self.said[component].effect
        return abs(effect.estimate) < NOTHING * self.largest or not effect.excludes(0.0)


@dataclass(frozen=True)
class Ranking:
    """Whether two methods rank the components that they share alike, by size."""

    first: Method
    second: Method
    n: int
    tau: Interval
    shuffled: Interval
    """The middle of tau when components are shuffled, and where all but one in twenty of them lie."""
    p: float
    """Share of shuffles that agree or disagree as much; corrected over all pairs of methods."""


@dataclass(frozen=True)
class Agreement:
    """All methods of an investigation side by side."""

    methods: tuple[Method, ...]
    """Descriptive ones first."""
    shared: tuple[str, ...]
    """Components that two or more methods speak of; those that more methods point at stand first."""
    n_alone: int
    """Components that one method speaks of."""
    level: float

    def said_of(self, component: str) -> list[Method]:
        """Return the methods that speak of a component."""
        return [method for method in self.methods if component in method.said]

    @cached_property
    def disagreements(self) -> list[str]:
        """In words where methods contradict each other, one sentence for each component and contradiction.

        Not every difference is one: a method that sees something and is not sure of it contradicts none.
        """
        return [sentence for component in self.shared for sentence in _disagreements(self, component)]

    @cached_property
    def agreed(self) -> list[str]:
        """The components that all methods which speak of them point at, interventions among these."""
        told = {one: self.said_of(one) for one in self.shared}
        return [
            one
            for one, methods in told.items()
            if any(m.causal for m in methods) and all(m.points_at(one) for m in methods)
        ]

    @cached_property
    def rankings(self) -> list[Ranking]:
        """How alike each two methods rank what they share, where that is enough to rank."""
        made = [_ranking(one, other, level=self.level) for one, other in itertools.combinations(self.methods, 2)]
        found = [one for one in made if one is not None]
        corrected = benjamini_hochberg(np.array([one.p for one in found])) if found else []
        return [
            Ranking(one.first, one.second, one.n, one.tau, one.shuffled, float(p))
            for one, p in zip(found, corrected, strict=True)
        ]

    def table(self) -> pd.DataFrame:
        """Return one row per shared component and method."""
        rows = [
            {"component": component, "method": method.label, "evidence": "causal" if method.causal else "descriptive",
             **method.said[component].effect.columns("effect"), "unit": method.unit,
             "points at it": method.points_at(component),
             "grade": "" if (grade := method.said[component].grade) is None else str(grade)}
            for component in self.shared for method in self.said_of(component)
        ]  # fmt: skip
        return pd.DataFrame(rows)


def agreement_of(found: Investigated) -> Agreement:
    """Collect what the steps of the search say of single components.

    Tests, and steps after them, are left out: they look at what was chosen, or repeat a method on other examples.
    """
    searching = [step for step in found.steps if step.phase == "search"]
    methods = sorted(_methods(searching), key=lambda one: one.causal)
    names = dict.fromkeys(itertools.chain.from_iterable(one.said for one in methods))
    said = {name: [method for method in methods if name in method.said] for name in names}
    shared = [name for name, own in said.items() if len(own) > 1]
    shared.sort(key=lambda name: (-_share_pointing(said[name], name), -_mean_size(said[name], name)))
    spoken = {name for method in methods for name in method.said}
    return Agreement(tuple(methods), tuple(shared), len(spoken) - len(shared), found.config.level)


def _methods(steps: Sequence[StepRun]) -> Iterator[Method]:
    held: dict[tuple[str, str, bool, str], dict[str, Component]] = {}
    for step in steps:
        said = step.result.components() if isinstance(step.result, Componential) else []
        for one in (one for one in said if np.isfinite(one.effect.estimate)):
            held.setdefault((step.name, one.method, one.causal, one.unit), {})[one.name] = one
    names = [name for _, name, _, _ in held]
    for (step, name, causal, unit), said in held.items():
        yield Method(step, name, causal, unit, said, label=f"{name} ({step})" if names.count(name) > 1 else name)


def _share_pointing(methods: Sequence[Method], component: str) -> float:
    return sum(method.points_at(component) for method in methods) / len(methods)


def _mean_size(methods: Sequence[Method], component: str) -> float:
    sizes = [abs(method.said[component].effect.estimate) / method.largest for method in methods]
    return float(np.nan_to_num(np.array(sizes)).mean())


def _disagreements(found: Agreement, component: str) -> Iterator[str]:
    methods = found.said_of(component)
    looks = [one for one in methods if not one.causal and one.points_at(component)]
    blind = [one for one in methods if not one.causal and one.denies(component)]
    acts = [one for one in methods if one.causal and one.points_at(component)]
    idle = [one for one in methods if one.causal and one.denies(component)]
    if looks and idle and not acts:
        yield (
            f"{component} looks the part by {_named(looks, component)}, and is not shown to act by "
            f"{_named(idle, component)}."
        )
    if acts and blind and not looks:
        yield f"{component} acts by {_named(acts, component)}, and {_named(blind, component)} does not point at it."
    if acts and idle:
        yield (
            f"{component} acts by {_named(acts, component)}, and is not shown to by {_named(idle, component)}"
            f"{_meaning(acts, idle)}."
        )


def _named(methods: Sequence[Method], component: str) -> str:
    return ", ".join(f"{one.label} ({one.said[component].effect} {one.unit})" for one in methods)


def _meaning(acts: Sequence[Method], idle: Sequence[Method]) -> str:
    """Return what it would mean that some interventions say yes and others no, where that is known."""
    if _all(acts, _ENOUGH) and _all(idle, _NEEDED):
        return ": it seems enough by itself and not needed, as where others can stand in for it"
    if _all(acts, _NEEDED) and _all(idle, _ENOUGH):
        return ": it seems needed and not enough by itself, as where it takes others beside it"
    return ""


def _all(methods: Sequence[Method], words: Sequence[str]) -> bool:
    """Whether every method is of those that ask whether a part is enough, or whether it is needed."""

    def asks(name: str) -> bool:
        enough = any(word in name for word in _ENOUGH)
        return enough if words is _ENOUGH else not enough and any(word in name for word in _NEEDED)

    return all(asks(method.name.lower()) for method in methods)


def _ranking(first: Method, second: Method, *, level: float) -> Ranking | None:
    common = [name for name in first.said if name in second.said]
    sizes = np.array([[abs(one.said[name].effect.estimate) for name in common] for one in (first, second)])
    sizes = sizes[:, np.isfinite(sizes).all(0)] if common else np.empty((2, 0))
    n = sizes.shape[1]
    if n < FEWEST_RANKED:
        return None
    one, other = (np.sign(np.round(side[:, None] - side[None], 12)) for side in sizes)
    draw = np.random.default_rng(0)
    orders = [draw.permutation(n) for _ in range(N_SHUFFLES)]
    null = np.array([tau_of(one, other[np.ix_(order, order)]) for order in orders])
    tau = tau_of(one, other)
    p = (1 + int((np.abs(null) >= abs(tau) - 1e-9).sum())) / (1 + N_SHUFFLES)
    low, middle, high = (float(value) for value in np.quantile(null, [(1 - level) / 2, 0.5, (1 + level) / 2]))
    shuffled = Interval(middle, low, high, level, n)
    return Ranking(first, second, n, _tau_interval(one, other, level=level), shuffled, p)


def tau_of(one: Float[np.ndarray, "site site"], other: Float[np.ndarray, "site site"]) -> float:
    """Return Kendall's tau (a) of two orders, each given by the signs of all differences: from -1 to 1.

    Source: Kendall 1938.
    """
    n = len(one)
    return float((one * other).sum() / (n * (n - 1)))


def _tau_interval(
    one: Float[np.ndarray, "site site"], other: Float[np.ndarray, "site site"], *, level: float
) -> Interval:
    """Return tau with the interval of the mean of its jackknife values, one for each component."""
    n, tau = len(one), tau_of(one, other)
    left = [np.delete(np.arange(n), nth) for nth in range(n)]
    without = np.array([tau_of(one[np.ix_(rest, rest)], other[np.ix_(rest, rest)]) for rest in left])
    around = mean_interval(n * tau - (n - 1) * without, level=level, method="t")
    return Interval(tau, max(around.low, -1.0), min(around.high, 1.0), level, n)
