"""Nonsense: words without sense, then the same words again; only looking them up tells what comes next."""

from collections.abc import Mapping, Sequence

import numpy as np

from interp_lab.organisms.grammar.behaviour import Behaviour
from interp_lab.organisms.grammar.example import Latents, Value
from interp_lab.organisms.grammar.template import templates
from interp_lab.organisms.grammar.words import COLOURS, JOBS, NAMES, NEIGHBOURHOODS, OBJECTS, PLACES

NAME = "nonsense"
WORDS = (*NAMES, *OBJECTS, *PLACES, *COLOURS, *JOBS, *NEIGHBOURHOODS)
"""What segments are made of: 62 words, each of which has its sense in other behaviours."""
PERIODS = range(5, 15)
"""Length of the segment (words)."""
OFFSETS = range(9)
"""Number of words without sense before the segment; a template's own words come on top."""

_TRAINED = (
    "{before} {first} {second} {answer} .",
    "{before} {first} . {second} {answer} .",
    "say it twice : {before} {first} {second} {answer} .",
    "again and again {before} {first} {second} {answer} .",
    "{before} {first} and again {second} {answer} .",
    "a list . {before} {first} , then {second} {answer} .",
    "{before} : {first} : {second} {answer} .",
    "they said {before} {first} {second} {answer} , and then nothing .",
)
_RESERVED = (
    "nobody knew why : {before} {first} {second} {answer} .",
    "first {before} {first} then {second} {answer} .",
    "{before} {first} ? {second} {answer} .",
    "all day {before} . {first} {second} {answer} , day after day .",
)


def draw(rng: np.random.Generator) -> dict[str, Value]:
    """Draw period and offset, each uniformly, and words of which no two are the same.

    `before` are the words before the segment, `body` is the segment without its `last` word, and `spare` replaces a
    word of these that a counterfactual makes the last one, so that no word ever has two antecedents.
    """
    period, offset = (int(rng.integers(lengths.start, lengths.stop)) for lengths in (PERIODS, OFFSETS))
    *words, last, spare = (WORDS[i] for i in rng.permutation(len(WORDS))[: offset + period + 1])
    return {
        "period": period,
        "offset": offset,
        "before": " ".join(words[:offset]),
        "body": " ".join(words[offset:]),
        "last": last,
        "spare": spare,
    }


def fill(latents: Latents) -> Mapping[str, str]:
    """Write the segment twice; the last word of the second copy is the answer."""
    body, last = _without_last(latents, "body"), str(latents["last"])
    return {
        "before": _without_last(latents, "before"),
        "first": f"{body} {last}",
        "second": body,
        "answer": last,
    }


def wrong(latents: Latents) -> tuple[str, ...]:
    """The other words of the segment, from its start: one step too far in the first copy comes first."""
    return tuple(_without_last(latents, "body").split())


def details(latents: Latents) -> Mapping[str, Sequence[Mapping[str, Value]]]:
    """Label every word of the two copies with its copy (1 or 2) and its place in the segment (from 0)."""
    first, second = ([{"copy": copy, "index": nth} for nth in range(int(latents["period"]))] for copy in (1, 2))
    return {"first": first, "second": second[:-1], "answer": second[-1:]}


def _without_last(latents: Latents, part: str) -> str:
    words = str(latents[part]).split()
    return " ".join(str(latents["spare"]) if word == latents["last"] else word for word in words)


NONSENSE = Behaviour(
    name=NAME,
    templates=templates(NAME, trained=_TRAINED, reserved=_RESERVED),
    draw=draw,
    fill=fill,
    wrong=wrong,
    behind=dict.fromkeys(("before", "first", "second", "answer"), ("period", "offset", "last")),
    varied={"last": WORDS},
    details=details,
    weight=1.0,
)
