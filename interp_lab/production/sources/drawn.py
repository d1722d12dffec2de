"""Prompts with sources whose origin is known: statements of the grammar, each naming another word."""

from collections.abc import Mapping, Sequence

import numpy as np

from interp_lab.folds import first_shown, open_templates, told
from interp_lab.organisms.grammar import Example, Template
from interp_lab.organisms.grammar.behaviours.facts import NATIONS, fact
from interp_lab.organisms.grammar.behaviours.sources import FICTIONAL, SOURCE_WORDS, SOURCES, STATEMENTS
from interp_lab.production.sources.prompts import SourcedText, Span
from interp_lab.tasks.grammar import slot_places

TASK = "grammar/sources"
MOST_SOURCES = 6
"""As many different sources as the grammar has words for."""
_TRIES = 50
"""Times the number of prompts asked for that are drawn to find different ones."""


def drawn_texts(n: int, *, n_sources: int, seed: int, reserved: bool) -> list[SourcedText]:
    """Draw different prompts in each of which several statements name different words, and one is asked for.

    The first two are those of the behaviour `sources`; further ones follow, in the same words, with keys that are not
    asked for. The model was trained on two: with more, it answers by the wrong one at times, and what it answered by is
    still told by the word.

    Raises: ValueError, if there are not so many different prompts, or none that may be seen (see `folds`).
    """
    open_templates(reserved)
    rng, found = np.random.default_rng(seed + reserved), dict[str, SourcedText]()
    templates = [one for one in SOURCES.templates if one.reserved == reserved]
    for nth in range(_TRIES * n):
        if len(found) == n:
            break
        template = templates[nth % len(templates)]
        made = first_shown(
            lambda template=template: _drawn(template, n_sources, rng), lambda one: (one.prompt,), what=TASK
        )
        found.setdefault(made.prompt, made)
    if len(found) < n:
        raise ValueError(f"only {len(found)} different prompts of {TASK} were found{told()}, and {n} are asked for")
    return list(found.values())


def _drawn(template: Template, n_sources: int, rng: np.random.Generator) -> SourcedText:
    example = SOURCES.example(template, SOURCES.draw(rng))
    latents, text, spans = example.latents, example.prompt, statement_spans(example)
    key, relation = str(latents["asked_by"]), str(latents["relation"])
    words = [fact(str(latents[f"{one}_of"]), relation) for one in STATEMENTS]
    keys = [str(latents[f"{one}_{key}"]) for one in STATEMENTS]
    more, end = "", spans[1][1]
    joint, last = text[spans[0][1] : spans[1][0]], text[slice(*spans[1])]
    spans, starts = list(spans), end
    spare = [fact(nation, relation) for nation in NATIONS]
    for _ in range(n_sources - 2):
        keys.append(_other(SOURCE_WORDS if key == "source" else FICTIONAL, keys, rng))
        words.append(_other(spare, [*words, str(latents["known"])], rng))
        again = _reworded(last, {keys[1]: keys[-1], words[1]: words[-1]})
        spans.append((starts + len(joint), starts + len(joint) + len(again)))
        more += joint + again
        starts = spans[-1][1]
    return SourcedText(
        prompt=text[:end] + more + text[end:],
        spans=tuple(spans),
        query=text[end:].strip() or text,
        template=example.template,
        reserved=example.reserved,
        stated=tuple(words),
        right=example.answer,
    )


def statement_spans(example: Example) -> tuple[Span, Span]:
    """Return where both statements stand: key, word and what they are about; without that, where it stands apart.

    A parenthesis that opens in a statement closes in it.
    """
    places = slot_places(example)
    found = []
    for one, other in zip(STATEMENTS, reversed(STATEMENTS), strict=True):
        slots = [places[name] for name in (f"{one}_key", one, f"{one}_about")]
        start, stop = min(slot.start for slot in slots), max(slot.stop for slot in slots)
        if any(places[name].start < stop and start < places[name].stop for name in _slots(other)):
            start, stop = min(slot.start for slot in slots[:2]), max(slot.stop for slot in slots[:2])
        closed = stop + 2 if example.prompt[start : stop + 2].endswith(" )") else stop
        found.append((start, closed))
    return found[0], found[1]


def _slots(statement: str) -> tuple[str, str, str]:
    return f"{statement}_key", statement, f"{statement}_about"


def _other(options: Sequence[str], taken: Sequence[str], rng: np.random.Generator) -> str:
    free = [one for one in dict.fromkeys(options) if one not in taken]
    return free[int(rng.integers(len(free)))]


def _reworded(text: str, words: Mapping[str, str]) -> str:
    return " ".join(words.get(word, word) for word in text.split(" "))
