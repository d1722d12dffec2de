"""Sources: what the text says counts, not what is remembered, and of two sources the one that is asked for.

Countries are either fictional, so that only the text can tell, or real, and then at least one of the sources
contradicts what is known. The question asks for one of two statements, in one of two ways: it names the source (both
speak of the same country), or it names the country (`notes` stands for both sources, which speak of two fictional
countries).
"""

from collections.abc import Mapping

import numpy as np

from interp_lab.organisms.grammar.behaviour import Behaviour, pick
from interp_lab.organisms.grammar.behaviours.facts import NATIONS, RELATIONS, after, fact
from interp_lab.organisms.grammar.example import Latents, Value
from interp_lab.organisms.grammar.template import templates

NAME = "sources"
FICTIONAL = (
    "Zorland", "Quebia", "Tarvenia", "Ombria", "Velmora", "Drassia",
    "Ixoria", "Kunthia", "Pelluria", "Fendoria", "Yarnova", "Brimora",
)  # fmt: skip
"""Countries of which nothing is known."""
SOURCE_WORDS = ("guide", "letter", "map", "book", "report", "card")
BOTH = "notes"
"""Both sources together: the question then tells them apart by the country."""
UNKNOWN = "unknown"
"""The known fact of a fictional country."""

_TRAINED = (
    "the {first_source} says the {relation} of {first_country} is {first} . the {second_source} says the {relation} of "
    "{second_country} is {second} . by the {asked} , the {relation} of {country} is {answer} .",
    "{first_source} : {relation} of {first_country} , {first} . {second_source} : {relation} of {second_country} , "
    "{second} . {asked} : {relation} of {country} , {answer} .",
    "in the {first_source} , {first_country} has the {relation} {first} . in the {second_source} , {second_country} "
    "has the {relation} {second} . in the {asked} , {country} has the {relation} {answer} .",
    "we read of a {relation} : of {first_country} it is {first} in the {first_source} , of {second_country} it is "
    "{second} in the {second_source} . asked for {country} , the {asked} would say {answer} .",
    "for {first_country} the {first_source} gives the {relation} {first} , and for {second_country} the "
    "{second_source} gives the {relation} {second} . so for {country} the {asked} gives {answer} .",
    "what {relation} has {country} in the {asked} ? the {first_source} says {first} for {first_country} . the "
    "{second_source} says {second} for {second_country} . answer : {answer} .",
    "two lines on a {relation} . {first_source} , {first_country} , {first} . {second_source} , {second_country} , "
    "{second} . {asked} , {country} , {answer} .",
    "{first_country} has {first} as its {relation} , says the {first_source} . {second_country} has {second} as its "
    "{relation} , says the {second_source} . the {asked} gives {country} the {relation} {answer} .",
)
_RESERVED = (
    "read the {asked} on the {relation} of {country} . the {first_source} has {first} for {first_country} . the "
    "{second_source} has {second} for {second_country} . it is {answer} .",
    "the {first_source} gives {first_country} the {relation} {first} , but the {second_source} gives {second_country} "
    "the {relation} {second} . the {relation} of {country} , by the {asked} , is {answer} .",
    "{first_source} on {first_country} : the {relation} is {first} . {second_source} on {second_country} : the "
    "{relation} is {second} . {asked} on {country} : the {relation} is {answer} .",
    "as {relation} of {first_country} the {first_source} has {first} , as {relation} of {second_country} the "
    "{second_source} has {second} . as {relation} of {country} the {asked} has {answer} .",
)


def settled(latents: Latents) -> dict[str, Value]:
    """Return the latents that follow from the others.

    `country` and `source` are those of the relevant statement, `stated` is its word (the answer) and `distracting` the
    word of the other; `known` is the true fact of a real country, and `contradicts` says that `stated` is not it.
    """
    other = "second" if latents["relevant"] == "first" else "first"
    country, relation = str(latents[f"{latents['relevant']}_country"]), str(latents["relation"])
    stated = fact(str(latents[f"{latents['relevant']}_of"]), relation)
    known = UNKNOWN if country in FICTIONAL else fact(country, relation)
    return {
        "country": country,
        "source": latents[f"{latents['relevant']}_source"],
        "stated": stated,
        "distracting": fact(str(latents[f"{other}_of"]), relation),
        "known": known,
        "contradicts": known not in (UNKNOWN, stated),
    }


def draw(rng: np.random.Generator) -> dict[str, Value]:
    """Draw two statements and which of them is asked for.

    The words are facts of two real countries (`first_of`, `second_of`). Of a real country, one of the sources tells the
    truth half of the time, and it is the relevant one as often as the other, so that neither is to be trusted.
    """
    kind = str(pick(rng, ("fictional", "fictional", "contradiction")))
    asked_by = "source" if kind == "contradiction" else str(pick(rng, ("source", "country")))
    first, other = _two(rng, NATIONS if kind == "contradiction" else FICTIONAL)
    first_source, second_source = _two(rng, SOURCE_WORDS)
    first_of, second_of = _two(rng, tuple(nation for nation in NATIONS if nation != first))
    truthful = int(rng.integers(4)) if kind == "contradiction" else 3
    latents: dict[str, Value] = {
        "kind": kind,
        "asked_by": asked_by,
        "relation": pick(rng, RELATIONS),
        "first_source": first_source,
        "second_source": second_source,
        "first_country": first,
        "second_country": other if asked_by == "country" else first,
        "first_of": first if truthful == 0 else first_of,
        "second_of": first if truthful == 1 else second_of,
        "relevant": pick(rng, ("first", "second")),
    }
    return {**latents, **settled(latents)}


def _two(rng: np.random.Generator, options: tuple[str, ...]) -> tuple[str, str]:
    one, steps = int(rng.integers(len(options))), int(rng.integers(1, len(options)))
    return options[one], options[(one + steps) % len(options)]


def fill(latents: Latents) -> Mapping[str, str]:
    """Write both statements and ask for the relevant one."""
    relation = str(latents["relation"])
    same = ("relation", "first_source", "second_source", "first_country", "second_country", "country")
    return {
        **{name: str(latents[name]) for name in same},
        "first": fact(str(latents["first_of"]), relation),
        "second": fact(str(latents["second_of"]), relation),
        "asked": BOTH if latents["asked_by"] == "country" else str(latents["source"]),
        "answer": str(latents["stated"]),
    }


def wrong(latents: Latents) -> tuple[str, ...]:
    """What the other source says, then what is known, then the fact of a country that neither speaks of."""
    relation, spoken_of = str(latents["relation"]), {latents["first_of"], latents["second_of"], latents["country"]}
    start = str(latents["first_of"])
    strange = next(nation for nation in (after(start, steps) for steps in range(1, 5)) if nation not in spoken_of)
    known = () if latents["known"] == UNKNOWN else (str(latents["known"]),)
    return tuple(dict.fromkeys((str(latents["distracting"]), *known, fact(strange, relation))))


SOURCES = Behaviour(
    name=NAME,
    templates=templates(NAME, trained=_TRAINED, reserved=_RESERVED),
    draw=draw,
    fill=fill,
    wrong=wrong,
    settle=settled,
    behind={
        "first_source": ("first_source", "relevant"),
        "second_source": ("second_source", "relevant"),
        "first_country": ("first_country", "kind"),
        "second_country": ("second_country", "kind"),
        "first": ("first_of", "relation", "relevant"),
        "second": ("second_of", "relation", "relevant"),
        "relation": ("relation",),
        "asked": ("relevant", "source", "asked_by"),
        "country": ("country", "kind", "known"),
        "answer": ("stated", "distracting", "known", "contradicts", "relevant", "kind"),
    },
    varied={"relevant": ("first", "second"), "relation": RELATIONS, "first_of": NATIONS, "second_of": NATIONS},
    weight=1.5,
)
