"""What a reader must know before believing a highlight."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from interp_lab.production.sources.agreement import firsts, kendall
from interp_lab.production.sources.answers import LEAST, UNIT
from interp_lab.production.sources.scores import Scoring

MOST_MISSING = 0.1
"""Share of integrated gradients that may be missing."""


@dataclass(frozen=True)
class Warned:
    """What warnings are read off."""

    scores: Mapping[str, Float[np.ndarray, " source"]]
    """By method."""
    scoring: Scoring
    full: float
    empty: float
    missing: float


def warnings_of(found: Warned) -> tuple[str, ...]:
    """Return warnings in plain words; none, if there is nothing to warn of.

    That no source matters; that attention and leaving sources out disagree; that the two ways of leaving out do; that
    sources stand in for each other; that integrated gradients do not add up.
    """
    own, _, other = found.scoring.causal
    falls, total = found.scores[own], found.full - found.empty
    if max(falls.max(), total) < LEAST:
        return (
            f"no source matters to this answer: without any of them its log odds fall by {total:.2f}, and by "
            f"{falls.max():.2f} at most without one; the model may know it by heart, or have guessed",
        )
    told = [_attention(found, own), _ways(found, own, other), _redundant(falls, total)]
    if found.missing > MOST_MISSING:
        told.append(
            f"integrated gradients miss {found.missing:.0%} of what all sources do together; take more steps "
            f"(scoring.steps={2 * found.scoring.steps})"
        )
    return tuple(one for one in told if one)


def _attention(found: Warned, own: str) -> str:
    looks, falls = found.scores["attention"], found.scores[own]
    if len(falls) < 2:
        return ""
    one, other = int(looks.argmax()), int(falls.argmax())
    if not (firsts(looks) & firsts(falls)).any():
        return (
            f"attention and ablation disagree: the model looks most at source [{one + 1}], and its answer suffers most "
            f"without source [{other + 1}] ({falls[other]:+.2f} {UNIT}, against {falls[one]:+.2f} for the one it looks "
            "at). Where it looks is not where this answer comes from; believe the ablation"
        )
    tau = float(kendall(looks, falls))
    if tau < 0:
        return (
            f"attention and ablation name the same first source, and rank the others against each other (Kendall's tau "
            f"{tau:.2f}); do not read attention beyond the first"
        )
    return ""


def _ways(found: Warned, own: str, other: str) -> str:
    first, second = found.scores[own], found.scores[other]
    if len(first) < 2 or (firsts(first) & firsts(second)).any():
        return ""
    return (
        f"the first source depends on how sources are left out: [{int(first.argmax()) + 1}] by {own}, "
        f"[{int(second.argmax()) + 1}] by {other}; take neither for granted"
    )


def _redundant(falls: Float[np.ndarray, " source"], total: float) -> str:
    if total < LEAST or np.maximum(falls, 0).sum() >= total / 2:
        return ""
    return (
        f"sources act together: leaving out one at a time costs {np.maximum(falls, 0).sum():.2f} {UNIT} in all, "
        f"leaving out every one {total:.2f}; they may say the same, or the answer may need no more than that there are "
        "some. Look at the random subsets"
    )
