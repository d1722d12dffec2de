"""From changes under ablation to evidence: intervals by template, a control, one correction over all that is tested."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from interp_lab.claims import Evidence, Split
from interp_lab.stats import benjamini_hochberg, bootstrap_interval, feasible_test, paired_difference


@dataclass(frozen=True)
class Compared:
    """Ablations measured on the prompts of one relation, each beside its control."""

    names: tuple[str, ...]
    """What each ablation is, and the behaviour that it may change."""
    changes: Float[np.ndarray, "site example"]
    control: Float[np.ndarray, "site example"]
    controls: tuple[str, ...]
    """What each control is."""
    unit: str
    margin: float
    """Smallest change of interest."""
    templates: tuple[str, ...]

    def rows(self, index: Sequence[int]) -> "Compared":
        """Return some of the ablations."""
        names, controls = (tuple(each[i] for i in index) for each in (self.names, self.controls))
        kept = list(index)
        return Compared(
            names, self.changes[kept], self.control[kept], controls, self.unit, self.margin, self.templates
        )  # fmt: skip


def evidence_of(tested: Sequence[Compared], *, split: Split, level: float, seed: int) -> list[list[Evidence]]:
    """Compare every ablation with its control, prompt by prompt; corrected over all relations and ablations together.

    Returns: for each relation the evidence on its ablations, in their order.
    """
    n_tests = sum(len(one.names) for one in tested)
    if n_tests == 0:
        return [[] for _ in tested]
    own, against = [], []
    for one in tested:
        test = feasible_test(len(set(one.templates)), n_tests=n_tests)
        own.append(bootstrap_interval(one.changes, one.templates, level=level, seed=seed))
        against.append(paired_difference(one.changes, one.control, one.templates, test=test, level=level, seed=seed))
    adjusted = benjamini_hochberg(np.concatenate([found.p for found in against]))
    stops = np.cumsum([len(one.names) for one in tested])
    return [
        [
            Evidence(
                what=name,
                unit=one.unit,
                effect=own[nth].at(i),
                versus_control=against[nth].intervals.at(i),
                p_adjusted=float(adjusted[stops[nth] - len(one.names) + i]),
                control=one.controls[i],
                split=split,
                n_examples=one.changes.shape[1],
                margin=one.margin,
            )
            for i, name in enumerate(one.names)
        ]
        for nth, one in enumerate(tested)
    ]


def mean_of_others(
    changes: Float[np.ndarray, "site example"], apart: Bool[np.ndarray, " site"]
) -> Float[np.ndarray, "site example"]:
    """Return for each ablation the mean effect of the others that stand apart, itself left out.

    Raises: ValueError, if fewer than two stand apart: one has no other.
    """
    if apart.sum() < 2:
        raise ValueError(f"{apart.sum()} of {apart.size} heads do not carry the relation, and controls need 2")
    weights = np.where(np.eye(apart.size, dtype=bool), 0.0, apart.astype(float))
    return (weights / weights.sum(-1, keepdims=True)) @ changes


def others_exceeded(changes: Float[np.ndarray, "site example"], apart: Bool[np.ndarray, " site"]) -> list[str]:
    """Return for each ablation how many of the others that stand apart change less, such as `12 of 14`."""
    size = np.abs(changes.mean(-1))
    others = apart & ~np.eye(apart.size, dtype=bool)
    smaller = (others & (size < size[:, None])).sum(-1)
    return [f"{n} of {among}" for n, among in zip(smaller, others.sum(-1), strict=True)]
