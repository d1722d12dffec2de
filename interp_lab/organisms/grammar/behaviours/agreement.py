"""Agreement: the verb follows the number of its subject, not of the noun that stands nearer.

Source: the task of Linzen et al. 2016, arXiv 1611.01368, in our own words.
"""

from collections.abc import Mapping

import numpy as np

from interp_lab.organisms.grammar.behaviour import Behaviour, pick
from interp_lab.organisms.grammar.example import Latents, Value
from interp_lab.organisms.grammar.template import templates
from interp_lab.organisms.grammar.words import ADJECTIVES, NAMES, OBJECTS, PLACES

NAME = "agreement"
NUMBERS = ("singular", "plural")
PLURALS = {noun: f"{noun}s" for noun in OBJECTS}
VERBS = {
    "present": {"singular": "is", "plural": "are"},
    "past": {"singular": "was", "plural": "were"},
    "perfect": {"singular": "has", "plural": "have"},
}
"""Tense: number: the verb."""
_MARKS = {"present": ("today", "still"), "past": ("yesterday", "still"), "perfect": ("lately", "been")}
"""Tense: what tells it before the verb, and what follows the verb."""

_TRAINED = (
    "{when} the {subject} near the {attractor} {answer} {still} {state} .",
    "{name} says that {when} the {subject} behind the {attractor} {answer} {still} {state} .",
    "in the {place} {when} the {subject} under the {attractor} {answer} {still} {state} .",
    "{when} the {subject} that {name} put near the {attractor} {answer} {still} {state} .",
    "it rained in the {place} , and {when} the {subject} for the {attractor} {answer} {still} {state} .",
    "the {subject} next to the {attractor} in the {place} {when} {answer} {still} {state} .",
    "because {when} the {subject} with the {attractor} {answer} {still} {state} , {name} left the {place} .",
    "the {subject} which {name} found behind the {attractor} , {when} at least , {answer} {still} {state} .",
)
_RESERVED = (
    "{name} went to the {place} . {when} the {subject} by the {attractor} {answer} {still} {state} .",
    "of all things in the {place} , the {subject} on the {attractor} {when} {answer} {still} {state} .",
    "{when} , as {name} wrote , the {subject} between the {attractor} and the {place} {answer} {still} {state} .",
    "{when} the {subject} that came with the {attractor} from {name} {answer} {still} {state} .",
)


def draw(rng: np.random.Generator) -> dict[str, Value]:
    """Draw two nouns and the number of each, independently; the tense; what is said, by whom, and where."""
    subject, attractor = (OBJECTS[i] for i in rng.choice(len(OBJECTS), size=2, replace=False))
    return {
        "subject": subject,
        "subject_number": pick(rng, NUMBERS),
        "attractor": attractor,
        "attractor_number": pick(rng, NUMBERS),
        "tense": pick(rng, tuple(VERBS)),
        "state": pick(rng, ADJECTIVES),
        "name": pick(rng, NAMES),
        "place": pick(rng, PLACES),
    }


def fill(latents: Latents) -> Mapping[str, str]:
    """Put the nouns into their number, the verb into the subject's."""
    tense = str(latents["tense"])
    when, still = _MARKS[tense]
    return {
        "subject": _inflected(latents, "subject"),
        "attractor": _inflected(latents, "attractor"),
        "when": when,
        "answer": VERBS[tense][str(latents["subject_number"])],
        "still": still,
        **{slot: str(latents[slot]) for slot in ("state", "name", "place")},
    }


def wrong(latents: Latents) -> tuple[str, ...]:
    """The verb of the same tense in the other number."""
    return tuple(verb for number, verb in VERBS[str(latents["tense"])].items() if number != latents["subject_number"])


def _inflected(latents: Latents, role: str) -> str:
    noun = str(latents[role])
    return noun if latents[f"{role}_number"] == "singular" else PLURALS[noun]


AGREEMENT = Behaviour(
    name=NAME,
    templates=templates(NAME, trained=_TRAINED, reserved=_RESERVED),
    draw=draw,
    fill=fill,
    wrong=wrong,
    behind={
        "subject": ("subject", "subject_number"),
        "attractor": ("attractor", "attractor_number"),
        "when": ("tense",),
        "answer": ("subject_number", "tense"),
        "still": ("tense",),
        "state": ("state",),
        "name": ("name",),
        "place": ("place",),
    },
    varied={
        "subject_number": NUMBERS,
        "attractor_number": NUMBERS,
        "subject": OBJECTS,
        "attractor": OBJECTS,
        "tense": tuple(VERBS),
        "state": ADJECTIVES,
        "name": NAMES,
        "place": PLACES,
    },
    weight=0.7,
)
