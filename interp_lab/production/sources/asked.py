"""Which prompts are asked about, and which answers: given ones, or what the model says."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from interp_lab.claims import Split
from interp_lab.decoding import DecodingSettings, decode
from interp_lab.folds import told
from interp_lab.production.sources.config import SourcesConfig
from interp_lab.production.sources.drawn import TASK, drawn_texts
from interp_lab.production.sources.own_file import read_sourced
from interp_lab.production.sources.prompts import SourcedPrompt, SourcedText, encoded
from interp_lab.stats import split_by_template
from interp_lab.tasks.encoding import prompts, require_room, tokenizer_of
from interp_lab.types import HookedModel


@dataclass(frozen=True)
class Asked:
    """Prompts of one split, with their answers."""

    texts: tuple[SourcedText, ...]
    """With the answer filled in, and the source that it is known to come from."""
    prompts: tuple[SourcedPrompt, ...]


def texts_of(config: SourcesConfig) -> dict[Split, list[SourcedText]]:
    """Draw or read prompts: choosing and reporting share templates, and no prompt.

    Raises: ValueError, for too few different prompts, a file that cannot be read, or an unknown task.
    """
    if config.task == TASK:
        n_away = config.n_held_out or 0
        given = drawn_texts(config.n_prompts, n_sources=config.n_sources, seed=config.seed, reserved=False)
        if n_away:
            given += drawn_texts(n_away, n_sources=config.n_sources, seed=config.seed, reserved=True)
    elif config.task.endswith(".jsonl"):
        given = _of_file(config)
    else:
        raise ValueError(f"task {config.task!r} has no sources; use {TASK!r}, or a .jsonl file of your own")
    kept = [one for one in given if not one.reserved]
    found = split_by_template(
        [one.template for one in kept], held_out=None, together=[one.prompt for one in kept], seed=config.seed
    )
    parts = {split: [kept[nth] for nth in found.of(split)] for split in (Split.SELECT, Split.REPORT)}
    away = [one for one in given if one.reserved]
    return parts | {Split.HELD_OUT: away} if away else parts


def _of_file(config: SourcesConfig) -> list[SourcedText]:
    read = read_sourced(Path(config.task))
    read = list({one.prompt: one for one in read}.values())
    order, chosen = np.random.default_rng(config.seed).permutation(len(read)), []
    for reserved, n, key in ((False, config.n_prompts, "n_prompts"), (True, config.n_held_out or 0, "n_held_out")):
        own = [read[nth] for nth in order if read[nth].reserved == reserved]
        if len(own) < n:
            raise ValueError(
                f"{config.task} holds {len(own)} different {'reserved' if reserved else 'ordinary'} prompts{told()}, "
                f"and {key}={n}; set {key} to {len(own) or 'null'}, or add prompts"
            )
        chosen += own[:n]
    return chosen


def answered(model: HookedModel, texts: Sequence[SourcedText], *, n_tokens: int) -> Asked:
    """Return prompts with their answers as tokens; where no answer is given, what the model says (greedily).

    Args:
        n_tokens: most tokens of what it says.

    Raises: ValueError, if it says nothing, or as `prompts.encoded`.
    """
    open_ones = [nth for nth, one in enumerate(texts) if one.answer is None]
    said: dict[int, tuple[int, ...]] = {}
    if open_ones:
        read = prompts(model, [texts[nth].prompt for nth in open_ones])
        for one in read:
            require_room(model, len(one.ids) + n_tokens - 1, what="the prompt with its sources and the answer")
        settings = DecodingSettings(max_new_tokens=n_tokens)
        tokens = decode(model, [one.ids for one in read], settings).tokens
        said = {nth: _spoken(model, row, texts[nth]) for nth, row in zip(open_ones, tokens, strict=True)}
    given = [(one.prompt, one.spans, said.get(nth, one.answer or "")) for nth, one in enumerate(texts)]
    made = encoded(model, given)
    words = [tokenizer_of(model).decode(list(one.answer)) for one in made]
    known = [_with_answer(one, word) for one, word in zip(texts, words, strict=True)]
    return Asked(tuple(known), tuple(made))


def _spoken(model: HookedModel, tokens: Sequence[int], text: SourcedText) -> tuple[int, ...]:
    end = tokenizer_of(model).eos_token_id
    kept = tuple(tokens[:-1] if tokens and tokens[-1] == end else tokens)
    if not kept:
        raise ValueError(f"the model answers {text.query!r} with nothing; give the answer that is asked about")
    return kept


def _with_answer(text: SourcedText, answer: str) -> SourcedText:
    """Return the prompt with its answer, and the source that states it, if exactly one does."""
    if text.stated is None:
        return replace(text, answer=answer)
    stating = [nth for nth, word in enumerate(text.stated) if word == answer.strip()]
    return replace(text, answer=answer, relevant=stating[0] if len(stating) == 1 else None)
