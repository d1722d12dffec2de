"""How what a head looks like and what ablating it does agree: one vocabulary, for types and for relations."""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum

from interp_lab.claims import Evidence


class Verdict(StrEnum):
    """Of one head on one behaviour: the one that a type predicts a part in, or the answer at a relation's query."""

    LOOKS_AND_ACTS = "looks and acts"
    """It looks the part, and the model does worse without it."""
    LOOKS_ONLY = "looks only"
    """It looks the part, and no effect of its ablation was shown."""
    ACTS_ONLY = "acts only"
    """The model does worse without it, and it was not found to look the part."""
    IN_THE_WAY = "in the way"
    """The model does better without it, whether or not it looks the part."""
    BACKED_UP = "backed up"
    """It looks the part and is not missed alone; together with others it is, more than all of them alone. Of three or
    more that are missed together one may do nothing; of two neither can."""
    NEITHER = "neither"
    NOT_ASKED = "not asked"
    """Effects on the behaviour were not tested: nothing is at stake, or there are too few controls."""


FEWEST_CONTROLS = 3
"""Heads to compare with that there must be: one of them is compared with the others, and two have a spread."""

UNTOLD = (Verdict.NEITHER, Verdict.NOT_ASKED)
"""What a summary leaves out."""


def verdict_of(effect: Evidence | None, *, looks: bool, worse: int, backed_up: bool, alpha: float) -> Verdict:
    """Return the verdict on a head.

    Args:
        effect: of ablating it alone, on the report half; `None` if it was not tested.
        worse: sign of a change for the worse, 1 for a loss and -1 for a preference.
        backed_up: whether a set that it belongs to is missed together, and more than its members alone.
    """
    if effect is None:
        return Verdict.NOT_ASKED
    if effect.is_clear(alpha=alpha):
        if worse * effect.effect.estimate < 0:
            return Verdict.IN_THE_WAY
        return Verdict.LOOKS_AND_ACTS if looks else Verdict.ACTS_ONLY
    if not looks:
        return Verdict.NEITHER
    return Verdict.BACKED_UP if backed_up else Verdict.LOOKS_ONLY


def verdict_metrics(verdicts: Iterable[Verdict]) -> dict[str, float]:
    """Return how many there are of each verdict that says something, as `n_looks_only`."""
    told = Counter(verdicts)
    return {f"n_{one.replace(' ', '_')}": float(told[one]) for one in Verdict if one not in UNTOLD}


def counted(verdicts: Iterable[Verdict]) -> str:
    """Return how many there are of each, in words; empty if there are none."""
    told = Counter(verdicts)
    return ", ".join(f"{told[one]} {one}" for one in Verdict if told[one])
