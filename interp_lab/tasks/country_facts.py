"""Country facts: capitals and languages, corrupted by naming another country."""

from functools import partial

import numpy as np

from interp_lab.organisms.grammar.words import COUNTRIES
from interp_lab.tasks.alignment import TextPair, shown_pair, tokenize_pairs
from interp_lab.tasks.batch import Padding
from interp_lab.tasks.encoding import one_token_words
from interp_lab.tasks.pairs import Pairs
from interp_lab.tasks.sentences import Sentence, in_turn, pick_other, sentences, usable
from interp_lab.types import HookedModel

NAME = "country_facts"
RELATIONS = ("capital", "language")
TEMPLATES = {
    "capital": sentences(
        f"{NAME}/capital",
        slots=("country",),
        ordinary=(
            "The capital city of {country} is called",
            "Most embassies in {country} are found in its capital,",
            "The government of {country} sits in the city of",
            "On every map of {country} the capital is marked as",
            "Whoever flies to the capital of {country} lands in",
        ),
        reserved=(
            "The parliament of {country} meets in",
            "We drove through {country} until we reached its capital,",
        ),
    ),
    "language": sentences(
        f"{NAME}/language",
        slots=("country",),
        ordinary=(
            "The official language of {country} is",
            "At home most people in {country} speak",
            "Newspapers in {country} are printed in",
            "Before moving to {country} she learned to speak",
            "On the radio in {country} the news is read in",
        ),
        reserved=(
            "Children in {country} learn to read and write in",
            "The laws of {country} are written in",
        ),
    ),
}
"""By relation."""
FACTS = {
    **COUNTRIES,
    "Portugal": ("Lisbon", "Portuguese"),
    "China": ("Beijing", "Chinese"),
    "Austria": ("Vienna", "German"),
    "Hungary": ("Budapest", "Hungarian"),
    "Denmark": ("Copenhagen", "Danish"),
    "Finland": ("Helsinki", "Finnish"),
    "England": ("London", "English"),
    "Ireland": ("Dublin", "English"),
    "Cuba": ("Havana", "Spanish"),
    "Peru": ("Lima", "Spanish"),
    "Chile": ("Santiago", "Spanish"),
    "Iran": ("Tehran", "Persian"),
    "Iraq": ("Baghdad", "Arabic"),
    "Thailand": ("Bangkok", "Thai"),
    "Vietnam": ("Hanoi", "Vietnamese"),
}
"""Country: (capital, language)."""


def country_facts_pairs(
    model: HookedModel, n: int, *, seed: int, reserved: bool | None = None, padding: Padding = "right"
) -> Pairs:
    """Draw pairs that name two countries with different answers; the wrong answer is the other country's.

    Args:
        reserved: only reserved templates, or only the others; `None` takes all.

    Raises: ValueError, for `n` below 1, or if fewer than two facts of a relation are single tokens.
    """
    rng = np.random.default_rng(seed)
    facts = {relation: _facts(model, relation) for relation in RELATIONS}
    kinds = [
        (relation, template) for relation in RELATIONS for template in usable(TEMPLATES[relation], reserved=reserved)
    ]
    pairs = [
        shown_pair(partial(_pair, relation, template, facts[relation], rng), what=template.id)
        for relation, template in in_turn(kinds, n, rng=rng)
    ]
    return tokenize_pairs(model, pairs, name=NAME, padding=padding)


def _facts(model: HookedModel, relation: str) -> dict[str, str]:
    """Return the answers by country, both one token."""
    answers = {country: fact[RELATIONS.index(relation)] for country, fact in FACTS.items()}
    countries = one_token_words(model, tuple(answers), need=2)
    kept = one_token_words(model, tuple(dict.fromkeys(answers[country] for country in countries)), after="in", need=2)
    return {country: answers[country] for country in countries if answers[country] in kept}


def _pair(relation: str, template: Sentence, facts: dict[str, str], rng: np.random.Generator) -> TextPair:
    country = pick_other(rng, tuple(facts))
    same = tuple(other for other, answer in facts.items() if answer == facts[country])
    other = pick_other(rng, tuple(facts), than=same)
    return TextPair(
        clean=template.fill(country=country),
        corrupted=template.fill(country=other),
        answers=(f" {facts[country]}",),
        wrong=(f" {facts[other]}",),
        corrupted_answers=(f" {facts[other]}",),
        template=template.id,
        reserved=template.reserved,
        latents={"relation": relation, "country": country},
        roles=template.places(country=country),
    )
