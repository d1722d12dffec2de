"""Sentiment: what a reviewer concludes, given how the reviewer felt; corrupted by the opposite feeling.

Source: the form (an adjective and a verb, then a conclusion) follows Tigges et al. 2023, arXiv 2310.15154; the
sentences and word lists are ours.
"""

from functools import partial

import numpy as np

from interp_lab.tasks.alignment import TextPair, shown_pair, tokenize_pairs
from interp_lab.tasks.batch import Padding
from interp_lab.tasks.encoding import one_token_words
from interp_lab.tasks.pairs import Pairs
from interp_lab.tasks.sentences import Sentence, in_turn, pick_other, sentences, usable
from interp_lab.types import HookedModel

NAME = "sentiment"
SLOTS = ("thing", "adjective", "verb")
TEMPLATES = sentences(
    NAME,
    slots=SLOTS,
    ordinary=(
        "My review of the {thing}: it was {adjective}, and everyone {verb} it. All in all, the {thing} was",
        "We saw the {thing} last night. It was {adjective} and I {verb} it. In short, the {thing} was",
        "The {thing} seemed {adjective} to me. I {verb} every minute. My verdict is that it was",
        "Friends who tried the {thing} {verb} it, because it was {adjective}. To sum up, it was",
        "Everyone {verb} the {thing}. The critics called it {adjective}. Put simply, it was",
        "I {verb} this {thing} from start to finish, such {adjective} work is rare. Overall it was",
    ),
    reserved=(
        "One {adjective} {thing}, and I {verb} it. If one word must do, it was",
        "Having read about the {thing}, I {verb} it even more, it is truly {adjective}. So the {thing} was",
        "People {verb} the {thing} and told me that it was {adjective}. They were right, it was",
    ),
)
THINGS = ("film", "movie", "play", "book", "show", "concert", "meal", "song", "game", "story")
ADJECTIVES = {
    "positive": ("wonderful", "fantastic", "brilliant", "beautiful", "perfect", "amazing", "lovely", "superb"),
    "negative": ("horrible", "dreadful", "boring", "ugly", "disappointing", "pathetic", "dull", "miserable"),
}
VERBS = {
    "positive": ("loved", "enjoyed", "admired", "praised", "liked"),
    "negative": ("hated", "disliked", "despised", "regretted", "dreaded"),
}
CONCLUSIONS = {
    "positive": ("good", "great", "excellent", "nice"),
    "negative": ("bad", "terrible", "awful", "poor"),
}
"""None of them is among the adjectives, so that copying does not help."""
Words = dict[str, dict[str, list[str]]]
"""By kind (adjective, verb, conclusion) and sign."""


def sentiment_pairs(
    model: HookedModel, n: int, *, seed: int, reserved: bool | None = None, padding: Padding = "right"
) -> Pairs:
    """Draw pairs of a review and its opposite (adjective and verb exchanged), positive and negative ones in turn.

    Args:
        reserved: only reserved templates, or only the others; `None` takes all.

    Raises: ValueError, for `n` below 1, or if a list of words holds no single token.
    """
    rng = np.random.default_rng(seed)
    things = one_token_words(model, THINGS)
    words = {
        kind: {sign: one_token_words(model, options[sign], after="was") for sign in options}
        for kind, options in (("adjective", ADJECTIVES), ("verb", VERBS), ("conclusion", CONCLUSIONS))
    }
    kinds = [(template, sign) for template in usable(TEMPLATES, reserved=reserved) for sign in ADJECTIVES]
    pairs = []
    for template, sign in in_turn(kinds, n, rng=rng):
        pairs.append(shown_pair(partial(_draw, template, sign, things, words, rng), what=template.id))
    return tokenize_pairs(model, pairs, name=NAME, padding=padding)


def _draw(template: Sentence, sign: str, things: list[str], words: Words, rng: np.random.Generator) -> TextPair:
    opposite = "negative" if sign == "positive" else "positive"
    thing = pick_other(rng, things)
    chosen = {s: {kind: pick_other(rng, words[kind][s]) for kind in ("adjective", "verb")} for s in ADJECTIVES}
    answers = {s: tuple(f" {word}" for word in words["conclusion"][s]) for s in ADJECTIVES}
    return TextPair(
        clean=template.fill(thing=thing, **chosen[sign]),
        corrupted=template.fill(thing=thing, **chosen[opposite]),
        answers=answers[sign],
        wrong=answers[opposite],
        corrupted_answers=answers[opposite],
        template=template.id,
        reserved=template.reserved,
        latents={"sentiment": sign, "thing": thing, **chosen[sign]},
        roles=template.places(thing=thing, **chosen[sign]),
    )
