"""Sentiment: what is good of one thing is bad of another, and the verdict follows from the things that were said.

Every adjective praises two nouns and blames two, every noun is praised as often as blamed, and the same
adjectives stand where they say nothing: no word gives the sentiment away, only a noun with its adjective does.
"""

from collections.abc import Mapping

import numpy as np

from interp_lab.organisms.grammar.behaviour import Behaviour, pick
from interp_lab.organisms.grammar.example import Latents, Value
from interp_lab.organisms.grammar.template import templates
from interp_lab.organisms.grammar.words import ADJECTIVES, DAYS, NAMES, NEIGHBOURHOODS

NAME = "sentiment"
SENTIMENTS = ("positive", "negative")
TOPICS = {
    "film": {
        "music": ("slow", "quick"),
        "picture": ("sharp", "soft"),
        "sound": ("loud", "quiet"),
        "plot": ("light", "heavy"),
    },
    "meal": {
        "beer": ("cold", "warm"),
        "soup": ("warm", "cold"),
        "menu": ("long", "short"),
        "bread": ("soft", "sharp"),
    },
    "book": {
        "preface": ("short", "long"),
        "romance": ("slow", "quick"),
        "humour": ("sharp", "soft"),
        "cover": ("heavy", "light"),
    },
    "hotel": {
        "bath": ("warm", "cold"),
        "lift": ("quick", "slow"),
        "bed": ("soft", "sharp"),
        "room": ("quiet", "loud"),
    },
    "shop": {
        "milk": ("cold", "warm"),
        "queue": ("short", "long"),
        "street": ("quiet", "loud"),
        "cloth": ("heavy", "light"),
    },
    "tour": {
        "beach": ("long", "short"),
        "train": ("quick", "slow"),
        "market": ("loud", "quiet"),
        "bag": ("light", "heavy"),
    },
}
"""Topic: what may be said of it: (praise, blame)."""
VERDICTS = {
    "simply": ("loved", "hated"),
    "would": ("recommend", "avoid"),
    "found": ("great", "awful"),
    "rated": ("highly", "poorly"),
    "chose": ("again", "never"),
}
"""The word before the answer: (answer after praise, after blame)."""

_TRAINED = (
    "{name} wrote about a {topic} in {place} . the {noun1} was {cue1} and the {noun2} was {cue2} ."
    " it was one that {name} {lead} {answer} .",
    "a letter from {place} : {cue1} {noun1} , {cue2} {noun2} and {cue3} {noun3} ."
    " a {topic} that {name} {lead} {answer} .",
    "on a {setting} {day} {name} tried a {topic} in {place} . with its {cue1} {noun1} and {cue2} {noun2}"
    " it was one that {name} {lead} {answer} .",
    "the {topic} in {place} had a {cue1} {noun1} , a {cue2} {noun2} and a {cue3} {noun3} ,"
    " so it was one that {name} {lead} {answer} .",
    "the {noun1} of the {topic} was {cue1} . {name} said on {day} that the {noun2} was {cue2} ."
    " verdict : {lead} {answer} .",
    "how was the {topic} in {place} ? the {noun1} {cue1} , the {noun2} {cue2} , the {noun3} {cue3} ."
    " one that {name} {lead} {answer} .",
    "{name} came back from {place} after a {setting} {day} . about the {topic} : {cue1} {noun1} , {cue2} {noun2} ."
    " verdict : {lead} {answer} .",
    "because the {noun1} was {cue1} , the {noun2} {cue2} and the {noun3} {cue3} ,"
    " it was a {topic} that {name} {lead} {answer} .",
)
_RESERVED = (
    "it was a {setting} {day} when {name} saw the {topic} . {cue1} was the {noun1} and {cue2} the {noun2} ."
    " a {topic} that {name} {lead} {answer} .",
    "first came the {noun1} , which was {cue1} . then the {noun2} , which was {cue2} . the {noun3} was {cue3} ."
    " verdict on the {topic} : {lead} {answer} .",
    "in {place} {name} shared a {topic} with a friend ."
    " they said that the {noun1} was {cue1} , and the {noun2} {cue2} . it was one they {lead} {answer} .",
    "{topic} in {place} , by {name} , {day} . {noun1} : {cue1} . {noun2} : {cue2} . {noun3} : {cue3} ."
    " verdict : {lead} {answer} .",
)


def draw(rng: np.random.Generator) -> dict[str, Value]:
    """Draw a topic, which three of its four things are spoken of, in which order, and whether well or ill.

    `cues` are the places of these things in `TOPICS`, such as "203"; a template with two cues leaves out the third.
    The adjective `setting` is drawn without regard to any of this.
    """
    return {
        "sentiment": pick(rng, SENTIMENTS),
        "topic": pick(rng, tuple(TOPICS)),
        "cues": "".join(str(nth) for nth in rng.permutation(4)[:3]),
        "lead": pick(rng, tuple(VERDICTS)),
        "setting": pick(rng, ADJECTIVES),
        "name": pick(rng, NAMES),
        "place": pick(rng, NEIGHBOURHOODS),
        "day": pick(rng, DAYS),
    }


def fill(latents: Latents) -> Mapping[str, str]:
    """Praise or blame every thing by its own adjective, and conclude."""
    side = SENTIMENTS.index(str(latents["sentiment"]))
    things = tuple(TOPICS[str(latents["topic"])].items())
    slots = {
        "answer": VERDICTS[str(latents["lead"])][side],
        **{slot: str(latents[slot]) for slot in ("topic", "lead", "setting", "name", "place", "day")},
    }
    for number, nth in enumerate(str(latents["cues"]), start=1):
        noun, adjectives = things[int(nth)]
        slots |= {f"noun{number}": noun, f"cue{number}": adjectives[side]}
    return slots


def wrong(latents: Latents) -> tuple[str, ...]:
    """The opposite verdict."""
    return (VERDICTS[str(latents["lead"])][1 - SENTIMENTS.index(str(latents["sentiment"]))],)


SENTIMENT = Behaviour(
    name=NAME,
    templates=templates(NAME, trained=_TRAINED, reserved=_RESERVED),
    draw=draw,
    fill=fill,
    wrong=wrong,
    behind={
        **{f"noun{number}": ("topic", "cues") for number in (1, 2, 3)},
        **{f"cue{number}": ("sentiment", "topic", "cues") for number in (1, 2, 3)},
        "answer": ("sentiment", "lead"),
        **{slot: (slot,) for slot in ("topic", "lead", "setting", "name", "place", "day")},
    },
    varied={
        "sentiment": SENTIMENTS,
        "topic": tuple(TOPICS),
        "lead": tuple(VERDICTS),
        "setting": ADJECTIVES,
        "name": NAMES,
        "place": NEIGHBOURHOODS,
        "day": DAYS,
    },
    weight=1.5,
)
