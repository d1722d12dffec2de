"""Tasks by name."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from interp_lab.folds import open_templates, told
from interp_lab.organisms.compiled import compile_model, compiled_names
from interp_lab.organisms.grammar.corpus import behaviour
from interp_lab.tasks.alignment import tokenize_pairs
from interp_lab.tasks.batch import Padding
from interp_lab.tasks.compiled import compiled_pairs
from interp_lab.tasks.country_facts import country_facts_pairs
from interp_lab.tasks.docstring import docstring_pairs
from interp_lab.tasks.grammar import PREFIX, VARIED, grammar_pairs
from interp_lab.tasks.greater_than import greater_than_pairs
from interp_lab.tasks.indirect_object import indirect_object_pairs
from interp_lab.tasks.induction import induction_pairs
from interp_lab.tasks.pairs import Pairs
from interp_lab.tasks.sentiment import sentiment_pairs
from interp_lab.tasks.swapped import swapped
from interp_lab.tasks.user import read_pairs
from interp_lab.types import HookedModel, nearest

_SWAPPED = re.compile(r"swapped(?:@(\d+))?/(.+)")
"""Another task, with the labels of half of its pairs exchanged."""


@runtime_checkable
class MakePairs(Protocol):
    """Draws pairs for a model."""

    def __call__(
        self, model: HookedModel, n: int, *, seed: int, reserved: bool | None = None, padding: Padding = "right"
    ) -> Pairs:
        """Return `n` pairs."""
        ...


@dataclass(frozen=True)
class Task:
    """A source of pairs."""

    name: str
    question: str
    pairs: MakePairs


def _grammar_task(name: str, latent: str) -> Task:
    def pairs(
        model: HookedModel, n: int, *, seed: int, reserved: bool | None = None, padding: Padding = "right"
    ) -> Pairs:
        return grammar_pairs(model, name, n, seed=seed, latent=latent, reserved=reserved, padding=padding)

    return Task(f"{PREFIX}/{name}/{latent}", f"Does {latent} decide what follows in {name}?", pairs)


def _compiled_task(name: str) -> Task:
    def pairs(
        model: HookedModel, n: int, *, seed: int, reserved: bool | None = None, padding: Padding = "right"
    ) -> Pairs:
        return compiled_pairs(model, name, n, seed=seed, reserved=reserved, padding=padding)

    return Task(name, compile_model(name).truth.behaviour, pairs)


TASKS = {
    task.name: task
    for task in (
        Task("indirect_object", "Who is given what the other one gives?", indirect_object_pairs),
        Task("greater_than", "Does the second year of a century come after the first?", greater_than_pairs),
        Task("induction", "What followed the current token the last time?", induction_pairs),
        Task("country_facts", "What are a country's capital and language?", country_facts_pairs),
        Task("docstring", "Which argument of a function does its docstring come to next?", docstring_pairs),
        Task("sentiment", "Does the conclusion of a review fit its words?", sentiment_pairs),
    )
}
"""For any tokenizer; those of the grammar are called `grammar/BEHAVIOUR` or `grammar/BEHAVIOUR/LATENT`, those of the
compiled models as the models are."""


def task_names() -> tuple[str, ...]:
    """Return the names of the tasks, those of the grammar with the latents that they vary by default."""
    return (*TASKS, *(f"{PREFIX}/{name}" for name in VARIED), *compiled_names())


def _swapped_task(name: str, of: str, *, by: int) -> Task:
    def pairs(
        model: HookedModel, n: int, *, seed: int, reserved: bool | None = None, padding: Padding = "right"
    ) -> Pairs:
        drawn = pairs_for(model, of, n, seed=seed, reserved=reserved, padding=padding)
        return replace(swapped(drawn, seed=by), task=name)

    question = f"None: the labels of {of} are exchanged in half of the pairs, so that they say nothing."
    return Task(name, question, pairs)


def task(name: str) -> Task:
    """Return a task by name.

    With `swapped/` before it (`swapped@3/indirect_object` for another seed than 0) a name stands for the same pairs
    with labels that say nothing; see `tasks.swapped`.

    Raises: ValueError, for an unknown task or behaviour, or a latent that the behaviour cannot vary.
    """
    without_labels = _SWAPPED.fullmatch(name)
    if without_labels:
        seed, of = int(without_labels[1] or 0), without_labels[2]
        if not of.endswith(".jsonl"):
            task(of)
        return _swapped_task(name, of, by=seed)
    kind, _, rest = name.partition("/")
    if kind == PREFIX and rest:
        source, _, latent = rest.partition("/")
        varied = behaviour(source).varied
        if latent and latent not in varied:
            raise ValueError(f"{source} cannot vary {latent!r}{nearest(latent, varied)}; it varies {', '.join(varied)}")
        return _grammar_task(source, latent or VARIED[source])
    if name in compiled_names():
        return _compiled_task(name)
    if name not in TASKS:
        raise ValueError(
            f"unknown task {name!r}{nearest(name, task_names())}; there are: {', '.join(task_names())}, and .jsonl "
            "files (`interp-lab init-task` writes one)"
        )
    return TASKS[name]


def pairs_for(
    model: HookedModel,
    name: str,
    n: int | None = None,
    *,
    seed: int = 0,
    reserved: bool | None = None,
    padding: Padding = "right",
) -> Pairs:
    """Return the pairs of a task, or of a user's own `.jsonl` file, tokenized for a model.

    Args:
        name: of a task, or the path of a file.
        n: how many; `None` takes all pairs of a file, and 128 of any other task.
        seed: of the draw; from a file, of which pairs are taken.
        reserved: only reserved templates, or only the others; `None` takes all.

    Raises: ValueError, for an unknown task, more pairs than a file has, or what does not suit the model.
    """
    if name.endswith(".jsonl") and (not _SWAPPED.fullmatch(name) or Path(name).is_file()):
        return _from_file(model, Path(name), n, seed=seed, reserved=reserved, padding=padding)
    return task(name).pairs(model, 128 if n is None else n, seed=seed, reserved=reserved, padding=padding)


def _from_file(
    model: HookedModel, path: Path, n: int | None, *, seed: int, reserved: bool | None, padding: Padding
) -> Pairs:
    open_ = open_templates(reserved)
    pairs = [pair for pair in read_pairs(path) if open_ in (None, pair.reserved)]
    kind = "" if reserved is None else " reserved" if reserved else " ordinary"
    if not pairs or (n is not None and not 1 <= n <= len(pairs)):
        raise ValueError(
            f"{path} holds {len(pairs)}{kind} pairs{told()}, and n={n} are asked for; ask for as many as it has"
        )
    if n is not None:
        kept = np.random.default_rng(seed).permutation(len(pairs))[:n]
        pairs = [pairs[i] for i in sorted(kept)]
    return tokenize_pairs(model, pairs, name=path.stem, several_tokens=True, padding=padding)
