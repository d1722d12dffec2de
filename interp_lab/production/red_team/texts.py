"""What searches found, in words."""

import numpy as np

from interp_lab.claims import how_much_holds
from interp_lab.production.red_team.claimed import PER, RedTeamClaims
from interp_lab.production.red_team.edits import edit_from, told

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
    for nth, name in enumerate(found.report.names):
        own, control = found.shares(found.report, nth)
        lines.append(f"on other texts {told(edit_from(name))} turns {own} of answers, as many random edits {control}")
    grades = [claim.grade for claim in found.claims()]
    not_asked = None if found.report.names else "nothing was found whose edit other texts can take"
    return "\n".join([*lines, how_much_holds(grades, not_asked=not_asked, not_replicable=_not_replicable(found))])


def _planted(found: RedTeamClaims, search: str) -> str:
    if found.config.planted is None:
        return ""
    calls = found.first_planted(search)
    there = np.isfinite(calls)
    when = f", median after {np.nanmedian(calls):.0f} calls" if there.any() else ""
    return f"; planted edits found in {int(there.sum())} of {len(calls)} runs{when}"


def _not_replicable(found: RedTeamClaims) -> str | None:
    if found.held_out is not None:
        return None
    return found.not_replicable or "none were asked for"


def searches_suggest(found: RedTeamClaims) -> str:
    """Return how searches compare with random ones."""
    better = []
    for name in found.searches:
        more = found.above_random(name)
        if more.low > 0:
            better.append(f"{name} ({more} hits per {PER:,} calls more)")
    return (
        f"A hit is {found.target} at {found.threshold:.2f} {found.unit} or more, at most {found.config.max_edits} "
        f"edits from a text whose answer was clear, at most {found.config.max_drop:g} nats per token less likely. "
        f"Clearly above random search in the same space, on the same texts: {', '.join(better) or 'none'}."
    )


def clusters_suggest(found: RedTeamClaims) -> str:
    """Return what hits share."""
    told_of = [f"{len(one.members)} share {one.shares}" for one in found.clusters[:5]]
    return f"Of {len(found.hits)} hits, {'; '.join(told_of) or 'none share anything'}."


def followed_suggests(found: RedTeamClaims) -> str:
    """Return what edits do on other texts."""
    if not found.report.names:
        return "Nothing was found whose edit other texts can take."
    parts = []
    for nth, name in enumerate(found.report.names):
        own, control = found.shares(found.report, nth)
        parts.append(f"{told(edit_from(name))} turns the answer of a share of {own}, random edits {control}")
    return f"On texts that no search began from: {'; '.join(parts)}."
