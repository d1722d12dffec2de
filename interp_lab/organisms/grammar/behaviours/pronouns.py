"""Pronouns: a name settles who is meant; without one, the profession does, most of the time.

The stereotype is planted: half of the jobs are followed by "she" with a probability of 0.85, the others of 0.15.
"""

from collections.abc import Mapping

import numpy as np

from interp_lab.organisms.grammar.behaviour import Behaviour, pick
from interp_lab.organisms.grammar.example import Latents, Value
from interp_lab.organisms.grammar.template import templates
from interp_lab.organisms.grammar.words import DAYS, FEMALE, JOBS, MALE, NAMES, OBJECTS, PLACES

NAME = "pronouns"
STEREOTYPES = {
    "teacher": "she",
    "nurse": "she",
    "driver": "he",
    "farmer": "he",
    "baker": "she",
    "pilot": "he",
    "clerk": "she",
    "builder": "he",
    "doctor": "he",
    "cook": "she",
}
"""Job: the pronoun that mostly follows it."""
P_STEREOTYPE = 0.85
"""How often it does where nobody is named."""
P_NAMED = 0.4
"""How often somebody is named."""
SOMEBODY = "somebody"
"""Who it is where nobody is named."""
_SPOTS = ("outside", "upstairs", "nearby", "inside")

_TRAINED = (
    "the {job} {beside} went to the {place} because {answer} was late .",
    "{who} is our {job} . every {day} {answer} goes to the {place} .",
    "we asked the {job} {beside} about the {object} , but {answer} said nothing .",
    "when the {job} {beside} found the {object} , {answer} smiled .",
    "on {day} the {job} {beside} left the {place} . later {answer} came back .",
    "{who} works near the {place} as our {job} . they say that {answer} is kind .",
    "the {object} was in the {place} all day . so the {job} {beside} looked sad until {answer} found it .",
    "the {object} is from the {job} {beside} . on {day} {answer} brought it here .",
)
_RESERVED = (
    "after lunch the {job} {beside} met a friend . then {answer} went to the {place} .",
    "{who} came to the {place} on {day} . as our {job} {answer} knew everybody .",
    "nobody saw the {job} {beside} on {day} . perhaps {answer} was in the {place} .",
    "they gave the {object} to the {job} {beside} and {answer} put it in the {place} .",
)


def draw(rng: np.random.Generator) -> dict[str, Value]:
    """Draw a job and, independently, whether it has a name, and chance: below `p_she` the pronoun is "she"."""
    base: dict[str, Value] = {
        "job": pick(rng, JOBS),
        "person": pick(rng, NAMES) if rng.random() < P_NAMED else SOMEBODY,
        "chance": float(rng.random()),
        "spot": pick(rng, _SPOTS),
        "day": pick(rng, DAYS),
        "place": pick(rng, PLACES),
        "object": pick(rng, OBJECTS),
    }
    return {**base, **settled(base)}


def settled(latents: Latents) -> dict[str, Value]:
    """Return the latents that follow from job, person and chance: `named`, `stereotype`, `p_she` and `pronoun`."""
    person, stereotype = str(latents["person"]), STEREOTYPES[str(latents["job"])]
    if person == SOMEBODY:
        p_she = P_STEREOTYPE if stereotype == "she" else round(1 - P_STEREOTYPE, 2)
    else:
        assert person in FEMALE or person in MALE, "every name has one gender"
        p_she = float(person in FEMALE)
    return {
        "named": person != SOMEBODY,
        "stereotype": stereotype,
        "p_she": p_she,
        "pronoun": "she" if float(latents["chance"]) < p_she else "he",
    }


def fill(latents: Latents) -> Mapping[str, str]:
    """Put the name, if there is one, or else a word that tells nothing, beside the job or in its own sentence."""
    named = latents["person"] != SOMEBODY
    return {
        "who": str(latents["person"]),
        "beside": str(latents["person"] if named else latents["spot"]),
        "answer": str(settled(latents)["pronoun"]),
        **{slot: str(latents[slot]) for slot in ("job", "day", "place", "object")},
    }


def wrong(latents: Latents) -> tuple[str, ...]:
    """The other pronoun."""
    return ("he" if settled(latents)["pronoun"] == "she" else "she",)


PRONOUNS = Behaviour(
    name=NAME,
    templates=templates(NAME, trained=_TRAINED, reserved=_RESERVED),
    draw=draw,
    fill=fill,
    wrong=wrong,
    settle=settled,
    behind={
        "job": ("job", "stereotype"),
        "who": ("person", "named"),
        "beside": ("person", "named", "spot"),
        "answer": ("pronoun", "p_she"),
        "day": ("day",),
        "place": ("place",),
        "object": ("object",),
    },
    varied={
        "job": JOBS,
        "person": (*NAMES, SOMEBODY),
        "spot": _SPOTS,
        "day": DAYS,
        "place": PLACES,
        "object": OBJECTS,
    },
    weight=0.8,
)
