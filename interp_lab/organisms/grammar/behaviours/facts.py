"""Facts: the capital and the language of a country, known from training and not from the text."""

from collections.abc import Mapping

import numpy as np

from interp_lab.organisms.grammar.behaviour import Behaviour, pick
from interp_lab.organisms.grammar.example import Latents, Value
from interp_lab.organisms.grammar.template import templates
from interp_lab.organisms.grammar.words import COUNTRIES, NAMES

NAME = "facts"
RELATIONS = ("capital", "language")
"""What is known of a country."""
NATIONS = tuple(COUNTRIES)
_DOING = {"capital": "are ruled from", "language": "learn to speak"}

_TRAINED = (
    "the {relation} of {country} is {answer} .",
    "in {country} people {doing} {answer} .",
    "as everyone knows , {country} has the {relation} {answer} .",
    "{person} was born in {country} , where the {relation} is {answer} .",
    "question : which {relation} does {country} have ? answer : {answer} .",
    "while in {elsewhere} , {person} learned that the {relation} of {country} is {answer} .",
    "for the trip to {country} {person} wrote down the {relation} , {answer} .",
    "before {person} left {elsewhere} for {country} , the {relation} to remember was {answer} .",
)
_RESERVED = (
    "lesson one : {relation} of {country} , {answer} .",
    "all who come from {country} {doing} {answer} .",
    "{person} has a map of {country} and knows that its {relation} is {answer} .",
    "after a day in {elsewhere} {person} went to {country} , and there the {relation} is {answer} .",
)


def fact(country: str, relation: str) -> str:
    """Return the capital or the language of a country.

    Raises: ValueError, for another relation.
    """
    if relation not in RELATIONS:
        raise ValueError(f"nothing is known of the {relation!r} of a country; ask for one of {', '.join(RELATIONS)}")
    return COUNTRIES[country][RELATIONS.index(relation)]


def after(country: str, steps: int) -> str:
    """Return the country that many places further down the list, which begins again at its end."""
    return NATIONS[(NATIONS.index(country) + steps) % len(NATIONS)]


def draw(rng: np.random.Generator) -> dict[str, Value]:
    """Draw a country, what is asked of it, and two words that do not matter: a person and another capital."""
    country = str(pick(rng, NATIONS))
    return {
        "country": country,
        "relation": pick(rng, RELATIONS),
        "person": pick(rng, NAMES),
        "elsewhere": fact(after(country, int(rng.integers(1, len(NATIONS)))), "capital"),
    }


def fill(latents: Latents) -> Mapping[str, str]:
    """Answer with the fact; the relation is named, or told by what people do."""
    relation = str(latents["relation"])
    return {
        "country": str(latents["country"]),
        "relation": relation,
        "doing": _DOING[relation],
        "person": str(latents["person"]),
        "elsewhere": str(latents["elsewhere"]),
        "answer": fact(str(latents["country"]), relation),
    }


def wrong(latents: Latents) -> tuple[str, ...]:
    """The same of the eleven other countries, in the order of the list."""
    country, relation = str(latents["country"]), str(latents["relation"])
    return tuple(fact(after(country, steps), relation) for steps in range(1, len(NATIONS)))


FACTS = Behaviour(
    name=NAME,
    templates=templates(NAME, trained=_TRAINED, reserved=_RESERVED),
    draw=draw,
    fill=fill,
    wrong=wrong,
    behind={
        "country": ("country",),
        "relation": ("relation",),
        "doing": ("relation",),
        "person": ("person",),
        "elsewhere": ("elsewhere",),
        "answer": ("country", "relation"),
    },
    varied={"country": NATIONS, "relation": RELATIONS, "person": NAMES},
    weight=1.0,
)
