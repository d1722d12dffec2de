"""A duplicate-token head that tells the model whether the current token was there before.

Source: Wang et al. 2022, arXiv 2211.00593 (duplicate-token heads); what it is used for here is our own.
"""

import torch
from torch import Generator

from interp_lab.edges import edges
from interp_lab.organisms.compiled.heads import (
    LOGIT,
    SYMBOLS,
    bystander,
    evenly,
    layout,
    not_itself,
    pick,
    rest_on_bos,
    same_symbol,
    to_scratch,
    unembed,
)
from interp_lab.organisms.compiled.model import BOS, CompiledModel, Pairs, compiled, distinct_tokens, with_bos
from interp_lab.organisms.compiled.residual import Head, Layout, Write
from interp_lab.organisms.compiled.truth import Truth

SEEN, NEW = 1, 2
VOCABULARY = ("<bos>", "seen", "new", *"abcdefghijklmnopqrstu")

BEHAVIOUR = (
    "Predicts 'seen' (logit 10, all others 0) after a token that occurred before, and 'new' after one that did not; "
    "any token but BOS counts."
)
PAIRS = (
    "BOS and 12 symbols. In one prompt of a pair the last symbol occurred before and all others are distinct; the "
    "other differs in one token, either the last or its earlier occurrence, so that all are distinct. Which of the two "
    "is the clean one is a coin toss. Answer: 'seen' or 'new', as is right for the clean prompt; wrong answer: the "
    "other one."
)

_BODY = 12


def duplicate_head(residual: Layout) -> Head:
    """Look at earlier occurrences of the current token; write 'seen', and from BOS, where it rests, 'new'."""
    out = residual.write("out")
    return Head(
        (same_symbol(residual, "tok"), not_itself(residual), rest_on_bos(residual)),
        (Write(residual.read("tok", pick(*SYMBOLS)), out[[SEEN]]), Write(residual.read("tok", pick(BOS)), out[[NEW]])),
    )


def compile_duplicate_token() -> CompiledModel:
    """Return the model with one duplicate-token head and seven heads that do nothing."""
    residual = layout()
    scratch = to_scratch(residual)
    layers = (
        (evenly(scratch), duplicate_head(residual), bystander(residual), evenly()),
        (evenly(), evenly(scratch), evenly(), bystander(residual)),
    )
    resample = edges("embed -> 0.1.q 0.1.k", "0.1 -> logits")
    truth = Truth(
        behaviour=BEHAVIOUR,
        pairs=PAIRS,
        head_types={
            (0, 1): frozenset({"duplicate_token"}),
            **dict.fromkeys([(0, 2), (1, 3)], frozenset({"first_token", "inert"})),
            **dict.fromkeys([(0, 0), (0, 3), (1, 0), (1, 1), (1, 2)], frozenset({"inert"})),
        },
        # The value says only "some symbol" or "BOS", which both prompts of a pair have in the same places.
        edges_zero=resample | edges("embed -> 0.1.v", "pos_embed -> 0.1.q 0.1.k"),
        edges_resample=resample,
        direct_effects={"0.1": LOGIT},
        total_effects={(0, 1): LOGIT},
        sufficient_under=frozenset({"zero", "resample"}),
    )
    return compiled(
        "duplicate-token",
        layers,
        layout=residual,
        unembed=unembed(residual),
        truth=truth,
        vocabulary=VOCABULARY,
        symbols=tuple(range(NEW + 1, len(VOCABULARY))),
        draw=draw_seen_or_new,
    )


def draw_seen_or_new(n: int, generator: Generator) -> Pairs:
    """Draw prompts whose last token occurred before, or nearly; see `PAIRS`."""
    new = distinct_tokens(n, generator, symbols=range(NEW + 1, len(VOCABULARY)), length=_BODY)
    earlier = torch.randint(_BODY - 1, (n, 1), generator=generator)
    change_last, swap = torch.rand(2, n, 1, generator=generator) < 0.5
    repeats_earlier = new.scatter(1, torch.full((n, 1), _BODY - 1), new.gather(1, earlier))
    foretells_last = new.scatter(1, earlier, new[:, -1:])
    seen = torch.where(change_last, repeats_earlier, foretells_last)
    answers = torch.where(swap[:, 0], NEW, SEEN)
    clean, corrupted = torch.where(swap, new, seen), torch.where(swap, seen, new)
    return Pairs(with_bos(clean), with_bos(corrupted), answers, SEEN + NEW - answers)
