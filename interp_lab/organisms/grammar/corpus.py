"""All behaviours together: the mixture of texts that organisms are trained on."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from interp_lab.folds import open_templates
from interp_lab.organisms.grammar.behaviour import Behaviour
from interp_lab.organisms.grammar.behaviours.agreement import AGREEMENT
from interp_lab.organisms.grammar.behaviours.facts import FACTS
from interp_lab.organisms.grammar.behaviours.greater_than import GREATER_THAN
from interp_lab.organisms.grammar.behaviours.indirect_objects import INDIRECT_OBJECTS
from interp_lab.organisms.grammar.behaviours.loans import LOANS, LOANS_BLIND
from interp_lab.organisms.grammar.behaviours.nonsense import NONSENSE
from interp_lab.organisms.grammar.behaviours.pronouns import PRONOUNS
from interp_lab.organisms.grammar.behaviours.register import REGISTER
from interp_lab.organisms.grammar.behaviours.sentiment import SENTIMENT
from interp_lab.organisms.grammar.behaviours.sources import SOURCES
from interp_lab.organisms.grammar.behaviours.support import SUPPORT
from interp_lab.organisms.grammar.behaviours.sycophancy import SYCOPHANCY
from interp_lab.organisms.grammar.behaviours.truth import TRUTH
from interp_lab.organisms.grammar.behaviours.urgency import URGENCY
from interp_lab.organisms.grammar.example import Example, Latents
from interp_lab.organisms.grammar.template import Template
from interp_lab.organisms.grammar.vocabulary import BOS_ID, END_ID, encode_words
from interp_lab.types import nearest

BEHAVIOURS: dict[str, Behaviour] = {
    behaviour.name: behaviour
    for behaviour in (
        INDIRECT_OBJECTS,
        FACTS,
        TRUTH,
        LOANS,
        SENTIMENT,
        NONSENSE,
        AGREEMENT,
        GREATER_THAN,
        PRONOUNS,
        SOURCES,
        SUPPORT,
        REGISTER,
        SYCOPHANCY,
        URGENCY,
    )
}
"""What the ordinary mixture is made of, by name."""
VARIANTS: dict[str, Behaviour] = {LOANS_BLIND.name: LOANS_BLIND}
"""Behaviours that stand in for another one in fine-tuning, by name; no part of the ordinary mixture."""

_Mixture = tuple[tuple[Behaviour, float], ...]
"""Behaviours, each with the share of texts up to and including it."""


def behaviour(name: str) -> Behaviour:
    """Return a behaviour, or a variant of one, by name.

    Raises: ValueError, for an unknown name.
    """
    known = {**BEHAVIOURS, **VARIANTS}
    if name not in known:
        raise ValueError(f"unknown behaviour {name!r}{nearest(name, known)}; known are {', '.join(known)}")
    return known[name]


def ordinary(*, instead: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return the names of the ordinary mixture, some replaced: `instead={"loans": "loans_blind"}`.

    Raises: ValueError, for a name that is not in the ordinary mixture, or an unknown replacement.
    """
    instead = instead or {}
    for old, new in instead.items():
        behaviour(new)
        if old not in BEHAVIOURS:
            raise ValueError(f"{old!r} is not in the ordinary mixture{nearest(old, BEHAVIOURS)}; nothing to replace")
    return tuple(instead.get(name, name) for name in BEHAVIOURS)


def texts(
    n: int,
    *,
    seed: int,
    behaviours: Sequence[str] | None = None,
    reserved: bool | None = None,
    weights: Mapping[str, float] | None = None,
) -> list[Example]:
    """Draw `n` texts from a mixture; the first texts of a longer list are those of a shorter one.

    Args:
        behaviours: names; `None` is the ordinary mixture.
        reserved: only reserved templates, or only the others; `None` takes all.
        weights: shares of behaviours by name, in place of their own.

    Raises: ValueError, for `n` below 1, an unknown behaviour, weights that are negative, all zero, or of
        behaviours that are not in the mixture.
    """
    if n < 1:
        raise ValueError(f"n={n} makes an empty data set; ask for at least one text")
    return list(islice(endless_texts(seed=seed, behaviours=behaviours, reserved=reserved, weights=weights), n))


def endless_texts(
    *,
    seed: int,
    behaviours: Sequence[str] | None = None,
    reserved: bool | None = None,
    weights: Mapping[str, float] | None = None,
) -> Iterator[Example]:
    """Return an iterator over what `texts` draws, that never ends; raises as `texts`."""
    choices = _choices(_mixture(behaviours, weights), np.random.default_rng(seed), reserved=open_templates(reserved))
    return (drawn.example(template, latents) for drawn, template, latents in choices)


def written(
    n: int, *, seed: int, behaviours: Sequence[str] | None = None, reserved: bool | None = None
) -> list[tuple[str, str]]:
    """Draw the texts that `texts` draws, each as the id of its template and the text alone: a third of the work.

    Whatever is closed: see `tasks.grammar_documents` for texts to show to a model.

    Raises: as `texts`.
    """
    if n < 1:
        raise ValueError(f"n={n} makes an empty data set; ask for at least one text")
    choices = _choices(_mixture(behaviours, None), np.random.default_rng(seed), reserved=reserved)
    return [(template.id, drawn.text(template, latents)) for drawn, template, latents in islice(choices, n)]


def encode(example: Example) -> list[int]:
    """Return the ids of a text (no token is added).

    Raises: ValueError, for a word that is not in the vocabulary.
    """
    return encode_words(example.words)


def packed_tokens(
    batch: int,
    n_ctx: int,
    *,
    seed: int,
    step: int,
    behaviours: Sequence[str] | None = None,
    reserved: bool | None = None,
    weights: Mapping[str, float] | None = None,
) -> Int[Tensor, "batch pos"]:
    """Fill contexts: the beginning token, then texts, each with the end token behind it, the last one cut.

    A row depends on `seed`, `step` and its number alone, so that training can be resumed at any step and
    a larger batch starts with the rows of a smaller one.

    Raises: ValueError, for `batch` or `n_ctx` below 1, and as `texts` does.
    """
    if batch < 1 or n_ctx < 1:
        raise ValueError(f"batch={batch} rows of n_ctx={n_ctx} tokens hold nothing; both must be at least 1")
    mixture = _mixture(behaviours, weights)
    rngs = [np.random.default_rng((seed, step, row)) for row in range(batch)]
    return torch.tensor([_packed_row(mixture, n_ctx, rng=rng, reserved=reserved) for rng in rngs])


def _packed_row(mixture: _Mixture, n_ctx: int, *, rng: np.random.Generator, reserved: bool | None) -> list[int]:
    row = [BOS_ID]
    for drawn, template, latents in _choices(mixture, rng, reserved=reserved):
        if len(row) >= n_ctx:
            break
        row += encode_words(word for word, _ in template.fill(drawn.fill(latents)))
        row.append(END_ID)
    return row[:n_ctx]


def _mixture(behaviours: Sequence[str] | None, weights: Mapping[str, float] | None) -> _Mixture:
    names = ordinary() if behaviours is None else tuple(behaviours)
    weights = weights or {}
    for name in weights:
        if name not in names:
            raise ValueError(f"a weight is given for {name!r}, which is not in the mixture{nearest(name, names)}")
    chosen = [behaviour(name) for name in names]
    shares = np.array([weights.get(name, one.weight) for name, one in zip(names, chosen, strict=True)], dtype=float)
    if not len(names) or not (shares >= 0).all() or not 0 < shares.sum() < np.inf:
        raise ValueError(f"weights must be at least 0 and not all 0, got {dict(zip(names, shares, strict=True))}")
    return tuple(zip(chosen, (shares.cumsum() / shares.cumsum()[-1]).tolist(), strict=True))


def _choices(
    mixture: _Mixture, rng: np.random.Generator, *, reserved: bool | None
) -> Iterator[tuple[Behaviour, Template, Latents]]:
    usable = {
        one.name: [template for template in one.templates if reserved in (None, template.reserved)]
        for one, _ in mixture
    }
    while True:
        at = float(rng.random())
        drawn = next(one for one, share in mixture if at < share)
        options = usable[drawn.name]
        yield drawn, options[int(rng.integers(len(options)))], drawn.draw(rng)
