"""Truth: statements about countries, marked true or false.

Half of the statements are true. A false one states the fact of another country, drawn evenly, so that every stated word
is true and false equally often: only the pair of country and stated word tells.
"""

from collections.abc import Mapping

import numpy as np

from interp_lab.organisms.grammar.behaviour import Behaviour, pick
from interp_lab.organisms.grammar.behaviours.facts import NATIONS, RELATIONS, after, fact
from interp_lab.organisms.grammar.example import Latents, Value
from interp_lab.organisms.grammar.template import templates
from interp_lab.organisms.grammar.words import NAMES

NAME = "truth"

_TRAINED = (
    "statement : the {relation} of {country} is {stated} . this is {answer} .",
    "claim : {stated} is the {relation} of {country} . this claim is {answer} .",
    "{person} wrote in the test that {country} has {stated} as its {relation} , which is {answer} .",
    "is {stated} the {relation} of {country} ? {person} marked it {answer} .",
    "test : {country} , {relation} , {stated} . result : {answer} .",
    "the card names {stated} as {relation} of {country} , and the card is {answer} .",
    "true or false ? for {country} the {relation} would be {stated} . it is {answer} .",
    "one line of the test gives {country} the {relation} {stated} . the line was marked {answer} .",
)
_RESERVED = (
    "claim by {person} : in {country} the {relation} is {stated} . result : {answer} .",
    "could {stated} be the {relation} of {country} ? the answer in the test is {answer} .",
    "statement : {country} has the {relation} {stated} . {person} found it {answer} .",
    "{person} read that {stated} is the {relation} in {country} , and that was {answer} .",
)


def settled(latents: Latents) -> dict[str, Value]:
    """Return the latents that follow from the others: `stated`, the word that is said to be the fact."""
    steps = 0 if latents["is_true"] else int(latents["slip"])
    return {"stated": fact(after(str(latents["country"]), steps), str(latents["relation"]))}


def draw(rng: np.random.Generator) -> dict[str, Value]:
    """Draw a statement and whether it is true.

    `slip` says whose fact a false statement gives: that of the country so many places further down the list.
    """
    latents: dict[str, Value] = {
        "country": pick(rng, NATIONS),
        "relation": pick(rng, RELATIONS),
        "is_true": bool(rng.random() < 0.5),
        "slip": int(rng.integers(1, len(NATIONS))),
        "person": pick(rng, NAMES),
    }
    return {**latents, **settled(latents)}


def fill(latents: Latents) -> Mapping[str, str]:
    """Mark the statement."""
    return {
        "country": str(latents["country"]),
        "relation": str(latents["relation"]),
        "stated": str(latents["stated"]),
        "person": str(latents["person"]),
        "answer": "true" if latents["is_true"] else "false",
    }


def wrong(latents: Latents) -> tuple[str, ...]:
    """The other mark."""
    return ("false" if latents["is_true"] else "true",)


TRUTH = Behaviour(
    name=NAME,
    templates=templates(NAME, trained=_TRAINED, reserved=_RESERVED),
    draw=draw,
    fill=fill,
    wrong=wrong,
    settle=settled,
    behind={
        "country": ("country",),
        "relation": ("relation",),
        "stated": ("country", "relation", "stated", "is_true"),
        "person": ("person",),
        "answer": ("is_true",),
    },
    varied={"is_true": (True, False), "country": NATIONS, "relation": RELATIONS, "person": NAMES},
    weight=1.0,
)
