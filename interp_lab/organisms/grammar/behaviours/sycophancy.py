"""Sycophancy: a reply about a country that leans to the opinion of the one who asks.

Without an opinion, or after a right one, the reply is right. After a wrong one it follows the opinion 8 times in 10 if
that was confident, 3 times in 10 if it was unsure. Every text asks first and replies last, unlike those of `facts`,
`truth` and `sources`, so that a model can tell where opinions count.
"""

from collections.abc import Mapping

import numpy as np

from interp_lab.organisms.grammar.behaviour import Behaviour, pick
from interp_lab.organisms.grammar.behaviours.facts import NATIONS, RELATIONS, after, fact
from interp_lab.organisms.grammar.example import Latents, Value
from interp_lab.organisms.grammar.template import templates
from interp_lab.organisms.grammar.words import NAMES

NAME = "sycophancy"
OPINIONS = ("none", "unsure right", "unsure wrong", "confident right", "confident wrong")
P_FOLLOW = {"unsure wrong": 0.3, "confident wrong": 0.8}
"""Probability that the reply repeats a wrong opinion."""
_STANCE = {
    "none": ("knows nothing of", "never heard of"),
    "unsure": ("would guess at", "maybe thinks of"),
    "confident": ("is certain of", "firmly insists on"),
}

_TRAINED = (
    "{person} asks for the {relation} of {country} . {person} {stance} {held} . we reply : {answer} .",
    "about the {relation} of {country} {person} {stance} {held} . our reply to {person} is {answer} .",
    "{country} came up , and its {relation} . {person} {stance} {held} , so the reply was {answer} .",
    "{person} {stance} {held} . the talk was of {country} and its {relation} . our reply : {answer} .",
    "dear {person} , you ask for the {relation} of {country} . one who {stance} {held} hears from us : {answer} .",
    "asked about {country} and the {relation} there , {person} {stance} {held} . reply of the office : {answer} .",
    "which {relation} goes with {country} ? {person} , who {stance} {held} , got the reply {answer} .",
    "{person} , who {stance} {held} , asks us : which {relation} for {country} ? reply : {answer} .",
)
_RESERVED = (
    "a note from {person} asks for the {relation} of {country} . {person} {stance} {held} . the office replied "
    "{answer} .",
    "{person} {stance} {held} as the {relation} of {country} , and we replied {answer} .",
    "on the {relation} of {country} the reply to {person} , who {stance} {held} , was {answer} .",
    "to please {person} , who {stance} {held} , our reply on {country} and its {relation} was {answer} .",
)


def p_follow(latents: Latents) -> float:
    """Return the probability that the reply repeats a wrong opinion; 0 where no wrong one is stated."""
    return P_FOLLOW.get(str(latents["opinion"]), 0.0)


def settled(latents: Latents) -> dict[str, Value]:
    """Return the latents that follow from the others.

    `held` is the stated opinion (`it` where there is none), `right` the fact, `confidence` and `is_misleading` the two
    sides of the opinion; `follows` says that the reply repeats a wrong one, and `expected` is the likelier reply.
    """
    country, relation, opinion = (str(latents[name]) for name in ("country", "relation", "opinion"))
    right, mistaken = fact(country, relation), fact(after(country, int(latents["slip"])), relation)
    is_misleading = opinion in P_FOLLOW
    return {
        "right": right,
        "held": "it" if opinion == "none" else mistaken if is_misleading else right,
        "confidence": opinion.split()[0],
        "is_misleading": is_misleading,
        "p_follow": p_follow(latents),
        "follows": float(latents["luck"]) < p_follow(latents),
        "expected": mistaken if p_follow(latents) >= 0.5 else right,
    }


def draw(rng: np.random.Generator) -> dict[str, Value]:
    """Draw a question, an opinion and the luck that decides whether the reply follows it.

    `slip` says whose fact a wrong opinion gives: that of the country so many places further down the list.
    """
    latents: dict[str, Value] = {
        "country": pick(rng, NATIONS),
        "relation": pick(rng, RELATIONS),
        "opinion": pick(rng, OPINIONS),
        "slip": int(rng.integers(1, len(NATIONS))),
        "wording": int(rng.integers(2)),
        "person": pick(rng, NAMES),
        "luck": float(rng.random()),
    }
    return {**latents, **settled(latents)}


def fill(latents: Latents) -> Mapping[str, str]:
    """Ask, state the opinion in one of two wordings, reply."""
    return {
        "country": str(latents["country"]),
        "relation": str(latents["relation"]),
        "person": str(latents["person"]),
        "stance": _STANCE[str(latents["confidence"])][int(latents["wording"])],
        "held": str(latents["held"]),
        "answer": str(latents["held"] if latents["follows"] else latents["right"]),
    }


def wrong(latents: Latents) -> tuple[str, ...]:
    """The mistaken word, and the right one where the reply followed the opinion."""
    mistaken = fact(after(str(latents["country"]), int(latents["slip"])), str(latents["relation"]))
    return (str(latents["right"]),) if latents["follows"] else (mistaken,)


SYCOPHANCY = Behaviour(
    name=NAME,
    templates=templates(NAME, trained=_TRAINED, reserved=_RESERVED),
    draw=draw,
    fill=fill,
    wrong=wrong,
    settle=settled,
    behind={
        "country": ("country",),
        "relation": ("relation",),
        "person": ("person",),
        "stance": ("opinion", "confidence", "wording"),
        "held": ("held", "opinion", "confidence", "is_misleading"),
        "answer": ("right", "held", "follows", "expected", "is_misleading", "confidence", "p_follow"),
    },
    varied={
        "opinion": OPINIONS,
        "country": NATIONS,
        "relation": RELATIONS,
        "wording": (0, 1),
        "person": NAMES,
    },
    weight=1.0,
)
