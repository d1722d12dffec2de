"""What is tried: single edits of a text, by method, and random ones to compare them with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp_lab import folds
from interp_lab.production.counterfactuals.cases import Case
from interp_lab.production.counterfactuals.reading import Reader, Slopes, word_tokens
from interp_lab.production.counterfactuals.words import Edit
from interp_lab.tasks.encoding import encode, spellings, tokenizer_of

MethodName = Literal["vocabulary", "gradient", "fillers", "deletion", "swap"]
METHODS: Mapping[MethodName, str] = {
    "vocabulary": "another value of an attribute",
    "gradient": "words of the tokenizer that the gradient ranks first",
    "fillers": "words drawn as the model would go on from what stands before them",
    "deletion": "a word left out",
    "swap": "two words exchanged, each of which may stand where the other does",
}
assert set(METHODS) == set(get_args(MethodName))
FROM_THE_MODEL = ("gradient", "fillers")
"""Methods that put in any word of the tokenizer."""


@dataclass(frozen=True)
class Lexicon:
    """Words of a tokenizer: tokens of letters alone, with or without a space before them."""

    spelt: dict[int, str]
    """By token, as it is decoded."""
    d_vocab: int

    @classmethod
    def of(cls, reader: Reader) -> "Lexicon":
        """Return the words that the tokenizer of a model has."""
        tokenizer, d_vocab = tokenizer_of(reader.model), len(reader.embedding)
        special = set(tokenizer.all_special_ids)
        tokens = (token for token in range(min(len(tokenizer), d_vocab)) if token not in special)
        spelt = spellings(reader.model, tokens)
        return cls({token: text for token, text in spelt.items() if text.strip().isalpha()}, d_vocab)

    @cached_property
    def _sides(self) -> tuple[Bool[Tensor, " d_vocab"], Bool[Tensor, " d_vocab"]]:
        sides = []
        for spaced in (False, True):
            side = torch.zeros(self.d_vocab, dtype=torch.bool)
            side[[token for token, text in self.spelt.items() if text.startswith(" ") is spaced]] = True
            sides.append(side)
        return sides[0], sides[1]

    def like(self, token: int) -> Bool[Tensor, " d_vocab"]:
        """Return which tokens are words that may stand where a token stands: with a space before them, or without."""
        return self._sides[self.spelt[token].startswith(" ")]


def vocabulary_edits(case: Case) -> list[Edit]:
    """Return every other value of every attribute."""
    return list(case.vocabulary)


def deletions(case: Case) -> list[Edit]:
    """Return each word left out; marks stay."""
    found = enumerate(case.words.words)
    return [Edit(f"word {nth}", ((nth, ""),), f"{word!r} left out") for nth, word in found if word.isalnum()]


def swaps(case: Case) -> list[Edit]:
    """Return exchanges of two words, each of which the vocabulary lets stand where the other does."""
    allowed, words = case.allowed(), case.words.words
    return [
        Edit(f"swap {one} {other}", ((one, words[other]), (other, words[one])), f"{words[one]} <> {words[other]}")
        for one in sorted(allowed)
        for other in sorted(allowed)
        if one < other and words[other] in allowed[one] and words[one] in allowed[other]
    ]


def token_edits(
    reader: Reader, case: Case, slopes: Slopes, lexicon: Lexicon, *, by: str, n: int, rng: np.random.Generator
) -> list[Edit]:
    """Return words of the tokenizer put where words stand: the first of a ranking of all.

    The answers are put nowhere. What the tokenizer would read otherwise than as that one token is left out.

    Args:
        by: `gradient`, by how far the turn should move to first order; `fillers`, drawn without replacement by their
            probability given what stands before them; `random`, drawn evenly.
        n: how many at most.
    """
    places = {word: at for word, at in word_tokens(reader, case, slopes).items() if slopes.ids[at] in lexicon.spelt}
    if not places:
        return []
    at, old = list(places.values()), [slopes.ids[place] for place in places.values()]
    scores = _scores(reader, slopes, at, old, by=by, rng=rng).cpu()
    usable = torch.stack([lexicon.like(token) for token in old])
    usable[torch.arange(len(old)), old] = False
    barred = [token for token, text in lexicon.spelt.items() if text.strip() in {one.strip() for one in case.answers}]
    usable[:, barred] = False
    order = (
        scores.masked_fill(~usable, -torch.inf)
        .flatten()
        .argsort(descending=True)[: 2 * n * folds.more_draws()]
        .tolist()
    )
    ranked = [(list(places)[nth // lexicon.d_vocab], nth % lexicon.d_vocab) for nth in order]
    allowed = [(word, token) for word, token in ranked if bool(usable[list(places).index(word), token])]
    return _round_trip(reader, case, slopes, lexicon, allowed, places)[:n]


def _scores(
    reader: Reader, slopes: Slopes, at: list[int], old: list[int], *, by: str, rng: np.random.Generator
) -> Float[Tensor, "place d_vocab"]:
    if by == "gradient":
        per_token = slopes.gradient[at].float() @ reader.embedding.float().T
        return per_token - per_token[torch.arange(len(at)), old][:, None]
    noise = torch.as_tensor(rng.gumbel(size=(len(at), len(reader.embedding))), dtype=torch.float32)
    return noise if by == "random" else slopes.log_probs[at].float().cpu() + noise


def _round_trip(
    reader: Reader,
    case: Case,
    slopes: Slopes,
    lexicon: Lexicon,
    ranked: Sequence[tuple[int, int]],
    places: Mapping[int, int],
) -> list[Edit]:
    """Return those that may be seen, and that the tokenizer reads as meant."""
    made = [(word, token, lexicon.spelt[token].strip()) for word, token in ranked]
    made = [one for one in made if folds.shows(case.words.written({one[0]: one[2]}))]
    rows = encode(reader.model, [case.words.written({word: new}) for word, _, new in made])
    kept = []
    for (word, token, new), row in zip(made, rows, strict=True):
        meant = list(slopes.ids)
        meant[places[word]] = token
        if row == tuple(meant):
            kept.append(Edit(f"word {word}", ((word, new),), f"{case.words.words[word]} > {new}"))
    return kept


def proposed(
    reader: Reader,
    case: Case,
    method: MethodName,
    slopes: Slopes,
    lexicon: Lexicon,
    *,
    n: int,
    rng: np.random.Generator,
) -> list[Edit]:
    """Return the single edits that a method tries; `n` bounds those that come from the model."""
    plain = {"vocabulary": vocabulary_edits, "deletion": deletions, "swap": swaps}
    if method in plain:
        return plain[method](case)
    return token_edits(reader, case, slopes, lexicon, by=method, n=n, rng=rng)
