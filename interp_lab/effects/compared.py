"""From changes under ablation to evidence: each beside several controls, one correction over all that is tested."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from interp_lab.claims import Evidence, Split
from interp_lab.stats import benjamini_hochberg, bootstrap_interval, difference_from_several, feasible_test

Tested = tuple[Evidence, Evidence | None]
"""Evidence on the report half, and on held-out templates."""


@dataclass(frozen=True)
class Compared:
    """Ablations measured on the same prompts, each beside its controls."""

    names: tuple[str, ...]
    """What each ablation is, and the behaviour that it may change."""
    changes: Float[np.ndarray, "site example"]
    controls: tuple[Float[np.ndarray, "_ example"], ...]
    """Of each ablation, two or more on the same prompts."""
    of: tuple[str, ...]
    """What the controls of each ablation are, such as `other heads of no type`."""
    unit: str
    margin: float
    """Smallest change of interest."""
    clusters: tuple[str, ...]
    """Independent unit of every prompt."""

    def rows(self, index: Sequence[int]) -> "Compared":
        """Return some of the ablations."""
        return replace(
            self,
            names=tuple(self.names[i] for i in index),
            changes=self.changes[list(index)],
            controls=tuple(self.controls[i] for i in index),
            of=tuple(self.of[i] for i in index),
        )


def with_replications(
    report: Sequence[Compared], held_out: Sequence[Compared | None], *, alpha: float, level: float, seed: int
) -> list[list[Tested]]:
    """Test ablations on the report half, and those that are clear there on held-out templates.

    Args:
        held_out: for each entry of `report` the same ablations; `None` if they are not to be replicated.

    Returns: for each entry the evidence on its ablations, in their order.
    """
    effects = evidence_of(report, split=Split.REPORT, level=level, seed=seed)
    asked, places = [], []
    for nth, (own, away) in enumerate(zip(effects, held_out, strict=True)):
        clear = [place for place, one in enumerate(own) if one.is_clear(alpha=alpha)]
        if away is not None and clear:
            asked.append(away.rows(clear))
            places.append([(nth, place) for place in clear])
    found = evidence_of(asked, split=Split.HELD_OUT, level=level, seed=seed)
    again = {at: one for own, ats in zip(found, places, strict=True) for at, one in zip(ats, own, strict=True)}
    return [[(one, again.get((nth, place))) for place, one in enumerate(own)] for nth, own in enumerate(effects)]


def evidence_of(compared: Sequence[Compared], *, split: Split, level: float, seed: int) -> list[list[Evidence]]:
    """Compare every ablation with its controls, whose spread counts; corrected over all that are given, once.

    Raises: ValueError, as `stats.difference_from_several`.
    """
    if not compared:
        return []
    n_tests = sum(len(one.names) for one in compared)
    against = [
        difference_from_several(
            one.changes, one.controls, one.clusters, level=level, seed=seed,
            test=feasible_test(len(set(one.clusters)), n_tests=n_tests),
        )
        for one in compared
    ]  # fmt: skip
    own = [bootstrap_interval(one.changes, one.clusters, level=level, seed=seed) for one in compared]
    adjusted = benjamini_hochberg(np.concatenate([found.p for found in against]))
    stops = np.cumsum([len(one.names) for one in compared])
    return [
        [
            Evidence(
                what=name,
                unit=one.unit,
                effect=own[nth].at(i),
                versus_control=against[nth].intervals.at(i),
                p_adjusted=float(adjusted[stops[nth] - len(one.names) + i]),
                control=f"mean of the {one.of[i]} ({_exceeding(one.changes[i], one.controls[i])})",
                split=split,
                n_examples=one.changes.shape[1],
                margin=one.margin,
                p=float(against[nth].p[i]),
            )
            for i, name in enumerate(one.names)
        ]
        for nth, one in enumerate(compared)
    ]


def others(
    changes: Float[np.ndarray, "site example"], apart: Bool[np.ndarray, " site"]
) -> tuple[Float[np.ndarray, "_ example"], ...]:
    """Return for each ablation the changes of those that stand apart, itself left out."""
    return tuple(changes[apart & (np.arange(apart.size) != nth)] for nth in range(apart.size))


def _exceeding(change: Float[np.ndarray, " example"], controls: Float[np.ndarray, "_ example"]) -> str:
    smaller = np.abs(controls.mean(-1)) < abs(change.mean())
    return f"larger than {int(smaller.sum())} of {len(controls)}"


def larger_than(evidence: Evidence) -> str:
    """Return how many of its controls an effect exceeds in size, such as `12 of 14`."""
    found = re.search(r"larger than (.*)\)", evidence.control)
    return found[1] if found else ""
