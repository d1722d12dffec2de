"""Sources: what the text says counts, not what is remembered, and of two sources the one that is asked for.

Countries are either fictional, so that only the text can tell, or real, and then at least one of the sources
contradicts what is known. The question asks for one of two statements by its *key*: the source (both speak of the same
country), or the country (`notes` stands for both sources, which speak of two fictional countries). What is not the key
is what the statement is `about`.

The key stands right before the word that it is the key of, in the statement and in the question, as in `guide Rome .
letter Paris . ... guide Rome`. With other words between them, a model of a million parameters learned in 6,500 steps
to name one of the two words and not which (0.51 right); with the key beside its word, 250 steps were enough.
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
STATEMENTS = ("first", "second")
"""The two statements, in the order of the text."""
UNKNOWN = "unknown"
"""The known fact of a fictional country."""

_TRAINED = (
    "{relation} . {first_about} : {first_key} {first} . {second_about} : {second_key} {second} . "
    "{asked_about} : {asked_key} {answer} .",
    "we read of a {relation} : {first_about} , {first_key} {first} , and {second_about} , {second_key} {second} . "
    "so {asked_about} , {asked_key} {answer} .",
    "two lines on a {relation} . {first_key} {first} , {first_about} . {second_key} {second} , {second_about} . "
    "asked again : {asked_about} , {asked_key} {answer} .",
    "what {relation} has {asked_about} , {asked_key} ? {first_about} : {first_key} {first} . "
    "{second_about} : {second_key} {second} . answer : {asked_key} {answer} .",
    "on the {relation} , {first_about} has {first_key} {first} , but {second_about} has {second_key} {second} . "
    "for {asked_about} we keep {asked_key} {answer} .",
    "test of the {relation} . line one , {first_about} : {first_key} {first} . line two , {second_about} : "
    "{second_key} {second} . result , {asked_about} : {asked_key} {answer} .",
    "{first_key} {first} is one {relation} , by {first_about} . {second_key} {second} is one , by {second_about} . "
    "by {asked_about} it is {asked_key} {answer} .",
    "{relation} ? {first_key} {first} ( {first_about} ) . {second_key} {second} ( {second_about} ) . "
    "{asked_key} {answer} ( {asked_about} ) .",
)
_RESERVED = (
    "read of the {relation} , {asked_about} , {asked_key} . {first_about} with {first_key} {first} . "
    "{second_about} with {second_key} {second} . it is {asked_key} {answer} .",
    "as {relation} we found {first_key} {first} in {first_about} and {second_key} {second} in {second_about} . "
    "asked for {asked_about} , say {asked_key} {answer} .",
    "{first_about} , {second_about} : {first_key} {first} , {second_key} {second} . which {relation} for "
    "{asked_about} ? {asked_key} {answer} .",
    "lesson on a {relation} : {first_key} {first} , says {first_about} , and {second_key} {second} , says "
    "{second_about} . now {asked_about} : {asked_key} {answer} .",
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
        "relevant": pick(rng, STATEMENTS),
    }
    return {**latents, **settled(latents)}


def _two(rng: np.random.Generator, options: tuple[str, ...]) -> tuple[str, str]:
    one, steps = int(rng.integers(len(options))), int(rng.integers(1, len(options)))
    return options[one], options[(one + steps) % len(options)]


def fill(latents: Latents) -> Mapping[str, str]:
    """Write both statements and ask for the relevant one."""
    relation, key = str(latents["relation"]), str(latents["asked_by"])
    about = "source" if key == "country" else "country"
    return {
        "relation": relation,
        **{f"{one}_key": str(latents[f"{one}_{key}"]) for one in STATEMENTS},
        **{f"{one}_about": str(latents[f"{one}_{about}"]) for one in STATEMENTS},
        **{one: fact(str(latents[f"{one}_of"]), relation) for one in STATEMENTS},
        "asked_key": str(latents[key]),
        "asked_about": BOTH if key == "country" else str(latents["country"]),
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
        **{
            f"{one}_{role}": (f"{one}_source", f"{one}_country", "asked_by", "kind", "relevant")
            for one in STATEMENTS
            for role in ("key", "about")
        },
        "first": ("first_of", "relation", "relevant"),
        "second": ("second_of", "relation", "relevant"),
        "relation": ("relation",),
        "asked_key": ("relevant", "source", "country", "asked_by"),
        "asked_about": ("country", "kind", "known"),
        "answer": ("stated", "distracting", "known", "contradicts", "relevant", "kind"),
    },
    varied={"relevant": STATEMENTS, "relation": RELATIONS, "first_of": NATIONS, "second_of": NATIONS},
    weight=1.5,
)
