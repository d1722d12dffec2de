"""Effects of patches in the compiled models, worked by hand from their heads and the pairs that they come with.

All numbers are what *denoising* adds to the logit difference; noising takes as much away. The clean run has +10 and the
corrupted run -10 (+4 and -4 in the linear model). A patch that hands the answer on turns it over: 20. One that only
tells a head where to look leaves it with nothing to find in the other prompt, whose symbols are others: 10.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.organisms.compiled import Pairs
from interp_lab.types import HeadIndex

HEADS: Mapping[str, Mapping[HeadIndex, float]] = {
    "compiled/induction": {(0, 0): 10.0, (1, 0): 20.0},
    "compiled/duplicate-token": {(0, 1): 20.0},
    # The pairs differ in which name is repeated: each of the three notes, brings or copies the one or the other.
    "compiled/copying": {(0, 0): 20.0, (1, 1): 20.0, (2, 2): 20.0},
    "compiled/look-alike": {(0, 0): 10.0, (1, 0): 20.0},
    # Whatever the first head is made to write keeps the second silent.
    "compiled/backup": {(0, 0): 10.0, (1, 0): 20.0},
    # Twice the total effects of organisms/compiled/linear.py, because a and w change places.
    "compiled/linear": {(0, 0): 7.0, (1, 0): 8.0, (1, 1): -3.0, (1, 2): 2.0},
}
"""Of a head's output at all positions; heads that are not listed make no difference."""

_REPEAT = ({"next": 20.0, "earlier": 10.0, "last": 10.0}, {"next": 10.0, "last": 10.0}, {"last": 20.0})

STREAM: Mapping[str, Sequence[Mapping[str, float]]] = {
    "compiled/induction": _REPEAT,
    "compiled/duplicate-token": ({"changed": 20.0}, {"last": 20.0}, {"last": 20.0}),
    # Before layer 1 the place of the last name holds the note of it. Before layer 2 it holds a name, and that
    # makes no difference: if it is the one that is barred, the other one is still there to copy.
    "compiled/copying": ({"changed": 20.0}, {"changed": 20.0}, {"last": 20.0}, {"last": 20.0}),
    "compiled/look-alike": _REPEAT,
    "compiled/backup": (*_REPEAT, {"last": 20.0}),
    # Tokens: 1.0 brings 8 and 1.1 -3 from two back; 0.0 -1 and 1.2 2 from one back; the embedding has 2. Before layer 1
    # what 0.0 noted (8) stands one back, and what it wrote to the logits (-1) at the last position.
    "compiled/linear": (
        {"two back": 5.0, "one back": 1.0, "last": 2.0},
        {"two back": -3.0, "one back": 10.0, "last": 1.0},
        {"last": 8.0},
    ),
}
"""Of the residual stream at one position: before each layer, and after the last. Where two names mean the same position
of a prompt, the one listed last holds."""


def stream_effects(name: str, pairs: Pairs) -> Float[Tensor, "layer pos batch"]:
    """Return what denoising the residual stream does at each layer and position of each pair."""
    clean = pairs.clean
    earlier = (clean[:, :-1] == clean[:, -1:]).long().argmax(1)  # no symbol comes more than twice
    last = torch.full_like(earlier, clean.shape[1] - 1)
    changed = (clean != pairs.corrupted).long().argmax(1)
    places = {"last": last, "one back": last - 1, "two back": last - 2, "earlier": earlier, "next": earlier + 1}
    places["changed"] = changed
    effects = torch.zeros(len(STREAM[name]), clean.shape[1], len(clean))
    for layer, amounts in zip(effects, STREAM[name], strict=True):
        for place, amount in amounts.items():
            layer[places[place], torch.arange(len(clean))] = amount
    return effects
