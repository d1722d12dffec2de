"""What was found of sources, in words."""

import numpy as np

from interp_lab.claims import how_much_holds
from interp_lab.production.sources.answers import UNIT
from interp_lab.production.sources.claimed import WITHOUT, SourcesClaims
from interp_lab.production.sources.config import OVERLAP

LOOKS_DO_NOT_SHOW = (
    "That the answer hangs on a source that is looked at: attention knows neither values nor the answer, and longer "
    "sources get more of it; gradients say what a small change would do, not what leaving the source out does. Who is "
    "right where methods disagree is asked of answers whose source is known, and may differ for other texts."
)
CAUSAL_DOES_NOT_SHOW = (
    "What the model would do with other sources in their place. A source that says what another says is worth little "
    "by leaving one out, however much the answer rests on both; a text with a source missing may be none that the "
    "model has seen, whichever way it is left out. Subsets are fitted with a linear model, which knows no "
    "interactions. That an answer rests on a source does not make it true, nor the source."
)


def summary(found: SourcesClaims) -> str:
    """Return what was found, in a few lines; the last one says how much is claimed, or why nothing."""
    c, held = found.config, found.report
    lines = [f"{c.task} in {c.model}: log odds of the answer {found.over(held.clean)}, without any source "
             f"{found.over(held.corrupted)}"]  # fmt: skip
    if np.isfinite(held.hits).any():
        lines.append(f"names the source of the answer: {told_right(found)}")
    lines.append(f"lost without the first source ({WITHOUT[found.tested_by]}): {told_needed(found)}")
    lines.append(disagreement(found))
    lines.append(f"tokens run: {held.n_tokens} of the {held.n_whole} of whole prompts; chosen: {found.chosen}")
    grades = [claim.grade for claim in found.claims()]
    return "\n".join([*lines, how_much_holds(grades, not_asked=found.not_asked, not_replicable=found.not_replicable)])


def told_right(found: SourcesClaims) -> str:
    """Return how often each method names the true source first, and what chance and the query's words do."""
    held = found.report
    told = [f"{name} {found.share(hit)}" for name, hit in zip(found.names, held.hits, strict=True) if name != OVERLAP]
    lot = found.share(held.shuffled_hits.mean(0))
    overlap = found.share(held.hits[found.names.index(OVERLAP)])
    return f"{', '.join(told)}; {OVERLAP} with the query {overlap}, dealt out at random {lot}"


def told_needed(found: SourcesClaims) -> str:
    """Return what the answer loses without the first source of each method, and without one drawn at random."""
    held = found.report
    told = [f"{name} {found.over(own)}" for name, own in zip(found.names[:-1], held.needed[1], strict=False)]
    return f"{', '.join(told)}; at random {found.over(held.by_lot[1].mean(0))} {UNIT}"


def disagreement(found: SourcesClaims) -> str:
    """Return on how many prompts attention and leaving one out name different sources, and who is right there."""
    names, held = found.names, found.report
    looks, judge = names.index("attention"), names.index(found.config.scoring.causal[0])
    apart = held.same[looks, judge] < 1
    told = f"attention and {names[judge]} name different sources in {found.share(apart.astype(float))} of prompts"
    right, other = (np.where(apart, held.hits[nth], np.nan) for nth in (looks, judge))
    if not np.isfinite(right).any():
        return told
    return f"{told}; of those attention is right in {found.share(right)}, {names[judge]} in {found.share(other)}"
