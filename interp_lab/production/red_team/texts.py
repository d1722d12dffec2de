"""What searches found, in words."""

import math
from typing import get_args

import numpy as np

from interp_lab.claims import how_much_holds
from interp_lab.production.red_team.claimed import PER, RedTeamClaims
from interp_lab.production.red_team.config import SpaceName
from interp_lab.production.red_team.edits import edit_from, told
from interp_lab.stats.shares import HOW_SHARES

SEARCH_DOES_NOT_SHOW = (
    "That nothing else is there: a search that finds nothing says how hard it was to find with this budget, from these "
    "texts, by these moves. Rates of runs that end after enough hits are a little high (by about one hit in so many). "
    "Where a template's slots have few values, drawing them at random finds any pair soon, and says nothing of models "
    "whose inputs are not known so well. A hit is of one text; whether its edit does anything elsewhere is another "
    "question, below."
)
FOLLOWED_DOES_NOT_SHOW = (
    "What the edit goes through in the model, nor that its words are needed in other wordings: other texts are of the "
    "same grammar. Texts whose answer was not clear are left out. Random edits change as many slots, to values that "
    "occur, so that they can turn an answer that any change of some attribute turns."
)


def summary(found: RedTeamClaims) -> str:
    """Return what was found, in a few lines; the last one says how much is claimed."""
    c = found.config
    lines = [f"{c.behaviour} in {c.model}: {found.target} at {found.threshold:.2f} {found.unit} or more is a hit"]
    for name in found.searches:
        lines.append(f"{name}: {found.rate(name)} hits per {PER:,} model calls{_planted(found, name)}")
    kinds = [f"{one.shares} ({len(one.members)})" for one in found.clusters[:4]]
    if found.searches:
        lines.append(f"hits by what they share: {'; '.join(kinds) or 'none'}")
    lines += [one.strip() for one in [_by_gradient(found)] if one]
    lines += [f"on other texts {_followed(found, nth)}" for nth in range(len(found.report.names))]
    grades = [claim.grade for claim in found.claims()]
    not_asked = None if found.report.names else "nothing was found whose edit other texts can take"
    return "\n".join([*lines, how_much_holds(grades, not_asked=not_asked, not_replicable=_not_replicable(found))])


def _planted(found: RedTeamClaims, search: str) -> str:
    if found.config.planted is None:
        return ""
    calls = found.first_planted(search)
    there = np.isfinite(calls)
    when = f", median after {np.nanmedian(calls):,.0f} calls, at most {np.nanmax(calls):,.0f}" if there.any() else ""
    share = found.share_planted(search)
    return f"; planted edits found in {int(there.sum())} of {len(calls)} runs, a share of {share}{when}"


def _followed(found: RedTeamClaims, nth: int) -> str:
    """Return what an edit does on texts that no search began from."""
    (own, control), (rise, _) = found.shares(found.report, nth), found.rises(found.report, nth)
    said = f"{told(edit_from(found.report.names[nth]))} turns {own} of answers, as many random edits {control}"
    if found.held_out is not None:
        away, random = found.shares(found.held_out, nth)
        said += f" (held-out templates {away}, random edits {random})"
    return f"{said}, and drives the target up by {rise} {found.unit}"


def _not_replicable(found: RedTeamClaims) -> str | None:
    if found.held_out is not None:
        return None
    return found.not_replicable or "none were asked for"


def searches_suggest(found: RedTeamClaims) -> str:
    """Return how searches compare with random ones."""
    better = []
    for name in found.searches:
        more = found.above(name, "random")
        if more.low > 0:
            better.append(f"{name} ({more} hits per {PER:,} calls more)")
    return (
        f"A hit is {found.target} at {found.threshold:.2f} {found.unit} or more, at most {found.config.max_edits} "
        f"edits from a text whose answer was clear, at most {found.config.max_drop:g} nats per token less likely. "
        f"Clearly above random search in the same space, on the same texts: {', '.join(better) or 'none'}."
        f"{_by_gradient(found)}"
    )


def _by_gradient(found: RedTeamClaims) -> str:
    """Return what the gradient adds to the same climb among likely words; nothing, where one of them was not run."""
    more = {space: found.above(f"{space}/gradient", "likely_mutation") for space in get_args(SpaceName)
            if f"{space}/gradient" in found.searches}  # fmt: skip
    said = "; ".join(f"{space} {one}" for space, one in more.items() if math.isfinite(one.estimate))
    return f" What the gradient adds to the same climb without it, in hits per {PER:,} calls: {said}." if said else ""


def clusters_suggest(found: RedTeamClaims) -> str:
    """Return what hits share."""
    told_of = [f"{len(one.members)} share {one.shares}" for one in found.clusters[:5]]
    return f"Of {len(found.hits)} hits, {'; '.join(told_of) or 'none share anything'}."


def followed_suggests(found: RedTeamClaims) -> str:
    """Return what edits do on other texts."""
    if not found.report.names:
        return "Nothing was found whose edit other texts can take."
    parts = [_followed(found, nth) for nth in range(len(found.report.names))]
    return f"On texts that no search began from: {'; '.join(parts)}. {HOW_SHARES}"
