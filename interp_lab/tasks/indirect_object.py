"""Indirect objects: of two people, who is given what the other one gives?

Source: the task and its structure (15 templates, each in the orders ABBA and BABA, corrupted with three other names)
are of Wang et al. 2022, arXiv 2211.00593; the sentences are ours.
"""

from functools import partial
from typing import Literal

import numpy as np

from interp_lab.tasks.alignment import TextPair, shown_pair, tokenize_pairs
from interp_lab.tasks.batch import Padding
from interp_lab.tasks.encoding import one_token_words
from interp_lab.tasks.pairs import Pairs
from interp_lab.tasks.roles import Place
from interp_lab.tasks.sentences import Sentence, in_turn, sentences, usable
from interp_lab.types import HookedModel

NAME = "indirect_object"
SLOTS = ("first", "second", "giver", "place", "object")
Order = Literal["ABBA", "BABA"]
"""Whether the receiver (A) or the giver (B) is named first."""
Corruption = Literal["ABC", "flip"]
"""`ABC`: three other names, each once, so that nobody is named twice and nothing follows; `flip`: the same two people,
and the other one gives."""

TEMPLATES = sentences(
    NAME,
    slots=SLOTS,
    ordinary=(
        "When {first} and {second} walked into the {place}, {giver} handed the {object} to",
        "After {first} and {second} arrived at the {place}, {giver} gave the {object} to",
        "Yesterday {first} and {second} met at the {place}, and {giver} passed the {object} to",
        "While {first} and {second} were waiting near the {place}, {giver} offered the {object} to",
        "Once {first} and {second} had looked around the {place}, {giver} decided to give the {object} to",
        "As {first} and {second} left the {place} together, {giver} threw the {object} to",
        "Later {first} and {second} sat down in the {place}. Without a word {giver} slid the {object} over to",
        "This morning {first} and {second} had breakfast by the {place}. Then {giver} lent the {object} to",
        "Because {first} and {second} were both tired of the {place}, {giver} sold the {object} to",
        "Last week {first} and {second} got lost near the {place}. In the end {giver} returned the {object} to",
    ),
    reserved=(
        "For a moment {first} and {second} stood still outside the {place}. Slowly {giver} held out the {object} to",
        "Before {first} and {second} locked up the {place} for the night, {giver} left the {object} to",
        "Although {first} and {second} had argued about the {place}, {giver} brought the {object} to",
        "In the middle of the {place} {first} talked with {second} for an hour, and {giver} showed the {object} to",
        "Since {first} and {second} worked at the {place}, nobody wondered when {giver} sent the {object} to",
    ),
)
PLACES = (
    "store", "park", "school", "garden", "market", "station", "museum", "library", "beach", "office", "restaurant",
    "hospital", "house", "church", "hotel", "theater",
)  # fmt: skip
OBJECTS = (
    "book", "key", "ball", "letter", "pen", "ring", "map", "coin", "lamp", "cup", "drink", "computer", "phone",
    "basket", "ticket", "bottle",
)  # fmt: skip
NAMES = (
    "Aaron", "Adam", "Alan", "Albert", "Alex", "Alice", "Amanda", "Amy", "Andrea", "Andrew", "Angela", "Ann",
    "Anna", "Anthony", "Arthur", "Barbara", "Ben", "Brian", "Bruce", "Carl", "Carol", "Charles", "Charlie", "Chris",
    "Christina", "Claire", "Clark", "Crystal", "Daniel", "David", "Dean", "Diana", "Donald", "Edward", "Elizabeth",
    "Emily", "Emma", "Eric", "Erin", "Frank", "Fred", "George", "Grace", "Graham", "Harry", "Helen", "Henry",
    "Jack", "Jacob", "James", "Jamie", "Jane", "Jason", "Jean", "Jennifer", "Jeremy", "Jessica", "Jim", "Joe",
    "John", "Jonathan", "Joseph", "Joshua", "Julia", "Julian", "Justin", "Karen", "Kate", "Kelly", "Kevin", "Kim",
    "Kyle", "Laura", "Lauren", "Lee", "Lewis", "Linda", "Lisa", "Louis", "Lucy", "Luke", "Margaret", "Maria",
    "Mark", "Martin", "Mary", "Matthew", "Michael", "Michelle", "Nathan", "Neil", "Nick", "Patrick", "Paul",
    "Peter", "Rachel", "Rebecca", "Richard", "Robert", "Roger", "Rose", "Ruth", "Sam", "Samuel", "Sarah", "Scott",
    "Simon", "Stephen", "Steven", "Susan", "Thomas", "Tim", "Tom", "Tony", "Victoria", "Vincent", "Walter",
    "William",
)  # fmt: skip


def indirect_object_pairs(
    model: HookedModel,
    n: int,
    *,
    seed: int,
    reserved: bool | None = None,
    corruption: Corruption = "ABC",
    templates: tuple[Sentence, ...] = TEMPLATES,
    padding: Padding = "right",
) -> Pairs:
    """Draw pairs whose answer is the receiver and whose wrong answer is the giver; templates and orders come in turn.

    Names, places and objects are those that are one token each for this tokenizer, so that pairs are aligned and all
    prompts of a template have the same length.

    Args:
        reserved: only reserved templates, or only the others; `None` takes all.
        templates: sentences with the slots `SLOTS`; one template in both orders has one id.

    Raises: ValueError, for `n` below 1, or if fewer than five names (one place, one object) are single tokens.
    """
    rng = np.random.default_rng(seed)
    names = one_token_words(model, NAMES, after="When", need=5)
    places, objects = one_token_words(model, PLACES), one_token_words(model, OBJECTS)
    orders: tuple[Order, ...] = ("ABBA", "BABA")
    kinds = [(template, order) for template in usable(templates, reserved=reserved) for order in orders]
    pairs = []
    for template, order in in_turn(kinds, n, rng=rng):
        draw = partial(_draw, template, order, (names, places, objects), rng, corruption=corruption)
        pairs.append(shown_pair(draw, what=template.id))
    return tokenize_pairs(model, pairs, name=NAME, padding=padding)


def _draw(
    template: Sentence,
    order: Order,
    words: tuple[list[str], list[str], list[str]],
    rng: np.random.Generator,
    *,
    corruption: Corruption,
) -> TextPair:
    names, places, objects = words
    people = [names[i] for i in rng.choice(len(names), size=5, replace=False)]
    place, thing = (options[int(rng.integers(len(options)))] for options in (places, objects))
    return _pair(template, order, people, place=place, thing=thing, corruption=corruption)


def _pair(
    template: Sentence, order: Order, people: list[str], *, place: str, thing: str, corruption: Corruption
) -> TextPair:
    receiver, giver, *others = people
    first, second = (receiver, giver) if order == "ABBA" else (giver, receiver)
    filled = {"first": first, "second": second, "giver": giver, "place": place, "object": thing}
    if corruption == "ABC":
        named = {"first": others[0], "second": others[1], "giver": others[2]}
    else:
        named = {"first": first, "second": second, "giver": receiver}
    return TextPair(
        clean=template.fill(**filled),
        corrupted=template.fill(**named, place=place, object=thing),
        answers=(f" {receiver}",),
        wrong=(f" {giver}",),
        corrupted_answers=() if corruption == "ABC" else (f" {giver}",),
        template=template.id,
        reserved=template.reserved,
        latents={"receiver": receiver, "giver": giver, "order": order, "place": place, "object": thing},
        roles=_roles(template.places(**filled), order),
    )


def _roles(places: dict[str, Place], order: Order) -> dict[str, Place]:
    """Return the places by the paper's names: receiver, giver (twice), and the token after the giver's first name."""
    receiver, giver = ("first", "second") if order == "ABBA" else ("second", "first")
    named = {"IO": places[receiver], "S1": places[giver], "S2": places["giver"]}
    return {**named, "S1+1": named["S1"]._replace(further=1)}
