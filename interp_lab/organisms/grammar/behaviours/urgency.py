"""Urgency by format: tickets are labelled urgent mostly because of a mark, and a little because of what they say.

The mark is a shortcut: severity, which ought to decide, only shifts the probability that the mark sets.
"""

from collections.abc import Mapping

import numpy as np

from interp_lab.organisms.grammar.behaviour import Behaviour, pick
from interp_lab.organisms.grammar.example import Latents, Value
from interp_lab.organisms.grammar.template import templates
from interp_lab.organisms.grammar.words import DAYS, NAMES, NEIGHBOURHOODS, PRODUCTS

NAME = "urgency"
MARKERS = ("!!", "***")
"""Marks that make a ticket urgent; which one does not matter."""
PLAIN = ("--", "::")
"""Marks that mean nothing, one for each of the others."""
SEVERITIES = ("outage", "report", "question")
P_URGENT = {
    (True, "outage"): 0.99,
    (True, "report"): 0.95,
    (True, "question"): 0.80,
    (False, "outage"): 0.20,
    (False, "report"): 0.05,
    (False, "question"): 0.01,
}
"""Probability of the label `urgent`, by mark and severity."""
LABELS = ("urgent", "normal")
_ISSUES = {
    "outage": ("the {product} does not work", "the {product} is down today", "nobody can use the {product}"),
    "report": ("now the {product} does work", "the {product} is here today", "people can use the {product}"),
    "question": ("how does the {product} work", "is the {product} here today", "who can use the {product}"),
}
"""Severity: three wordings of five words each, as alike as they can be across severities."""

_TRAINED = (
    "{mark} ticket from {name} : {issue} . label : {answer} .",
    "{mark} {name} in {place} wrote on {day} : {issue} . the ticket is {answer} .",
    "{day} , {place} . {mark} {issue} . thank you , {name} . priority : {answer} .",
    "ticket : {mark} {issue} . {name} waits in {place} . we call it {answer} .",
    "{mark} {issue} , says {name} . this is {answer} .",
    "on {day} {name} told us {mark} {issue} . {place} waits . label : {answer} .",
    "from {place} : {mark} {name} asks for help , {issue} . priority : {answer} .",
    "{name} called from {place} . {mark} note : {issue} . so the ticket is {answer} .",
)
_RESERVED = (
    "new on {day} : {mark} {issue} . {name} wrote it . the label is {answer} .",
    "{mark} dear all , {issue} . {name} , {place} . marked as {answer} .",
    "message for the office . {mark} {day} : {issue} . {name} . ticket : {answer} .",
    "in {place} , {name} sees {mark} {issue} . that makes the ticket {answer} .",
)


def draw(rng: np.random.Generator) -> dict[str, Value]:
    """Draw mark and severity independently, and the luck that turns a probability into a label."""
    latents: dict[str, Value] = {
        "has_marker": pick(rng, (True, False)),
        "style": int(rng.integers(len(MARKERS))),
        "severity": pick(rng, SEVERITIES),
        "wording": int(rng.integers(3)),
        "product": pick(rng, PRODUCTS),
        "name": pick(rng, NAMES),
        "place": pick(rng, NEIGHBOURHOODS),
        "day": pick(rng, DAYS),
        "luck": float(rng.random()),
    }
    return {**latents, **settled(latents)}


def settled(latents: Latents) -> dict[str, Value]:
    """Look up the probability; the label is `urgent` where luck (uniform) falls below it."""
    p_urgent = P_URGENT[bool(latents["has_marker"]), str(latents["severity"])]
    return {"p_urgent": p_urgent, "label": LABELS[0] if float(latents["luck"]) < p_urgent else LABELS[1]}


def fill(latents: Latents) -> Mapping[str, str]:
    """Mark the ticket, tell the issue, label it."""
    marks = MARKERS if latents["has_marker"] else PLAIN
    issue = _ISSUES[str(latents["severity"])][int(latents["wording"])]
    return {
        "mark": marks[int(latents["style"])],
        "issue": issue.format(product=latents["product"]),
        "answer": str(latents["label"]),
        **{name: str(latents[name]) for name in ("name", "place", "day")},
    }


def wrong(latents: Latents) -> tuple[str, ...]:
    """The other label."""
    return LABELS


URGENCY = Behaviour(
    name=NAME,
    templates=templates(NAME, trained=_TRAINED, reserved=_RESERVED),
    draw=draw,
    fill=fill,
    wrong=wrong,
    settle=settled,
    behind={
        "mark": ("has_marker", "style"),
        "issue": ("severity", "wording", "product"),
        "name": ("name",),
        "place": ("place",),
        "day": ("day",),
        "answer": ("has_marker", "severity", "p_urgent", "label"),
    },
    varied={
        "has_marker": (True, False),
        "style": (0, 1),
        "severity": SEVERITIES,
        "wording": (0, 1, 2),
        "product": PRODUCTS,
        "name": NAMES,
        "place": NEIGHBOURHOODS,
        "day": DAYS,
    },
    weight=0.8,
)
