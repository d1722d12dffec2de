"""Monitors in words."""

from interp_lab.claims import how_much_holds
from interp_lab.production.monitors.claimed import MonitorsClaims
from interp_lab.production.monitors.measured import KEYWORDS, WORDS
from interp_lab.production.monitors.own_output import NEXT, SURPRISE
from interp_lab.stats.shares import HOW_SHARES

WARNING_DOES_NOT_SHOW = (
    "That the model uses what the monitor reads, or why it writes what it writes. The false-positive rate holds for "
    "texts drawn like the controls, and for no others; whoever knows the monitor can write around it. "
    f"{HOW_SHARES}"
)
ACTING_DOES_NOT_SHOW = (
    "What the response does to texts of other kinds, how good the text is that is written instead, or whether the "
    "same is said in other words later: only the words asked for are looked for, in as many tokens as were written."
)


_SPOKEN = {KEYWORDS: "keywords", WORDS: "words as learned", NEXT: "the model's next word", SURPRISE: "its surprise"}


def _spoken(found: MonitorsClaims) -> dict[str, str]:
    """Return what needs no monitor, and how texts call it."""
    return {one: spoken for one, spoken in _SPOKEN.items() if one in found.groups}


def warns(found: MonitorsClaims) -> str:
    """Return how well the monitor tells texts apart, beside the filters, on every part."""
    told = []
    for name, part in found.parts.items():
        names, difference = found.beyond(part)
        beyond = ", ".join(
            f"beyond {spoken} by {difference.intervals.at(names.index(one))}" for one, spoken in _spoken(found).items()
        )
        told.append(
            f"{name}: area under the ROC curve {found.area(part, (0,))}, {beyond}; {found.false_positives(part, 0)} of "
            "the controls raise an alarm"
        )
    cost = found.cost.monitor / found.cost.model
    return (
        f"{found.chosen}, at a threshold for {found.config.rate:.0%} false positives. {'. '.join(told)}. It costs "
        f"{cost:.2%} of the model's multiply-adds of a token."
    )


def acts(found: MonitorsClaims) -> str:
    """Return what is written under alarms."""
    told = [
        f"{name}: of the texts in which the words are written unwatched, ending at the alarm leaves "
        f"{found.said(part, 1)}, the response {found.said(part, 2)}"
        for name, part in found.parts.items()
    ]
    return ". ".join(told) + "."


def summary(found: MonitorsClaims) -> str:
    """Return what was found, in a few lines."""
    lines = [f"{found.config.model}: {found.subject}", f"monitor: {found.chosen}"]
    for name, part in found.parts.items():
        beside = ", ".join(
            f"{spoken} {found.area(part, found.groups[one]).estimate:.3f}" for one, spoken in _spoken(found).items()
        )
        lines.append(
            f"{name}: area under the ROC curve {found.area(part, (0,))} ({beside}); false positives "
            f"{found.false_positives(part, 0)}, recall {found.recall(part, 0)}"
        )
        if len(part.says):
            lines.append(
                f"  the words are written in {found.said(part, 0).estimate:.0%} of the texts to be warned of; ended at "
                f"the alarm {found.said(part, 1)}, with the response {found.said(part, 2)}"
            )
    why = None if found.held_out is not None else "none were asked for"
    not_asked = None if found.config.says is not None else "nothing was written, so that a monitor only describes"
    grades = [claim.grade for claim in found.claims()[1:]]
    return "\n".join([*lines, how_much_holds(grades, not_asked=not_asked, not_replicable=why)])
