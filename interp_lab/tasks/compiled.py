"""The own pairs of the compiled models, whose circuits are known to the edge."""

from itertools import cycle, islice

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from interp_lab import folds
from interp_lab.models import identity_of
from interp_lab.organisms.compiled import CompiledModel, compile_model, compiled_names
from interp_lab.organisms.compiled import Pairs as CompiledPairs
from interp_lab.tasks.alignment import TextPair, pairs_of_rows
from interp_lab.tasks.batch import Padding
from interp_lab.tasks.pairs import Pairs
from interp_lab.types import HookedModel, nearest

N_TEMPLATES, N_RESERVED = 8, 4
"""Blocks that prompts are dealt into, in turn, in place of templates: of prompts of either kind."""
_TRIES = 100
"""Times that pairs of one fold are drawn, until there are enough."""


def compiled_pairs(
    model: HookedModel, name: str, n: int, *, seed: int, reserved: bool | None = None, padding: Padding = "right"
) -> Pairs:
    """Return pairs that a compiled model's truth is about.

    Prompts are independent draws without templates; they are dealt into blocks, which take the place of templates so
    that every split and every interval is what it would be elsewhere. Reserved ones are other draws, in other blocks.

    Args:
        model: the compiled model itself: its tokens mean nothing to another.
        reserved: `None` takes ordinary ones.
        padding: not used; all prompts are equally long.

    Raises: ValueError, for an unknown name, or another model; FoldError, for reserved ones where they are closed.
    """
    if name not in compiled_names():
        raise ValueError(f"unknown task {name!r}{nearest(name, compiled_names())}; there are {compiled_names()}")
    compiled = compile_model(name)
    own = identity_of(model).name
    if own != name:
        raise ValueError(f"task {name!r} is made for the model of that name, and this is {own!r}; load {name!r}")
    reserved = folds.open_templates(reserved)
    drawn, kind = _drawn(compiled, n, seed), "reserved" if reserved else "ordinary"
    blocks = islice(cycle(range(N_RESERVED if reserved else N_TEMPLATES)), n)
    first, second = (_texts(compiled, tokens) for tokens in (drawn.clean, drawn.corrupted))
    answers, wrong = (tuple(((int(token),),) for token in tokens) for tokens in (drawn.answers, drawn.wrong))
    words = [tuple(compiled.vocabulary[int(token)] for token in tokens) for tokens in (drawn.answers, drawn.wrong)]
    pairs = [
        TextPair(clean, corrupted, (words[0][nth],), (words[1][nth],), f"{name} {kind} {block}",
                 reserved=bool(reserved))
        for nth, (clean, corrupted, block) in enumerate(zip(first, second, blocks, strict=True))
    ]  # fmt: skip
    clean, corrupted = ([tuple(row) for row in tokens.tolist()] for tokens in (drawn.clean, drawn.corrupted))
    return pairs_of_rows(
        model, pairs, clean=clean, corrupted=corrupted, roles=[{"start": 0}] * n, name=name, texts=(first, second),
        answers=(answers, wrong, wrong),
    )  # fmt: skip


def _texts(compiled: CompiledModel, tokens: Int[Tensor, "batch pos"]) -> list[str]:
    return [" ".join(compiled.vocabulary[token] for token in row) for row in tokens.tolist()]


def _drawn(compiled: CompiledModel, n: int, seed: int) -> CompiledPairs:
    """Draw pairs both of whose prompts may be seen."""
    if folds.seen_now() == "all":
        return compiled.sample_pairs(n, seed)
    found: list[CompiledPairs] = []
    n_found, at_once = 0, n * folds.more_draws(texts=2)
    for nth in range(_TRIES):
        (own,) = np.random.SeedSequence([seed, nth]).generate_state(1)
        drawn = compiled.sample_pairs(at_once, int(own))
        both = zip(_texts(compiled, drawn.clean), _texts(compiled, drawn.corrupted), strict=True)
        shown = torch.tensor([folds.shows(*texts) for texts in both])
        found.append(CompiledPairs(*(column[shown] for column in drawn)))
        n_found += int(shown.sum())
        if n_found >= n:
            return CompiledPairs(*(torch.cat(columns)[:n] for columns in zip(*found, strict=True)))
    raise ValueError(f"of {_TRIES * at_once} pairs of {compiled.name!r} {n_found} are{folds.told()}; ask for fewer")
