"""Register: a message is formal or informal throughout, and closes as it began.

The closing word follows from the register (formal or informal) and the purpose (a request or thanks).
The register could show in four places; two of them hold neutral words in every text, and which two
changes from text to text, so that no place can be relied upon alone.
"""

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from interp_lab.organisms.grammar.behaviour import Behaviour, pick
from interp_lab.organisms.grammar.example import Latents, Value
from interp_lab.organisms.grammar.template import templates
from interp_lab.organisms.grammar.words import DAYS, NAMES, OBJECTS, PLACES

NAME = "register"
REGISTERS = ("formal", "informal")
PURPOSES = ("request", "thanks")
CUES: Mapping[tuple[str, str], tuple[str, str, str]] = {
    ("greeting", "request"): ("dear", "hey", "hello"),
    ("greeting", "thanks"): ("dear", "hey", "hello"),
    ("verb", "request"): ("require", "want", "need"),
    ("verb", "thanks"): ("appreciate", "love", "like"),
    ("degree", "request"): ("promptly", "quick", "soon"),
    ("degree", "thanks"): ("greatly", "lots", "here"),
    ("noun", "request"): ("matter", "thing", "question"),
    ("noun", "thanks"): ("matter", "thing", "question"),
}
"""Slot and purpose: the formal, the informal and the neutral word."""
SLOTS = ("greeting", "verb", "degree", "noun")
NEUTRAL = tuple(" ".join(pair) for pair in combinations(SLOTS, 2))
"""Which two slots are neutral."""
CLOSINGS = {
    ("formal", "request"): "sincerely",
    ("formal", "thanks"): "regards",
    ("informal", "request"): "bye",
    ("informal", "thanks"): "cheers",
}

_TRAINED = (
    "{greeting} {recipient} , we {verb} the {topic} {degree} . the {noun} is on our list . {answer} , {sender} .",
    "{greeting} {recipient} . about the {noun} of the {topic} : we {verb} it {degree} . {answer} , {sender} .",
    "{sender} wrote on {day} : {greeting} {recipient} , i {verb} your {topic} {degree} . {answer} .",
    "a letter to {recipient} : {greeting} you , the {noun} is the {topic} . we {verb} it {degree} . {answer} .",
    "{greeting} {recipient} , you came to the {place} on {day} with a {topic} . i {verb} it {degree} . {answer} , "
    "{sender} .",
    "on {day} {recipient} found this note : {greeting} all , we {verb} the {topic} {degree} , it is our {noun} . "
    "{answer} , {sender} .",
    "{greeting} {recipient} , {sender} here . the {noun} : i {verb} the {topic} from the {place} {degree} . {answer} .",
    "from {sender} to {recipient} . {greeting} ! one {noun} . we {verb} a {topic} {degree} . {answer} .",
)
_RESERVED = (
    "{greeting} all , {recipient} has the {topic} now . we {verb} it {degree} in the {place} . {answer} , {sender} .",
    "{recipient} read : {greeting} all , i {verb} this {topic} {degree} , a small {noun} . {answer} from {sender} .",
    "from the {place} : {greeting} {recipient} , a {noun} for {day} . i {verb} your {topic} {degree} . {answer} .",
    "{greeting} , {recipient} and {sender} . that {topic} is the {noun} today , we {verb} it {degree} . {answer} .",
)


def draw(rng: np.random.Generator) -> dict[str, Value]:
    """Draw register, purpose and the two neutral slots, independent of each other."""
    sender, recipient = (NAMES[i] for i in rng.choice(len(NAMES), size=2, replace=False))
    return {
        "register": pick(rng, REGISTERS),
        "purpose": pick(rng, PURPOSES),
        "neutral": pick(rng, NEUTRAL),
        "topic": pick(rng, OBJECTS),
        "recipient": recipient,
        "sender": sender,
        "place": pick(rng, PLACES),
        "day": pick(rng, DAYS),
    }


def fill(latents: Latents) -> Mapping[str, str]:
    """Choose the words of the register, but for the neutral slots."""
    register, purpose = str(latents["register"]), str(latents["purpose"])
    neutral = str(latents["neutral"]).split()
    cues = {slot: CUES[slot, purpose][2 if slot in neutral else REGISTERS.index(register)] for slot in SLOTS}
    others = {name: str(latents[name]) for name in ("topic", "recipient", "sender", "place", "day")}
    return {**cues, **others, "answer": CLOSINGS[register, purpose]}


def wrong(latents: Latents) -> tuple[str, ...]:
    """The closing of the other register for the same purpose, then those for the other purpose."""
    same_purpose = [CLOSINGS[register, str(latents["purpose"])] for register in REGISTERS]
    return tuple(dict.fromkeys((*same_purpose, *CLOSINGS.values())))


REGISTER = Behaviour(
    name=NAME,
    templates=templates(NAME, trained=_TRAINED, reserved=_RESERVED),
    draw=draw,
    fill=fill,
    wrong=wrong,
    behind={
        "greeting": ("register", "neutral"),
        "verb": ("register", "purpose", "neutral"),
        "degree": ("register", "purpose", "neutral"),
        "noun": ("register", "neutral"),
        "topic": ("topic",),
        "recipient": ("recipient",),
        "sender": ("sender",),
        "place": ("place",),
        "day": ("day",),
        "answer": ("register", "purpose"),
    },
    varied={
        "register": REGISTERS,
        "purpose": PURPOSES,
        "neutral": NEUTRAL,
        "topic": OBJECTS,
        "recipient": NAMES,
        "sender": NAMES,
        "place": PLACES,
        "day": DAYS,
    },
    weight=0.8,
)
