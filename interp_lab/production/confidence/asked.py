"""Prompts with what would be right to say next: of the grammar, or of a user's own file."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from interp_lab import folds
from interp_lab.organisms.grammar import Behaviour, Example, Template
from interp_lab.organisms.grammar.behaviours.sources import FICTIONAL
from interp_lab.organisms.grammar.corpus import behaviour
from interp_lab.production.confidence.config import ConfidenceConfig
from interp_lab.production.sources.drawn import TASK, drawn_texts
from interp_lab.production.sources.prompts import Span, found_in
from interp_lab.tasks.grammar import PREFIX, templates_of
from interp_lab.tasks.keyed_lines import keyed_lines
from interp_lab.tasks.sentences import in_turn
from interp_lab.types import nearest

REQUIRED = ("prompt", "answers")
OPTIONAL = ("sources", "template", "reserved")
_TRIES = 400
"""Draws for one prompt."""
_ROUNDS = 32
"""Times that as many prompts with sources are drawn as are asked for."""
_FEWEST_WORDS = 3
"""That are left of a prompt."""


@dataclass(frozen=True)
class Question:
    """A prompt, and what it may go on with."""

    prompt: str
    right: tuple[str, ...] = ()
    """Every right answer, as it goes on behind the prompt; none where that is not known."""
    template: str = ""
    reserved: bool = False
    spans: tuple[Span, ...] = ()
    """Characters of each source, where there are sources."""


def question(prompt: str, *, sources: Sequence[str] = ()) -> Question:
    """Return a prompt to be asked about, whose right answer is not known.

    Args:
        sources: texts that stand in the prompt, word for word.

    Raises: ValueError, for a source that does not stand there once.
    """
    return Question(prompt, spans=found_in(prompt, sources) if sources else ())


def questions(config: ConfidenceConfig) -> dict[str, list[Question]]:
    """Return the prompts of each part, `fit`, `calibrate`, `report` and `held_out`; none comes twice.

    The first three are of the same templates, and divided at random.

    Raises: ValueError, for an unknown task or latent, a file that cannot be read, too few different prompts, or one of
        a reserved template that is among the others (with many words cut, or in a file).
    """
    sizes = {"fit": config.n_fit, "calibrate": config.n_calibrate, "report": config.n_report}
    every = _drawn(config, sum(sizes.values()), reserved=False)
    order, start = np.random.default_rng([config.seed, 92]).permutation(len(every)), 0
    found = {}
    for name, n in sizes.items():
        found[name] = [every[nth] for nth in order[start : start + n]]
        start += n
    if config.n_held_out is not None:
        found["held_out"] = _drawn(config, config.n_held_out, reserved=True)
        both = {one.prompt for one in every} & {one.prompt for one in found["held_out"]}
        if both:
            raise ValueError(
                f"{len(both)} prompts of reserved templates are among the others, such as {min(both)!r}; cut fewer "
                "words, or give each prompt once"
            )
    return found


def _drawn(config: ConfidenceConfig, n: int, *, reserved: bool) -> list[Question]:
    if config.task.endswith(".jsonl"):
        return _of_file(config, n, reserved=reserved)
    kind, _, name = config.task.partition("/")
    if kind != PREFIX or not name:
        raise ValueError(f"task {config.task!r} is neither '{PREFIX}/BEHAVIOUR' nor a .jsonl file of your own")
    rng = np.random.default_rng([config.seed, int(reserved)])
    if config.task == TASK:
        return _of_sources(config, n, rng, reserved=reserved)
    source, found = behaviour(name), dict[str, Question]()
    for template in in_turn(templates_of(source, reserved), n, rng=rng):
        made = _one(source, template, config, rng, found)
        found[made.prompt] = made
    return list(found.values())


def _one(
    source: Behaviour,
    template: Template,
    config: ConfidenceConfig,
    rng: np.random.Generator,
    taken: dict[str, Question],
) -> Question:
    tries = _TRIES * folds.more_draws(texts=2)
    for _ in range(tries):
        example = source.example(template, source.draw(rng))
        _require_latents(example, config)
        if any(str(example.latents[name]) != value for name, value in config.where.items()):
            continue
        whole = Question(
            example.prompt, tuple(f" {word}" for word in example.accepted), example.template, example.reserved
        )
        made = without_words(whole, config.words_cut, rng)
        if made.prompt not in taken and folds.shows(example.prompt, made.prompt):
            return made
    raise ValueError(
        f"in {tries} texts of {template.id}{folds.told()} none was new; ask for fewer prompts, or look at `where`"
    )


def _of_sources(config: ConfidenceConfig, n: int, rng: np.random.Generator, *, reserved: bool) -> list[Question]:
    if set(config.where) - {"kind"}:
        raise ValueError(f"where={config.where} of {TASK}: `kind` alone is known here, 'fictional' or 'contradiction'")
    found: dict[str, Question] = {}
    for nth in range(_ROUNDS):
        own = 2 * (config.seed * _ROUNDS + nth)  # draws of reserved templates take the seed after it
        for text in drawn_texts(n, n_sources=config.n_sources, seed=own, reserved=reserved):
            real = "contradiction" if set(FICTIONAL).isdisjoint(text.prompt.split()) else "fictional"
            if config.where.get("kind", real) != real:
                continue
            whole = Question(text.prompt, (f" {text.right}",), text.template, text.reserved, text.spans)
            made = without_words(whole, config.words_cut, rng)
            if folds.shows(made.prompt):
                found.setdefault(made.prompt, made)
            if len(found) == n:
                return list(found.values())
    raise ValueError(
        f"{_ROUNDS * n} prompts of {TASK}{folds.told()} with {config.where} hold {len(found)} different ones, and {n} "
        "are asked for; ask for fewer"
    )


def without_words(whole: Question, n: int, rng: np.random.Generator) -> Question:
    """Return a prompt without some of its words, drawn at random; at least three are left.

    Sources keep what is left of them; one of which nothing is left is none.
    """
    if not n:
        return whole
    words = whole.prompt.split(" ")
    gone = set(rng.permutation(len(words))[: max(0, min(n, len(words) - _FEWEST_WORDS))].tolist())
    starts = np.cumsum([0, *(len(word) + 1 for word in words)])
    kept = [nth for nth in range(len(words)) if nth not in gone]
    moved = np.cumsum([0, *(len(words[nth]) + 1 for nth in kept)])
    spans = []
    for start, stop in whole.spans:
        own = [at for at, nth in enumerate(kept) if start <= starts[nth] < stop]
        if own:
            spans.append((int(moved[own[0]]), int(moved[own[-1] + 1]) - 1))
    return replace(whole, prompt=" ".join(words[nth] for nth in kept), spans=tuple(spans))


def _require_latents(example: Example, config: ConfidenceConfig) -> None:
    for name in config.where:
        if name not in example.latents:
            raise ValueError(
                f"{example.behaviour} has no latent {name!r}{nearest(name, example.latents)}; it has "
                f"{', '.join(example.latents)}"
            )


def _of_file(config: ConfidenceConfig, n: int, *, reserved: bool) -> list[Question]:
    folds.open_templates(reserved)
    read = {one.prompt: one for one in read_questions(Path(config.task)) if one.reserved == reserved}
    if len(read) < n:
        raise ValueError(
            f"{config.task} holds {len(read)} different {'reserved' if reserved else 'ordinary'} prompts{folds.told()}"
            f", and {n} are asked for; add prompts, or ask for fewer"
        )
    rng = np.random.default_rng([config.seed, int(reserved)])
    own = list(read.values())
    return [without_words(own[nth], config.words_cut, rng) for nth in rng.permutation(len(own))[:n]]


def read_questions(path: Path) -> list[Question]:
    """Read a user's own prompts, those that may be seen (see `folds`).

    Raises: ValueError, naming file and line, for malformed JSON, a missing or unknown key, a value of the wrong type, a
        source that is not in the prompt, or a file that is not there or holds nothing that may be seen.
    """
    if not path.is_file():
        raise ValueError(f"there is no file {path}; write one JSON object a line, with {', '.join(REQUIRED)}")
    found = [_question(line.entry, line.place) for line in keyed_lines(path, required=REQUIRED, optional=OPTIONAL)]
    shown = folds.lines_shown([(one.prompt,) for one in found])
    if not any(shown):
        raise ValueError(f"{path} holds {len(found)} prompts, and none{folds.told()}; give more")
    return [one for one, kept in zip(found, shown, strict=True) if kept]


def _question(entry: dict[str, Any], place: str) -> Question:
    prompt, template, reserved = entry["prompt"], entry.get("template", ""), entry.get("reserved", False)
    for key, kind, ok in (
        ("prompt", "text", isinstance(prompt, str) and prompt.strip()),
        ("answers", "a list of one or more texts", _texts(entry["answers"]) and entry["answers"]),
        ("sources", "a list of texts", _texts(entry.get("sources", []))),
        ("template", "text", isinstance(template, str)),
        ("reserved", "true or false", isinstance(reserved, bool)),
    ):
        if not ok:
            raise ValueError(f"{place}: {key!r} must be {kind}, got {entry[key]!r}")
    right = tuple(one if one[:1].isspace() or prompt[-1:].isspace() else f" {one}" for one in entry["answers"])
    try:
        spans = question(prompt, sources=entry.get("sources", [])).spans
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error
    return Question(prompt, right, template, reserved, spans)


def _texts(given: object) -> bool:
    return isinstance(given, list) and all(isinstance(one, str) and one.strip() for one in given)
