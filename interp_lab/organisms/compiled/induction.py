"""Induction by K-composition, and the same with heads that look the part and do nothing.

Layer 0 writes at each position which token stood before it; layer 1 looks where that is the current token, which is
one past the earlier occurrence, and copies what it finds there to the output.

Source: Elhage et al. 2021, A Mathematical Framework for Transformer Circuits; Olsson et al. 2022, arXiv 2209.11895.
"""

import torch
from torch import Generator

from interp_lab.edges import edges
from interp_lab.organisms.compiled.heads import (
    LOGIT,
    SYMBOLS,
    bystander,
    copy,
    evenly,
    layout,
    look_back,
    rest_on_bos,
    same_symbol,
    to_scratch,
    unembed,
)
from interp_lab.organisms.compiled.model import CompiledModel, Pairs, compiled, distinct_tokens, with_bos
from interp_lab.organisms.compiled.residual import Head, Layout, Write
from interp_lab.organisms.compiled.truth import Knockout, Truth

VOCABULARY = ("<bos>", *"abcdefghijklmnopqrstuvw")

BEHAVIOUR = (
    "Predicts the token that followed the earlier occurrence of the current token, with a logit of 10 against 0 for "
    "all others; after a token that was not there before, predicts nothing (all logits 0). If a token occurred several "
    "times, what followed is averaged."
)
PAIRS = (
    "Clean: BOS, a prefix, a segment, the segment again up to some token; 13 tokens in all, period and prefix vary. "
    "Corrupted: the same arrangement in other symbols, none of which occurs in the clean prompt. Answer: the next "
    "token of the segment; wrong answer: that of the corrupted prompt."
)
EDGES_RESAMPLE = edges("embed -> 0.0.v 1.0.q 1.0.v", "0.0 -> 1.0.k", "1.0 -> logits")
EDGES_ZERO = EDGES_RESAMPLE | edges("pos_embed -> 0.0.q 0.0.k")

_BODY = 12
"""Tokens after BOS: few enough for clean and corrupted prompts to share no symbol."""


def residual_stream() -> Layout:
    """Return the common layout, with a place for the previous token."""
    return layout("prev")


def previous_token(residual: Layout) -> Head:
    """Write which token stood before."""
    return look_back(residual, copy(residual, "tok", to="prev"))


def induction_head(residual: Layout, *writes: Write) -> Head:
    """Look one past the earlier occurrence of the current token."""
    return Head((same_symbol(residual, "prev"), rest_on_bos(residual)), writes)


def compile_induction() -> CompiledModel:
    """Return the model with one previous-token head, one induction head and six heads that do nothing."""
    residual = residual_stream()
    scratch = to_scratch(residual)
    layers = (
        (previous_token(residual), bystander(residual), evenly(scratch), evenly()),
        (induction_head(residual, copy(residual, "tok", to="out")), evenly(), evenly(scratch), evenly()),
    )
    truth = Truth(
        behaviour=BEHAVIOUR,
        pairs=PAIRS,
        head_types={
            (0, 0): frozenset({"previous_token"}),
            (0, 1): frozenset({"first_token", "inert"}),
            (1, 0): frozenset({"induction", "copying"}),
            **dict.fromkeys([(0, 2), (0, 3), (1, 1), (1, 2), (1, 3)], frozenset({"inert"})),
        },
        edges_zero=EDGES_ZERO,
        edges_resample=EDGES_RESAMPLE,
        direct_effects={"1.0": LOGIT},
        total_effects={(0, 0): LOGIT, (1, 0): LOGIT},
        sufficient_under=frozenset({"zero", "resample"}),
    )
    return compiled(
        "induction",
        layers,
        layout=residual,
        unembed=unembed(residual),
        truth=truth,
        vocabulary=VOCABULARY,
        symbols=SYMBOLS,
        draw=draw_repeats,
    )


def compile_look_alike() -> CompiledModel:
    """Return the induction model with heads beside it that look where its heads look, and change nothing.

    Head 0.1 looks like 0.0; heads 1.1 and 1.2 read the same previous tokens as 1.0 and have its very pattern, but one
    writes where nothing reads and the other writes nothing.
    """
    residual = residual_stream()
    scratch = to_scratch(residual)
    layers = (
        (previous_token(residual), look_back(residual, scratch), evenly(scratch), evenly()),
        (
            induction_head(residual, copy(residual, "tok", to="out")),
            induction_head(residual, scratch),
            induction_head(residual),
            evenly(scratch),
        ),
    )
    looks_only = frozenset({(1, 1), (1, 2)})
    truth = Truth(
        behaviour=BEHAVIOUR,
        pairs=PAIRS,
        head_types={
            (0, 0): frozenset({"previous_token"}),
            (0, 1): frozenset({"previous_token", "inert"}),
            (1, 0): frozenset({"induction", "copying"}),
            (1, 1): frozenset({"induction", "inert"}),
            (1, 2): frozenset({"induction", "inert"}),
            **dict.fromkeys([(0, 2), (0, 3), (1, 3)], frozenset({"inert"})),
        },
        edges_zero=EDGES_ZERO,
        edges_resample=EDGES_RESAMPLE,
        direct_effects={"1.0": LOGIT},
        total_effects={(0, 0): LOGIT, (1, 0): LOGIT},
        sufficient_under=frozenset({"zero", "resample"}),
        knockouts=(
            Knockout(looks_only, "zero", survives=True),
            Knockout(looks_only, "mean", survives=True),
            Knockout(looks_only, "resample", survives=True),
            Knockout(frozenset({(1, 0)}), "zero", survives=False),
        ),
    )
    return compiled(
        "look-alike",
        layers,
        layout=residual,
        unembed=unembed(residual),
        truth=truth,
        vocabulary=VOCABULARY,
        symbols=SYMBOLS,
        draw=draw_repeats,
    )


def draw_repeats(n: int, generator: Generator) -> Pairs:
    """Draw prompts in which a segment comes back, at many periods and offsets; see `PAIRS`."""
    half = len(SYMBOLS) // 2
    words = distinct_tokens(n, generator, symbols=SYMBOLS, length=2 * half)
    again = torch.randint(1, _BODY // 2 + 1, (n, 1), generator=generator)  # tokens of the second copy in the prompt
    spare = (torch.rand(n, 1, generator=generator) * (_BODY + 1 - 2 * again)).long()
    period = again + spare
    place = torch.arange(_BODY).expand(n, -1)
    source = place.where(place < _BODY - again, place - period)
    clean, corrupted = words.gather(1, source), words.gather(1, source + half)
    following = _BODY - period
    return Pairs(
        with_bos(clean), with_bos(corrupted), clean.gather(1, following)[:, 0], corrupted.gather(1, following)[:, 0]
    )
