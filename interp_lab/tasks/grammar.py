"""Pairs from the grammar, for models that read its words."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from interp_lab import folds
from interp_lab.organisms.grammar import Behaviour, Example, Template, Value
from interp_lab.organisms.grammar.corpus import behaviour
from interp_lab.tasks.alignment import TextPair, tokenize_pairs
from interp_lab.tasks.batch import Padding
from interp_lab.tasks.pairs import Pairs
from interp_lab.tasks.roles import Place, numbered
from interp_lab.tasks.sentences import in_turn
from interp_lab.types import HookedModel, nearest

PREFIX = "grammar"
VARIED = {
    "indirect_objects": "receiver",
    "facts": "country",
    "truth": "is_true",
    "loans": "neighbourhood",
    "loans_blind": "income",
    "sentiment": "sentiment",
    "nonsense": "last",
    "agreement": "subject_number",
    "greater_than": "start",
    "pronouns": "job",
    "sources": "relevant",
    "support": "contract",
    "register": "register",
    "sycophancy": "opinion",
    "urgency": "has_marker",
}
"""Behaviour: the latent that the pairs of its task differ in, unless another one is asked for."""

TRIES = 1000
"""Texts drawn for one pair; where a change matters in 4 of 100 texts (one word of a trigger), 2e-18 of the searches
fail."""


def grammar_pairs(
    model: HookedModel,
    name: str,
    n: int,
    *,
    seed: int,
    latent: str | None = None,
    reserved: bool | None = None,
    changes_answer: bool = True,
    padding: Padding = "right",
) -> Pairs:
    """Draw pairs of prompts that differ in one latent, templates in turn.

    The answer is what the text says, or the likelier answer where the grammar knows it (`expected`): chance is not
    asked for. It is wrong to give the answer of the corrupted prompt; where several answers are right (later years),
    every other one is wrong.

    Args:
        name: of a behaviour.
        latent: what to change; `None` takes the one in `VARIED`.
        reserved: only reserved templates, or only the others; `None` takes all.
        changes_answer: only pairs with different answers; else any, and wrong is what the grammar calls wrong.

    Raises: ValueError, for `n` below 1, an unknown name, a latent that cannot be varied, or one that changes no answer.
    """
    source = behaviour(name)
    latent = VARIED[name] if latent is None else latent
    _require_varied(source, latent)
    rng = np.random.default_rng(seed)
    pairs = []
    for template in in_turn(templates_showing(source, latent, reserved), n, rng=rng):
        clean, corrupted = _draw_pair(source, template, latent, rng, changes_answer=changes_answer)
        pairs.append(_text_pair(clean, corrupted, changes_answer=changes_answer))
    return tokenize_pairs(model, pairs, name=f"{PREFIX}/{name}/{latent}", padding=padding)


def templates_of(source: Behaviour, reserved: bool | None) -> list[Template]:
    """Return the reserved templates of a behaviour, the others, or (`None`) all that are open (see `folds`).

    Raises: FoldError, for reserved ones where they are closed.
    """
    kind = folds.open_templates(reserved)
    return [template for template in source.templates if kind in (None, template.reserved)]


def templates_showing(source: Behaviour, latent: str, reserved: bool | None) -> list[Template]:
    """Return the templates in which a latent stands behind a word before the answer.

    Raises: ValueError, if there are none.
    """
    shown = [
        template
        for template in templates_of(source, reserved)
        if any(latent in source.behind.get(slot, ()) for slot in template.slots[: template.slots.index("answer")])
    ]
    if not shown:
        raise ValueError(f"no template of {source.name} shows {latent!r} before the answer; vary another latent")
    return shown


def _require_varied(source: Behaviour, latent: str) -> None:
    if latent not in source.varied:
        raise ValueError(
            f"{source.name} cannot vary {latent!r}{nearest(latent, source.varied)}; it varies "
            f"{', '.join(source.varied)}"
        )


def _draw_pair(
    source: Behaviour, template: Template, latent: str, rng: np.random.Generator, *, changes_answer: bool
) -> tuple[Example, Example]:
    tries = TRIES * folds.more_draws(texts=2)
    for _ in range(tries):
        clean = source.example(template, source.draw(rng))
        if not folds.shows(clean.prompt):
            continue
        for corrupted in counterfactuals(source, clean, latent, source.varied[latent], rng):
            if not folds.shows(corrupted.prompt):
                continue
            if not changes_answer or _right(corrupted)[0] not in _right(clean):
                return clean, corrupted
            if len(clean.accepted) > 1 and set(_right(clean)) != set(_right(corrupted)):
                return clean, corrupted
    raise ValueError(
        f"in {tries} texts of {template.id}{folds.told()} no change of {latent!r} "
        + (
            "changed the answer; vary another latent, or pass changes_answer=False"
            if changes_answer
            else "did anything"
        )
    )


def counterfactuals(
    source: Behaviour, example: Example, latent: str, values: Sequence[Value], rng: np.random.Generator
) -> list[Example]:
    """Return the same text under the other values, in random order, where the prompt differs in words only.

    A value that would leave nothing to be wrong (both people the same) is left out.
    """
    others = [values[i] for i in rng.permutation(len(values)) if values[i] != example.latents[latent]]
    made = (source.counterfactual(example, latent, value) for value in others)
    return [
        other
        for other in made
        if other.prompt != example.prompt
        and len(other.prompt.split()) == len(example.prompt.split())
        and bool(other.wrong) == bool(example.wrong)
    ]


def _right(example: Example) -> tuple[str, ...]:
    """Return the right answers: the likelier one, where what the text says is left to chance."""
    if "expected" in example.latents:
        return (str(example.latents["expected"]),)
    return example.accepted


def _text_pair(clean: Example, corrupted: Example, *, changes_answer: bool) -> TextPair:
    right, other = _right(clean), _right(corrupted)
    if changes_answer and len(right) == len(other) == 1:
        wrong = other
    else:
        wrong = tuple(word for word in (*clean.wrong, clean.answer) if word not in right)
    return TextPair(
        clean=clean.prompt,
        corrupted=corrupted.prompt,
        answers=tuple(f" {word}" for word in right),
        wrong=tuple(f" {word}" for word in wrong),
        corrupted_answers=tuple(f" {word}" for word in other),
        template=clean.template,
        reserved=clean.reserved,
        latents=clean.latents,
        roles=slot_places(clean),
    )


def slot_places(example: Example) -> dict[str, Place]:
    """Return where in the prompt each slot is, by its name; one that stands twice is `name` and `name.2`."""
    stops = np.cumsum([len(word) + 1 for word in example.words[: example.answer_at]]) - 1
    slots = [labels.get("slot") for labels in example.labels[: example.answer_at]]
    found = []
    for slot, run in groupby(range(len(slots)), key=slots.__getitem__):
        words = list(run)
        if slot is not None:
            start = int(stops[words[0]]) - len(example.words[words[0]])
            found.append((str(slot), Place(start, int(stops[words[-1]]))))
    return numbered(found)
