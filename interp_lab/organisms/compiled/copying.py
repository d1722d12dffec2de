"""A copying head that is told what not to copy: indirect objects in miniature.

Layer 0 notes at the second mention of a name which name it is (duplicate token); layer 1 brings that note to the last
position, where it enters the query of the copying head of layer 2 and turns it away from the repeated name (inhibition
by Q-composition); what is left to copy is the other name.

Source: Wang et al. 2022, arXiv 2211.00593 (duplicate-token, S-inhibition and name-mover heads); one head of each here.
"""

import torch
from torch import Generator

from interp_lab.edges import edges
from interp_lab.organisms.compiled.heads import (
    LOGIT,
    MATCH,
    bystander,
    copy,
    evenly,
    layout,
    not_itself,
    pick,
    rest_on_bos,
    same_symbol,
    to_scratch,
    unembed,
)
from interp_lab.organisms.compiled.model import CompiledModel, Pairs, compiled, distinct_tokens, with_bos
from interp_lab.organisms.compiled.residual import Head, Layout, Score
from interp_lab.organisms.compiled.truth import Truth

VOCABULARY = (
    *("<bos>", "Ann", "Bob", "Cid", "Dan", "Eve", "Fay", "Gus", "Hal", "Ida", "Jon"),
    *("and", "at", "book", "gave", "lent", "met", "sent", "shop", "the", "then", "went", "with", "->"),
)
NAMES = tuple(range(1, 11))
FILLERS = tuple(range(11, 23))
END = 23

BEHAVIOUR = (
    "Given two names A and B, of which A comes twice, and any other words around them, predicts B after '->' "
    "(logit 10, all others 0), whether B comes before both mentions of A, between them or after them. After any other "
    "token it predicts nothing."
)
PAIRS = (
    "BOS, 12 words of which three are names A and B in the order A B A or B A A, the rest random, then '->'. "
    "Corrupted: the last name is B instead of A. Answer: B; wrong answer: A."
)

_BODY = 12


def note_repeated_name(residual: Layout) -> Head:
    """Look at the earlier occurrence of the current token; write it down if it is a name."""
    return Head(
        (same_symbol(residual, "tok"), not_itself(residual), rest_on_bos(residual)),
        (copy(residual, "tok", to="twice", tokens=NAMES),),
    )


def inhibition(residual: Layout) -> Head:
    """At '->', look where a repeated name is noted, and fetch the note."""
    noted = Score(residual.read("twice", pick(*NAMES)), MATCH, residual.read("tok", pick(END)))
    return Head((noted, rest_on_bos(residual)), (copy(residual, "twice", to="barred"),))


def copying_head(residual: Layout) -> Head:
    """At '->', look at every name that is not barred, and copy it to the output."""
    names = Score(residual.read("tok", pick(*NAMES)), MATCH, residual.read("tok", pick(END)))
    not_barred = Score(residual.read("tok"), -2 * MATCH, residual.read("barred"))
    return Head((names, not_barred, rest_on_bos(residual)), (copy(residual, "tok", to="out"),))


def compile_copying() -> CompiledModel:
    """Return the model with a duplicate-token, an inhibiting and a copying head, and nine heads that do nothing."""
    residual = layout("twice", "barred")
    scratch = to_scratch(residual)
    layers = (
        (note_repeated_name(residual), evenly(scratch), bystander(residual), evenly()),
        (evenly(), inhibition(residual), evenly(scratch), evenly()),
        (evenly(scratch), evenly(), copying_head(residual), bystander(residual)),
    )
    truth = Truth(
        behaviour=BEHAVIOUR,
        pairs=PAIRS,
        head_types={
            (0, 0): frozenset({"duplicate_token"}),
            # '->' is no symbol: without it these two have nothing to do.
            (1, 1): frozenset({"inhibition", "first_token"}),
            (2, 2): frozenset({"copying", "first_token"}),
            **dict.fromkeys([(0, 2), (2, 3)], frozenset({"first_token", "inert"})),
            **dict.fromkeys([(0, 1), (0, 3), (1, 0), (1, 2), (1, 3), (2, 0), (2, 1)], frozenset({"inert"})),
        },
        edges_zero=edges(
            "pos_embed -> 0.0.q 0.0.k",
            "embed -> 0.0.q 0.0.k 0.0.v 1.1.q 2.2.q 2.2.k 2.2.v",
            "0.0 -> 1.1.k 1.1.v",
            "1.1 -> 2.2.q",
            "2.2 -> logits",
        ),
        # Only the last name differs: it is looked up (0.0.q), noted (1.1.v), barred (2.2.q), and a name (2.2.k).
        edges_resample=edges("embed -> 0.0.q 2.2.k", "0.0 -> 1.1.v", "1.1 -> 2.2.q", "2.2 -> logits"),
        direct_effects={"2.2": LOGIT},
        # Without inhibition the three names are copied alike: one third for B, two thirds for A.
        total_effects={(0, 0): LOGIT * 4 / 3, (1, 1): LOGIT * 4 / 3, (2, 2): LOGIT},
        sufficient_under=frozenset({"zero", "resample"}),
    )
    return compiled(
        "copying",
        layers,
        layout=residual,
        unembed=unembed(residual),
        truth=truth,
        vocabulary=VOCABULARY,
        symbols=(*NAMES, *FILLERS),
        draw=draw_names,
    )


def draw_names(n: int, generator: Generator) -> Pairs:
    """Draw prompts with three mentions of two names, in both orders; see `PAIRS`."""
    words = torch.tensor(FILLERS)[torch.randint(len(FILLERS), (n, _BODY), generator=generator)]
    subject, other = distinct_tokens(n, generator, symbols=NAMES, length=2).split(1, dim=1)
    places = distinct_tokens(n, generator, symbols=range(_BODY), length=3).sort(dim=1).values
    subject_first = torch.rand(n, 1, generator=generator) < 0.5
    first, second = torch.where(subject_first, subject, other), torch.where(subject_first, other, subject)
    end = torch.full((n, 1), END)

    def prompt(last_name: torch.Tensor) -> torch.Tensor:
        body = words.scatter(1, places, torch.cat([first, second, last_name], dim=1))
        return with_bos(torch.cat([body, end], dim=1))

    return Pairs(prompt(subject), prompt(other), other[:, 0], subject[:, 0])
