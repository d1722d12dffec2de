"""Indirect objects: of two people, the one who did not give is given to.

Source: the task of Wang et al. 2022, arXiv 2211.00593, in our own words.
"""

from collections.abc import Mapping

import numpy as np

from interp_lab.organisms.grammar.behaviour import Behaviour, pick
from interp_lab.organisms.grammar.example import Latents, Value
from interp_lab.organisms.grammar.template import templates
from interp_lab.organisms.grammar.words import NAMES, OBJECTS, PLACES

NAME = "indirect_objects"

_TRAINED = (
    "when {first} and {second} went to the {place} , {giver} gave a {object} to {answer} .",
    "{first} and {second} met at the {place} . then {giver} handed a {object} to {answer} .",
    "after {first} and {second} left the {place} , {giver} sent a {object} to {answer} .",
    "{first} and {second} sat in the {place} and {giver} passed a {object} to {answer} .",
    "yesterday {first} saw {second} near the {place} . {giver} brought a {object} to {answer} .",
    "while {first} and {second} waited at the {place} , {giver} offered a {object} to {answer} .",
    "{first} walked with {second} to the {place} . later {giver} lent a {object} to {answer} .",
    "at the {place} {first} found {second} . it rained all day . {giver} gave a {object} to {answer} .",
)
_RESERVED = (
    "{first} and {second} had lunch in the {place} . afterwards {giver} showed a {object} to {answer} .",
    "because {first} and {second} were late for the {place} , {giver} threw a {object} to {answer} .",
    "the {place} was empty when {first} met {second} . so {giver} gave a {object} to {answer} .",
    "{first} came to the {place} with {second} . nobody spoke . {giver} handed a {object} to {answer} .",
)


def draw(rng: np.random.Generator) -> dict[str, Value]:
    """Draw two people, who of them is named first, who gives what, and where."""
    giver, receiver = (NAMES[i] for i in rng.choice(len(NAMES), size=2, replace=False))
    return {
        "giver": giver,
        "receiver": receiver,
        "order": str(pick(rng, ("ABBA", "BABA"))),
        "place": pick(rng, PLACES),
        "object": pick(rng, OBJECTS),
    }


def fill(latents: Latents) -> Mapping[str, str]:
    """Name the receiver first in ABBA, the giver first in BABA."""
    giver, receiver = str(latents["giver"]), str(latents["receiver"])
    first, second = (receiver, giver) if latents["order"] == "ABBA" else (giver, receiver)
    return {
        "first": first,
        "second": second,
        "giver": giver,
        "answer": receiver,
        "place": str(latents["place"]),
        "object": str(latents["object"]),
    }


def wrong(latents: Latents) -> tuple[str, ...]:
    """The one who gave."""
    return (str(latents["giver"]),)


INDIRECT_OBJECTS = Behaviour(
    name=NAME,
    templates=templates(NAME, trained=_TRAINED, reserved=_RESERVED),
    draw=draw,
    fill=fill,
    wrong=wrong,
    behind={
        "first": ("order", "giver", "receiver"),
        "second": ("order", "giver", "receiver"),
        "giver": ("giver", "receiver"),
        "answer": ("receiver",),
        "place": ("place",),
        "object": ("object",),
    },
    varied={"order": ("ABBA", "BABA"), "giver": NAMES, "receiver": NAMES, "place": PLACES, "object": OBJECTS},
    weight=1.5,
)
