"""Greater-than: something that began in 1732 ended in 17.., and the two digits must be higher.

Source: the task, its metric and its corruption (the first year becomes 01) are of Hanna et al. 2023, arXiv 2305.00586;
the sentences are ours.
"""

from functools import partial

import numpy as np

from interp_lab.tasks.alignment import TextPair, shown_pair, tokenize_pairs
from interp_lab.tasks.batch import Padding
from interp_lab.tasks.encoding import one_token_words
from interp_lab.tasks.pairs import Pairs
from interp_lab.tasks.sentences import Sentence, in_turn, sentences, usable
from interp_lab.types import HookedModel

NAME = "greater_than"
SLOTS = ("noun", "century", "start")
TEMPLATES = sentences(
    NAME,
    slots=SLOTS,
    ordinary=(
        "The {noun} went on from the year {century}{start} until the year {century}",
        "Historians say that the {noun} began in {century}{start} and ended in {century}",
        "From {century}{start} the {noun} continued without a break up to {century}",
        "The {noun}, which started in {century}{start}, finally came to an end in {century}",
        "According to the records, the {noun} of {century}{start} was over by {century}",
        "In {century}{start} the {noun} was announced, and it was settled in {century}",
    ),
    reserved=(
        "The {noun} opened in the year {century}{start} and closed in the year {century}",
        "Altogether the {noun} took from {century}{start} to {century}",
        "Having begun in {century}{start}, the {noun} stopped in {century}",
    ),
)
NOUNS = ("war", "siege", "project", "reign", "strike", "expedition", "trial", "drought", "voyage", "campaign")
CENTURIES = ("13", "14", "15", "16", "17")
YEARS = tuple(f"{year:02d}" for year in range(100))
CORRUPTED_START = "01"


def greater_than_pairs(
    model: HookedModel, n: int, *, seed: int, reserved: bool | None = None, padding: Padding = "right"
) -> Pairs:
    """Draw pairs with all higher two-digit years as answers, and all others (the first year too) as wrong ones.

    Measure with `probability_difference`. Only years that the tokenizer writes as the century and one more token are
    used, as first year and as answer.

    Args:
        reserved: only reserved templates, or only the others; `None` takes all.

    Raises: ValueError, for `n` below 1, or a tokenizer that does not write years in this way.
    """
    rng = np.random.default_rng(seed)
    years = {
        century: one_token_words(model, YEARS, after=f"the year {century}", between="", need=20)
        for century in CENTURIES
    }
    kept = {century: known for century, known in years.items() if CORRUPTED_START in known}
    if not kept:
        raise ValueError(f"this tokenizer writes no year such as 17{CORRUPTED_START} as two tokens, 17 and the rest")
    nouns = one_token_words(model, NOUNS)
    pairs = []
    for template in in_turn(usable(TEMPLATES, reserved=reserved), n, rng=rng):
        pairs.append(shown_pair(partial(_draw, template, kept, nouns, rng), what=template.id))
    return tokenize_pairs(model, pairs, name=NAME, padding=padding)


def _draw(template: Sentence, kept: dict[str, list[str]], nouns: list[str], rng: np.random.Generator) -> TextPair:
    century = tuple(kept)[int(rng.integers(len(kept)))]
    later = [year for year in kept[century] if year > CORRUPTED_START][:-1]
    start, noun = later[int(rng.integers(len(later)))], nouns[int(rng.integers(len(nouns)))]
    return _pair(template, kept[century], noun=noun, century=century, start=start)


def _pair(template: Sentence, years: list[str], *, noun: str, century: str, start: str) -> TextPair:
    return TextPair(
        clean=template.fill(noun=noun, century=century, start=start),
        corrupted=template.fill(noun=noun, century=century, start=CORRUPTED_START),
        answers=tuple(year for year in years if year > start),
        wrong=tuple(year for year in years if year <= start),
        corrupted_answers=tuple(year for year in years if year > CORRUPTED_START),
        template=template.id,
        reserved=template.reserved,
        latents={"noun": noun, "century": century, "start": int(start)},
        roles={"YY": template.places(noun=noun, century=century, start=start)["start.slot"]},
    )
