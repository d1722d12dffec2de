"""What heads are read and ablated on: random segments that come twice, natural text, prompts of a task."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from interp_lab.attention.config import AttentionHeadsConfig
from interp_lab.attention.masks import MaskOf
from interp_lab.claims import Split
from interp_lab.folds import reserved_closed, told
from interp_lab.hooks import device_of
from interp_lab.organisms.repeats import RepeatedTokens
from interp_lab.tasks import Document, Pairs, grammar_documents, pairs_for, read_documents, token_windows
from interp_lab.tasks.repeats import repeats_for
from interp_lab.types import HookedModel

GRAMMAR = "grammar"
"""Name of the text of the organism's own grammar."""
_TOKENS_PER_DOCUMENT = 4
"""Fewer than the shortest text of the grammar has."""


@dataclass(frozen=True)
class Repeats:
    """Random segments that come twice: two halves of one period, a second one and, not seen by any choice, a third."""

    select: RepeatedTokens
    second: RepeatedTokens
    report: RepeatedTokens
    held_out: tuple[RepeatedTokens, RepeatedTokens] | None
    """The half that ablations take values from, and the one they are measured on."""


def draw_repeats(model: HookedModel, config: AttentionHeadsConfig) -> Repeats:
    """Draw the segments that a config asks for; streams share no randomness.

    Raises: ValueError, as `repeats_for`.
    """

    def halves(period: int, stream: int) -> tuple[RepeatedTokens, RepeatedTokens]:
        draw, split = (int(state) for state in np.random.SeedSequence([config.seed, stream]).generate_state(2))
        drawn = repeats_for(model, config.n_sequences, period, seed=draw, bos_token=config.bos_token)
        return drawn.split(seed=split)

    select, report = halves(config.period, 0)
    second, _ = halves(config.second_period, 1)
    held_out = None if config.held_out_period is None else halves(config.held_out_period, 2)
    return Repeats(select, second, report, held_out)


def draw_text(
    model: HookedModel, config: AttentionHeadsConfig, types: Mapping[str, MaskOf]
) -> dict[Split, Int[Tensor, "batch pos"]]:
    """Return windows of natural text: two halves drawn at random, and half as many others.

    Windows in which some type has nothing to look at are passed over, so that every type is scored on the same text.
    The held-out windows are of reserved templates where the text is the grammar's (while those are closed, see `folds`,
    there are none), else of later documents.

    Raises: ValueError, for a path without text, or text that is too short.
    """
    n, n_held_out = config.n_text, config.n_text // 2
    if config.text == GRAMMAR:
        ordinary = _windows(model, config, types, _grammar(config, reserved=False), n)
        held_out = None
        if not reserved_closed():
            held_out = _windows(model, config, types, _grammar(config, reserved=True), n_held_out)
    else:
        both = _windows(model, config, types, read_documents(Path(str(config.text))), n + n_held_out)
        ordinary, held_out = both[:n], both[n:]
    order = torch.randperm(n, generator=torch.Generator().manual_seed(config.seed))
    device = device_of(model)
    select, report = (ordinary[half.sort().values].to(device) for half in (order[: n // 2], order[n // 2 :]))
    drawn = {Split.SELECT: select, Split.REPORT: report}
    return drawn if held_out is None else {**drawn, Split.HELD_OUT: held_out.to(device)}


def _grammar(config: AttentionHeadsConfig, *, reserved: bool) -> list[Document]:
    n = config.n_text * config.text_length // _TOKENS_PER_DOCUMENT
    return grammar_documents(n, seed=config.seed + reserved, reserved=reserved)


def _windows(
    model: HookedModel,
    config: AttentionHeadsConfig,
    types: Mapping[str, MaskOf],
    documents: Iterable[Document],
    n: int,
) -> Int[Tensor, "batch pos"]:
    batches = token_windows(model, documents, length=config.text_length)
    found = list(islice(_with_targets((batch.tokens for batch in batches), types), n))
    if len(found) < n:
        raise ValueError(
            f"{config.text!r}{told()} has {len(found)} windows of {config.text_length} tokens in which there is "
            f"something to look at for {', '.join(types)}, and {n} are needed; give more text, or lower n_text or "
            "text_length"
        )
    return torch.stack(found)


def _with_targets(batches: Iterable[Tensor], types: Mapping[str, MaskOf]) -> Iterator[Tensor]:
    for tokens in batches:
        there = torch.stack([mask(tokens).any(-1).any(-1) for mask in types.values()]).all(0)
        yield from tokens[there]


def draw_task(model: HookedModel, config: AttentionHeadsConfig) -> dict[Split, tuple[Pairs, Pairs]]:
    """Draw prompts of a task, and by split those that ablations take values from, and those they are measured on.

    The held-out ones are of reserved templates. Prompts that were drawn twice are taken once.

    Raises: ValueError, as `pairs_for`, or if answers have several tokens.
    """
    parts: dict[Split, tuple[Pairs, Pairs]] = {}
    for split, n in ((Split.REPORT, config.n_task), (Split.HELD_OUT, config.n_task_held_out)):
        if n is None:
            continue
        pairs = _task_pairs(model, config, n, reserved=split is Split.HELD_OUT)
        if not pairs.single_token:
            raise ValueError(f"answers of {config.task!r} have several tokens; name a task with answers of one token")
        pairs = each_once(pairs)
        halves = pairs.splits(held_out=(), seed=config.seed)
        parts[split] = (pairs.rows(halves.select), pairs.rows(halves.report))
    return parts


def each_once(pairs: Pairs) -> Pairs:
    """Return every clean prompt once: else one might stand in both halves, and would be taken for a second look."""
    return pairs.rows(sorted({text: row for row, text in enumerate(pairs.clean_texts)}.values()))


def _task_pairs(model: HookedModel, config: AttentionHeadsConfig, n: int, *, reserved: bool) -> Pairs:
    try:
        return pairs_for(model, str(config.task), n, seed=config.seed + reserved, reserved=reserved)
    except ValueError as error:
        if not reserved:
            raise
        raise ValueError(f"{error}; or set n_task_held_out to null, and nothing is replicated on the task") from error
