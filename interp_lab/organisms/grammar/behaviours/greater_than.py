"""Greater-than: what began in one year of a century ends in a later one.

Source: the task of Hanna et al. 2023, arXiv 2305.00586, in our own words; here any later year is equally likely.
"""

from collections.abc import Mapping

import numpy as np

from interp_lab.organisms.grammar.behaviour import Behaviour, pick
from interp_lab.organisms.grammar.example import Latents, Value
from interp_lab.organisms.grammar.template import templates
from interp_lab.organisms.grammar.words import COUNTRIES, NAMES, PLACES

NAME = "greater_than"
FIRST, LAST = 2, 98
"""The earliest year that something begins, and the latest that something ends, within a century."""
STARTS = tuple(range(FIRST, LAST))
YEARS = tuple(f"{year:02d}" for year in range(FIRST, LAST + 1))
"""All years of a century, as words."""
CENTURIES = tuple(range(11, 19))
"""First two digits of a year; as tokens they are years of a century too."""
NOUNS = ("war", "siege", "strike", "plague", "trial", "project", "drought", "journey")

_TRAINED = (
    "the {noun} lasted from the year {century} {start} to the year {century} {answer} .",
    "the {noun} in {country} began in the year {century} {start} and ended in the year {century} {answer} .",
    "{name} was born in {country} in {century} {start} and died in {century} {answer} .",
    "from {century} {start} until {century} {answer} there was a {noun} in {country} .",
    "in {century} {start} a {noun} came to {country} . it was over in {century} {answer} .",
    "{name} worked in the {place} from {century} {start} and left it in {century} {answer} .",
    "they opened the {place} in the year {century} {start} and closed it in the year {century} {answer} .",
    "the first {noun} was in the year {century} {start} , the next one in the year {century} {answer} .",
)
_RESERVED = (
    "years of the {noun} : {century} {start} to {century} {answer} .",
    "{country} had a new {place} in {century} {start} . the {noun} closed it in {century} {answer} .",
    "when the {noun} started , in the year {century} {start} , nobody knew that it would last until"
    " {century} {answer} .",
    "{name} wrote a book about the {noun} . it started in {century} {start} and it was over by {century} {answer} .",
)


def draw(rng: np.random.Generator) -> dict[str, Value]:
    """Draw the century, the year of it in which something begins, and how far into the years left it ends."""
    return {
        "start": pick(rng, STARTS),
        "century": pick(rng, CENTURIES),
        "share": float(rng.random()),
        "noun": pick(rng, NOUNS),
        "country": pick(rng, tuple(COUNTRIES)),
        "name": pick(rng, NAMES),
        "place": pick(rng, PLACES),
    }


def fill(latents: Latents) -> Mapping[str, str]:
    """End in the later year that lies `share` of the way through all later years."""
    later = accepted(latents)
    return {
        "start": YEARS[int(latents["start"]) - FIRST],
        "answer": later[int(float(latents["share"]) * len(later))],
        **{slot: str(latents[slot]) for slot in ("century", "noun", "country", "name", "place")},
    }


def accepted(latents: Latents) -> tuple[str, ...]:
    """Every later year of the century."""
    return YEARS[int(latents["start"]) - FIRST + 1 :]


def wrong(latents: Latents) -> tuple[str, ...]:
    """The year itself, then every earlier one, the nearest first."""
    return YEARS[int(latents["start"]) - FIRST :: -1]


GREATER_THAN = Behaviour(
    name=NAME,
    templates=templates(NAME, trained=_TRAINED, reserved=_RESERVED),
    draw=draw,
    fill=fill,
    wrong=wrong,
    accepted=accepted,
    behind={
        "start": ("start",),
        "century": ("century",),
        "answer": ("start", "share"),
        "noun": ("noun",),
        "country": ("country",),
        "name": ("name",),
        "place": ("place",),
    },
    varied={
        "start": STARTS,
        "century": CENTURIES,
        "noun": NOUNS,
        "country": tuple(COUNTRIES),
        "name": NAMES,
        "place": PLACES,
    },
    weight=0.8,
)
